package hookbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// roundTripFunc is a client's way to the JWK set, without a socket.
type roundTripFunc func() (int, []byte)

func (f roundTripFunc) RoundTrip(*http.Request) (*http.Response, error) {
	status, body := f()
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// signed is a transport that keeps the last delivery.
type signed struct{ last atomic.Pointer[Request] }

func (s *signed) Send(_ context.Context, request Request) Outcome {
	s.last.Store(&request)
	return Outcome{HTTPStatus: 200}
}

// The answers of a receiver, and when it fetches the JWK set: at first, for an unknown key at most once a minute, and
// each hour.
func TestReceiver(t *testing.T) {
	ctx, sent := context.Background(), &signed{}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	box, err := OpenInMemory(WithTransport(sent), WithHTTPAllowed())
	check(err)
	defer box.Close()
	profile, err := Profile("prelude")
	check(err)
	own := bytes.Replace(profile, []byte(`"get_challenge"`), []byte(`"none"`), 1)
	_, err = box.CreateApp(ctx, NewApp{ID: "app", Profile: string(own)})
	check(err)
	webhook, err := box.CreateWebhook(ctx, "app", WebhookConfig{URL: "http://endpoint.example/", Events: AllEvents()})
	check(err)
	if !webhook.Active {
		_, err = box.Activate(ctx, "app", webhook.ID)
		check(err)
	}
	deliver := func() Request {
		t.Helper()
		_, err := box.Emit(ctx, "app", "user.created", []byte(`{}`))
		check(err)
		_, err = box.Poll(ctx, time.Time{})
		check(err)
		return *sent.last.Load()
	}

	now, fetches, up := time.Unix(1_742_034_600, 0), 0, false
	client := &http.Client{Transport: roundTripFunc(func() (int, []byte) {
		fetches++
		if !up {
			return 502, nil
		}
		jwks, err := box.JWKS(ctx, "app")
		check(err)
		return 200, jwks
	})}
	var failing error
	var got []ReceivedEvent
	receiver, err := NewReceiver(ReceiverConfig{
		JWKSURL: "https://sender.example/jwks", HTTPClient: client, VerificationToken: "token", BodyBytesMax: 1000,
	}, func(_ context.Context, events []ReceivedEvent) error {
		got = append(got, events...)
		return failing
	})
	check(err)
	receiver.now = func() time.Time { return now }
	status := func(what, method, target string, header http.Header, body []byte, wanted, wantedFetches int) {
		t.Helper()
		request := httptest.NewRequest(method, target, bytes.NewReader(body))
		request.Header = header.Clone()
		recorder := httptest.NewRecorder()
		receiver.ServeHTTP(recorder, request)
		if recorder.Code != wanted || fetches != wantedFetches {
			t.Fatalf("%s: %d after %d fetches; wanted %d after %d", what, recorder.Code, fetches, wanted, wantedFetches)
		}
	}
	post := func(what string, delivery Request, wanted, wantedFetches int) {
		t.Helper()
		status(what, "POST", "/webhook", delivery.Header, delivery.Body, wanted, wantedFetches)
	}

	first := deliver()
	post("no key set", first, 503, 1)
	post("not again at once", first, 503, 1)
	up, now = true, now.Add(time.Second)
	post("authentic", first, 200, 2)
	post("the same again", first, 200, 2)
	if len(got) != 2 || got[0].ID != got[1].ID {
		t.Fatal(got)
	}
	failing = errors.New("no space")
	post("the handler fails", first, 500, 2)
	failing = nil

	_, err = box.RotateKey(ctx, "app", NewKey{})
	check(err)
	second := deliver()
	post("an unknown key, too soon", second, 401, 2)
	now = now.Add(time.Minute)
	post("an unknown key", second, 200, 3)
	forged := second
	forged.Header = second.Header.Clone()
	forged.Header.Set("X-Webhook-Signature-Key-Id", "forged")
	now = now.Add(time.Minute)
	post("a forged key", forged, 401, 4)
	post("a forged key again", forged, 401, 4)
	up, now = false, now.Add(time.Hour)
	post("old keys are better than none", second, 200, 5)
	now = now.Add(time.Minute)
	post("an unknown key, and no set", forged, 503, 6)
	up, now = true, now.Add(time.Minute)
	post("renewed by age", second, 200, 7)

	status("too large", "POST", "/webhook", first.Header, make([]byte, 1001), 413, 7)
	status("tampered", "POST", "/webhook", first.Header, append(first.Body, ' '), 401, 7)
	status("another method", "PUT", "/webhook", http.Header{}, nil, 405, 7)
	challenge := "/webhook?event=activate&challenge=7&verification_token="
	status("challenge", "GET", challenge+"token", http.Header{}, nil, 200, 7)
	status("wrong token", "GET", challenge+"another", http.Header{}, nil, 401, 7)

	for _, config := range []ReceiverConfig{{}, {JWKSURL: "ftp://x/"}, {JWKSURL: "/jwks"}, {JWKSURL: "https://x/", Verifier: &Verifier{}}} {
		if _, err := NewReceiver(config, receiver.handle); !errors.Is(err, ErrInvalidArgument) {
			t.Fatal(config.JWKSURL, err)
		}
	}
}
