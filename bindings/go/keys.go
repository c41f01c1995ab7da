package hookbox

// #include "callbacks.h"
import "C"

import (
	"context"
	"crypto"
	"encoding/json"
	"time"
)

func keyOf(k *C.hookbox_key) Key {
	return Key{
		ID:             text(k.kid),
		PublicJWK:      jsonOf(k.public_jwk),
		Phase:          KeyPhase(k.phase),
		HasPrivatePart: bool(k.has_private_part),
		CreatedAt:      timeOf(k.created_at_ms),
		SignsFrom:      timeOf(k.signs_from_ms),
		SignsUntil:     timeOf(k.signs_until_ms),
		PublishedUntil: timeOf(k.published_until_ms),
	}
}

// bitsOf checks numbers that C has no room for; the rest is C's to check.
func bitsOf(bits int) (C.uint32_t, error) {
	if bits < 0 || bits > 1<<20 {
		return 0, argumentError("Invalid argument: a key has 2048, 3072 or 4096 bits.")
	}
	return C.uint32_t(bits), nil
}

type keyCall func(c *C.hookbox_box, out **C.hookbox_key, e **C.hookbox_error) C.hookbox_status

func (b *Box) key(ctx context.Context, call keyCall) (Key, error) {
	var out *C.hookbox_key
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status { return call(c, &out, e) })
	if err != nil {
		return Key{}, err
	}
	defer C.hookbox_key_free(out)
	return keyOf(out), nil
}

// RotateKey publishes a new key now, which takes over signing after its lead; the one before stays published for
// the overlap of [WithKeyRotation]. Errors: [ErrAppNotFound], [ErrInvalidKey]; [ErrInvalidRequest] for an ID without
// a PEM.
func (b *Box) RotateKey(ctx context.Context, app string, key NewKey) (Key, error) {
	bits, err := bitsOf(key.Bits)
	if err != nil {
		return Key{}, err
	}
	lead, err := spanOf(key.Lead)
	if err != nil {
		return Key{}, err
	}
	return b.key(ctx, func(c *C.hookbox_box, out **C.hookbox_key, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_key_rotate(c, str(app), bits, str(key.PEM), str(key.ID), lead, out, e)
	})
}

// RotateKeyToSigner is [Box.RotateKey] for a key whose private part stays with the program: a hardware module, a
// key service. Its public key must be RSA; it is asked to sign SHA-256 digests with PSS and a salt of 32 bytes, by
// several threads at once. An empty kid is a random UUID. Register the signer again after each opening with
// [Box.RegisterSigner]. Errors: [ErrAppNotFound], [ErrInvalidKey].
func (b *Box) RotateKeyToSigner(
	ctx context.Context, app, kid string, signer crypto.Signer, lead time.Duration,
) (Key, error) {
	span, err := spanOf(lead)
	if err != nil {
		return Key{}, err
	}
	jwk, err := publicJWK(kid, signer)
	if err != nil {
		return Key{}, err
	}
	return b.key(ctx, func(c *C.hookbox_box, out **C.hookbox_key, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_go_rotate_to_signer(c, str(app), raw(jwk), handleOf(signer), span, out, e)
	})
}

// RegisterSigner signs with the program's signer for a key that was added by [Box.RotateKeyToSigner]. Until it is
// registered, deliveries of that app wait. Errors: [ErrAppNotFound], [ErrInvalidKey].
func (b *Box) RegisterSigner(ctx context.Context, app, kid string, signer crypto.Signer) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_go_register_signer(c, str(app), str(kid), handleOf(signer), e)
	})
}

// RetireKey retires a key: it signs no more, and is published for `overlap` more. With 0 it is revoked. Errors:
// [ErrKeyNotFound]; [ErrInvalidRequest] when no other key could sign.
func (b *Box) RetireKey(ctx context.Context, app, kid string, overlap time.Duration) (Key, error) {
	span, err := spanOf(overlap)
	if err != nil {
		return Key{}, err
	}
	return b.key(ctx, func(c *C.hookbox_box, out **C.hookbox_key, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_key_retire(c, str(app), str(kid), span, out, e)
	})
}

// Keys lists an app's keys, oldest first. Errors: [ErrAppNotFound].
func (b *Box) Keys(ctx context.Context, app string) ([]Key, error) {
	var out *C.hookbox_key_list
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_keys(c, str(app), &out, e)
	})
	if err != nil {
		return nil, err
	}
	defer C.hookbox_key_list_free(out)
	return listOf(out.items, out.count, keyOf), nil
}

// JWKS is the JWK set to publish for an app's receivers, as "application/json": the keys that will sign, that
// sign, and that signed until lately. Errors: [ErrAppNotFound].
func (b *Box) JWKS(ctx context.Context, app string) (json.RawMessage, error) {
	list, err := b.texts(ctx, func(c *C.hookbox_box, out **C.hookbox_texts, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_jwks(c, str(app), out, e)
	})
	if err != nil {
		return nil, err
	}
	return json.RawMessage(list[0]), nil
}

// ResealKeys seals every private key, token and secret anew that is not sealed with the current key of
// [WithKeyEncryptionKey], and gives how many values that were. May be interrupted, and called again: when the
// context ends it returns, and goes on by itself. Errors: [ErrSealBroken] for a value that none of the keys opens.
func (b *Box) ResealKeys(ctx context.Context) (int, error) {
	return detached(ctx, func(ctx context.Context) (int, error) {
		var count C.size_t
		err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_keys_reseal(c, &count, e)
		})
		return int(count), err
	})
}
