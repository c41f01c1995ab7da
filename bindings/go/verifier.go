package hookbox

// #include "hookbox/sys.h"
import "C"

import (
	"net/http"
	"runtime"
	"time"
)

// VerifyOptions say how a receiver verifies. Zeros mean the defaults.
type VerifyOptions struct {
	// ReplayProtection (Prelude): also demand X-Webhook-Signature-V2, which covers id and time.
	ReplayProtection bool
	// AnySalt (RSA): accept salts of any length, not of 32 bytes only.
	AnySalt bool
	// Tolerance is how far the sender's clock may be off; 0 means 5 minutes.
	Tolerance time.Duration
	// BodyBytesMax is the largest body that is looked at; 0 means 4 MiB.
	BodyBytesMax int
}

// Verifier is what a receiver verifies requests with. It needs no box, and never changes: any number of goroutines
// may use it.
type Verifier struct{ c *C.hookbox_verifier }

// NewPreludeVerifier verifies RSA-PSS signatures with the sender's JWK set: fetched from an address that was
// configured, never from one that a request names ([NewReceiver] does so). Errors: [ErrInvalidKey].
func NewPreludeVerifier(jwks []byte, options VerifyOptions) (*Verifier, error) {
	return newVerifier(C.HOOKBOX_VERIFY_PRELUDE, []string{string(jwks)}, options)
}

// NewFingerprintVerifier verifies HMACs with the webhook's secrets. Errors: [ErrInvalidKey].
func NewFingerprintVerifier(secrets []Secret, options VerifyOptions) (*Verifier, error) {
	return newVerifier(C.HOOKBOX_VERIFY_FINGERPRINT, shown(secrets), options)
}

// NewStandardVerifier verifies Standard Webhooks with the webhook's secrets ("whsec_…" for HMAC, "whpk_…" for
// Ed25519). Errors: [ErrInvalidKey].
func NewStandardVerifier(secrets []Secret, options VerifyOptions) (*Verifier, error) {
	return newVerifier(C.HOOKBOX_VERIFY_STANDARD, shown(secrets), options)
}

func shown(secrets []Secret) []string {
	var list []string
	for _, secret := range secrets {
		list = append(list, string(secret))
	}
	return list
}

func newVerifier(scheme C.int32_t, keys []string, options VerifyOptions) (*Verifier, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	tolerance, err := spanOf(options.Tolerance)
	if err != nil {
		return nil, err
	}
	bytesMax, err := sizeOf(options.BodyBytesMax)
	if err != nil {
		return nil, err
	}
	var lent lender
	defer lent.Unpin()
	first, count := lent.strs(keys)
	given := C.hookbox_verify_options{
		struct_size:       C.uint32_t(C.sizeof_hookbox_verify_options),
		replay_protection: C.bool(options.ReplayProtection),
		any_salt:          C.bool(options.AnySalt),
		tolerance_ms:      tolerance,
		body_bytes_max:    bytesMax,
	}
	var c *C.hookbox_verifier
	err = try(func(e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_verifier_new(scheme, first, count, &given, &c, e)
	})
	if err != nil {
		return nil, err
	}
	verifier := &Verifier{c}
	runtime.AddCleanup(verifier, func(c *C.hookbox_verifier) { C.hookbox_verifier_free(c) }, c)
	return verifier, nil
}

// Verify verifies a request and reads its events. Give all of its headers, and the body exactly as it came, before
// any JSON parser touched it. Events may come more than once: remember their ids.
//
// Errors: [ErrNotAuthentic]; [ErrUnknownKey] (which is one, too): fetch the JWK set anew, at most once a minute.
func (v *Verifier) Verify(header http.Header, body []byte) ([]ReceivedEvent, error) {
	return v.VerifyAt(header, body, time.Time{})
}

// VerifyAt is [Verifier.Verify] at another time than the system's clock has.
func (v *Verifier) VerifyAt(header http.Header, body []byte, now time.Time) ([]ReceivedEvent, error) {
	defer runtime.KeepAlive(v)
	var lent lender
	defer lent.Unpin()
	var headers []Header
	for name, values := range header {
		for _, value := range values {
			headers = append(headers, Header{name, Secret(value)})
		}
	}
	first, count := lent.pairs(headers)
	var out *C.hookbox_received
	err := try(func(e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_verify(v.c, first, count, raw(body), millisOf(now), &out, e)
	})
	if err != nil {
		return nil, err
	}
	defer C.hookbox_received_free(out)
	return listOf(out.items, out.count, receivedOf), nil
}

func receivedOf(v *C.hookbox_received_event) ReceivedEvent {
	return ReceivedEvent{
		ID: text(v.id), Type: text(v.event_type), Payload: jsonOf(v.payload), CreatedAt: text(v.created_at),
	}
}

// AnswerChallenge answers the activation challenge that came as a GET with this query (what stands after the
// question mark), if it carries the verification token given at the registration. Errors: [ErrNotAuthentic].
func AnswerChallenge(query string, verificationToken Secret) (ChallengeAnswer, error) {
	var out *C.hookbox_challenge_answer
	err := try(func(e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_answer_challenge(str(query), str(verificationToken), &out, e)
	})
	if err != nil {
		return ChallengeAnswer{}, err
	}
	defer C.hookbox_challenge_answer_free(out)
	return ChallengeAnswer{
		HTTPStatus:  int(out.http_status),
		ContentType: text(out.content_type),
		Body:        bytesOf(out.body),
		Challenge:   uint64(out.challenge),
		AppID:       text(out.app_id),
	}, nil
}
