package hookbox_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

const vectors = "../../tests/vectors/"

// All three schemes: what the box sends, vectors made with OpenSSL, an unknown key, tampering.
func TestVerify(t *testing.T) {
	t.Run("prelude", func(t *testing.T) {
		s := newStepped(t)
		id := must(s.Emit(ctx, app, "user.created", []byte(`{"n":1.50}`)))
		s.poll(t)
		sent := s.endpoint.requests()[0]
		verifier := must(hookbox.NewPreludeVerifier(must(s.JWKS(ctx, app)), hookbox.VerifyOptions{}))
		event := must(verifier.Verify(sent.Header, sent.Body))[0]
		equal(t, "event", event.ID == id && event.Type == "user.created" && string(event.Payload) == `{"n":1.50}`, true)
		equal(t, "created at", must(time.Parse(time.RFC3339, event.CreatedAt)).Equal(s.clock.Now()), true)
		tampered(t, verifier, sent, s.clock.Now())

		must(s.RotateKey(ctx, app, hookbox.NewKey{}))
		must(s.Emit(ctx, app, "user.created", []byte(`{"n":2}`)))
		s.poll(t)
		renewed := s.endpoint.requests()[1]
		_, err := verifier.Verify(renewed.Header, renewed.Body)
		wants(t, err, hookbox.ErrUnknownKey)
		equal(t, "not authentic, too", errors.Is(err, hookbox.ErrNotAuthentic), true)

		strict := must(hookbox.NewPreludeVerifier(must(s.JWKS(ctx, app)), hookbox.VerifyOptions{ReplayProtection: true}))
		_, err = strict.VerifyAt(sent.Header, sent.Body, s.clock.Now())
		wants(t, err, hookbox.ErrNotAuthentic)
		small := must(hookbox.NewPreludeVerifier(must(s.JWKS(ctx, app)), hookbox.VerifyOptions{BodyBytesMax: 10}))
		_, err = small.Verify(sent.Header, sent.Body)
		wants(t, err, hookbox.ErrNotAuthentic)
		_, err = hookbox.NewPreludeVerifier([]byte(`{}`), hookbox.VerifyOptions{})
		wants(t, err, hookbox.ErrInvalidKey)
	})
	t.Run("vectors", func(t *testing.T) {
		s := newStepped(t)
		pem := hookbox.Secret(must(os.ReadFile(vectors + "rsa2048_pkcs8_test_only.pem")))
		must(s.CreateApp(ctx, hookbox.NewApp{ID: "vectors", KeyPEM: pem, KeyID: "test"}))
		jwks := must(s.JWKS(ctx, "vectors"))
		body := must(os.ReadFile(vectors + "body.json"))
		verify := func(signature string, options hookbox.VerifyOptions) error {
			signed := must(os.ReadFile(vectors + signature))
			header := http.Header{}
			header.Set("X-Webhook-Signature-Key-Id", "test")
			header.Set("X-Webhook-Signature", "rsassa-pss-sha256="+base64.URLEncoding.EncodeToString(signed))
			events, err := must(hookbox.NewPreludeVerifier(jwks, options)).Verify(header, body)
			if err == nil {
				equal(t, "id", events[0].ID, "evt_1")
				equal(t, "payload", string(events[0].Payload), `{"user_id":"usr_1","n":1.50}`)
			}
			return err
		}
		ok(verify("openssl_salt32.sig", hookbox.VerifyOptions{}))
		wants(t, verify("openssl_saltmax.sig", hookbox.VerifyOptions{}), hookbox.ErrNotAuthentic)
		ok(verify("openssl_saltmax.sig", hookbox.VerifyOptions{AnySalt: true}))
		for _, bad := range []string{"rsa1024_pkcs8", "rsa2048_exponent3", "ec", "rsa2048_public"} {
			pem := hookbox.Secret(must(os.ReadFile(vectors + bad + "_test_only.pem")))
			_, err := s.CreateApp(ctx, hookbox.NewApp{ID: "refused", KeyPEM: pem})
			wants(t, err, hookbox.ErrInvalidKey)
		}
	})
	for profile, make := range map[string]func([]hookbox.Secret, hookbox.VerifyOptions) (*hookbox.Verifier, error){
		"fingerprint": hookbox.NewFingerprintVerifier, "standard_webhooks": hookbox.NewStandardVerifier,
	} {
		t.Run(profile, func(t *testing.T) {
			s := newStepped(t)
			must(s.CreateApp(ctx, hookbox.NewApp{ID: "hmac", Profile: profile}))
			// Fingerprint takes no address in the place of a name.
			webhook := must(s.CreateWebhook(ctx, "hmac", hookbox.WebhookConfig{
				URL: "http://endpoint.example/", Events: hookbox.AllEvents(),
			}))
			must(s.Activate(ctx, "hmac", webhook.ID))
			before := len(s.endpoint.requests())
			must(s.Emit(ctx, "hmac", "user.created", []byte(`{"n":1.50}`)))
			s.poll(t)
			sent := s.endpoint.requests()[before]
			verifier := must(make(must(s.SigningSecrets(ctx, "hmac", webhook.ID)), hookbox.VerifyOptions{}))
			events := must(verifier.VerifyAt(sent.Header, sent.Body, s.clock.Now()))
			equal(t, "payload", string(events[0].Payload), `{"n":1.50}`)
			tampered(t, verifier, sent, s.clock.Now())
			if profile == "standard_webhooks" {
				_, err := verifier.VerifyAt(sent.Header, sent.Body, s.clock.Now().Add(6*time.Minute))
				wants(t, err, hookbox.ErrNotAuthentic)
				_, err = make([]hookbox.Secret{"nonsense"}, hookbox.VerifyOptions{})
				wants(t, err, hookbox.ErrInvalidKey)
			}
		})
	}
	t.Run("challenge", func(t *testing.T) {
		query := func(token string) string {
			return url.Values{"event": {"activate"}, "verification_token": {token}, "challenge": {"4711"},
				"app_id": {app}}.Encode()
		}
		answer := must(hookbox.AnswerChallenge(query(string(token)), token))
		equal(t, "answer", answer.HTTPStatus == 200 && string(answer.Body) == `{"challenge":4711}` &&
			answer.ContentType == "application/json" && answer.Challenge == 4711 && answer.AppID == app, true)
		_, err := hookbox.AnswerChallenge(query("another"), token)
		wants(t, err, hookbox.ErrNotAuthentic)
		_, err = hookbox.AnswerChallenge(query(""), "")
		wants(t, err, hookbox.ErrNotAuthentic)
	})
}

// tampered changes each byte of a body, and takes each header away that the signature needs.
func tampered(t *testing.T, verifier *hookbox.Verifier, sent hookbox.Request, now time.Time) {
	t.Helper()
	for i := range sent.Body {
		body := bytes.Clone(sent.Body)
		body[i] ^= 1
		_, err := verifier.VerifyAt(sent.Header, body, now)
		wants(t, err, hookbox.ErrNotAuthentic)
	}
	_, err := verifier.VerifyAt(http.Header{}, sent.Body, now)
	wants(t, err, hookbox.ErrNotAuthentic)
}
