package hookbox_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

func kids(t *testing.T, jwks []byte) []string {
	t.Helper()
	var set struct {
		Keys []struct{ Kid string }
	}
	ok(json.Unmarshal(jwks, &set))
	var list []string
	for _, key := range set.Keys {
		list = append(list, key.Kid)
	}
	return list
}

// Rotate, retire, JWKS, reseal.
func TestKeys(t *testing.T) {
	current, older := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	s := newStepped(t, hookbox.WithKeyRotation(time.Hour, 24*time.Hour), hookbox.WithKeyEncryptionKey(older))
	first := must(s.Keys(ctx, app))[0]
	equal(t, "phase", first.Phase, hookbox.KeyActive)
	_, err := s.RotateKey(ctx, app, hookbox.NewKey{ID: "second"})
	wants(t, err, hookbox.ErrInvalidRequest)
	_, err = s.CreateApp(ctx, hookbox.NewApp{ID: "named", KeyID: "second"})
	wants(t, err, hookbox.ErrInvalidRequest)
	pem := must(os.ReadFile("../../tests/vectors/rsa2048_pkcs8_test_only.pem"))
	second := must(s.RotateKey(ctx, app, hookbox.NewKey{ID: "second", PEM: hookbox.Secret(pem), Lead: time.Hour}))
	equal(t, "phase", second.Phase, hookbox.KeyNext)
	equal(t, "signs from", second.SignsFrom, s.clock.Now().Add(time.Hour))
	equal(t, "published", len(kids(t, must(s.JWKS(ctx, app)))), 2)
	s.clock.set(s.clock.Now().Add(2 * time.Hour))
	keys := must(s.Keys(ctx, app))
	equal(t, "phases", keys[0].Phase == hookbox.KeyRetired && keys[1].Phase == hookbox.KeyActive, true)
	retired := must(s.RetireKey(ctx, app, first.ID, 0))
	equal(t, "revoked", retired.Phase, hookbox.KeyGone)
	equal(t, "published", strings.Join(kids(t, must(s.JWKS(ctx, app))), " "), "second")
	_, err = s.RetireKey(ctx, app, "second", 0)
	wants(t, err, hookbox.ErrInvalidRequest)
	ok(s.Close())

	again := opened(t)(hookbox.Open(s.path, hookbox.WithKeyEncryptionKey(current, older)))
	if sealed := must(again.ResealKeys(ctx)); sealed == 0 {
		t.Fatal("nothing was sealed anew")
	}
	equal(t, "sealed twice", must(again.ResealKeys(ctx)), 0)
	ok(again.Close())
	again = opened(t)(hookbox.Open(s.path, hookbox.WithKeyEncryptionKey(nil, current)))
	equal(t, "the way back", must(again.ResealKeys(ctx)) > 0, true)
}

// module is a key that never leaves: it may be unreachable, or worse.
type module struct {
	*rsa.PrivateKey
	mood  atomic.Value // "", "away" or "panic"
	count atomic.Int32
}

func (m *module) Sign(random io.Reader, digest []byte, how crypto.SignerOpts) ([]byte, error) {
	m.count.Add(1)
	switch m.mood.Load() {
	case "away":
		return nil, errors.New("the module is away")
	case "panic":
		panic("the module is on fire")
	}
	return m.PrivateKey.Sign(random, digest, how)
}

// A key whose private part stays with the program, as a crypto.Signer.
func TestSigner(t *testing.T) {
	s := newStepped(t)
	signer := &module{PrivateKey: must(rsa.GenerateKey(rand.Reader, 2048))}
	signer.mood.Store("away")
	key := must(s.RotateKeyToSigner(ctx, app, "", signer, 0))
	equal(t, "private part", key.HasPrivatePart, false)
	equal(t, "a UUID", len(key.ID), 36)
	_, err := s.RotateKeyToSigner(ctx, app, "x", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), 0)
	wants(t, err, hookbox.ErrInvalidKey)

	id := must(s.Emit(ctx, app, "user.created", []byte(`{}`)))
	for _, mood := range []string{"away", "panic"} {
		signer.mood.Store(mood)
		s.clock.set(s.clock.Now().Add(2 * time.Minute))
		s.poll(t)
		attempts := must(s.ExplainEvent(ctx, id)).Batches[0].Attempts
		equal(t, mood, attempts[len(attempts)-1].Failure, "signing")
	}
	equal(t, "charged to the endpoint", must(s.ExplainEvent(ctx, id)).Batches[0].Batch.Failures, 0)
	ok(s.Close())

	again := opened(t)(hookbox.Open(s.path, hookbox.WithClock(s.clock), hookbox.WithTransport(s.endpoint),
		hookbox.WithHTTPAllowed(), loopback))
	signer.mood.Store("")
	ok(again.RegisterSigner(ctx, app, key.ID, signer))
	s.clock.set(s.clock.Now().Add(2 * time.Minute))
	s.Box = again
	s.poll(t)
	got := s.endpoint.requests()
	equal(t, "sent", len(got), 1)
	verifier := must(hookbox.NewPreludeVerifier(must(again.JWKS(ctx, app)), hookbox.VerifyOptions{}))
	equal(t, "verified", must(verifier.Verify(got[0].Header, got[0].Body))[0].ID, id)
	equal(t, "asked", signer.count.Load(), 3)
	ok(again.Close())
	wants(t, again.RegisterSigner(ctx, app, key.ID, signer), hookbox.ErrClosed)
}
