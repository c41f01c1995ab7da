package hookbox_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

const (
	app   = "54e9ujn"
	token = hookbox.Secret("my-secret-token")
)

var (
	ctx      = context.Background()
	loopback = hookbox.WithNetworksAllowed(netip.MustParsePrefix("127.0.0.0/8"))
)

// handClock is set by hand.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *handClock { return &handClock{now: time.Date(2025, 3, 15, 10, 30, 0, 0, time.UTC)} }

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = to
}

// endpoint is a transport and an endpoint in one, without a socket: it answers challenges, and deliveries with a
// status that a test sets.
type endpoint struct {
	mu     sync.Mutex
	status int
	got    []hookbox.Request
}

func newEndpoint() *endpoint { return &endpoint{status: 200} }

func (e *endpoint) Send(_ context.Context, request hookbox.Request) hookbox.Outcome {
	if request.Method == http.MethodGet {
		query := httptest.NewRequest(request.Method, request.URL, nil).URL.RawQuery
		answer, err := hookbox.AnswerChallenge(query, token)
		if err != nil {
			return hookbox.Outcome{HTTPStatus: 401, Body: []byte(err.Error())}
		}
		return hookbox.Outcome{HTTPStatus: answer.HTTPStatus, Body: answer.Body}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, request)
	return hookbox.Outcome{HTTPStatus: e.status, Body: []byte("as told")}
}

func (e *endpoint) answers(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

func (e *endpoint) requests() []hookbox.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]hookbox.Request(nil), e.got...)
}

// stepped is a box in a file, on a clock set by hand and an endpoint without a socket, with an active webhook.
type stepped struct {
	*hookbox.Box
	path     string
	clock    *handClock
	endpoint *endpoint
	webhook  hookbox.Webhook
}

func newStepped(t *testing.T, options ...hookbox.Option) *stepped {
	t.Helper()
	s := &stepped{path: filepath.Join(t.TempDir(), "app.db"), clock: newClock(), endpoint: newEndpoint()}
	options = append([]hookbox.Option{
		hookbox.WithClock(s.clock), hookbox.WithTransport(s.endpoint), hookbox.WithHTTPAllowed(), loopback,
	}, options...)
	s.Box = opened(t)(hookbox.Open(s.path, options...))
	must(s.CreateApp(ctx, hookbox.NewApp{ID: app}))
	created := must(s.CreateWebhook(ctx, app, hookbox.WebhookConfig{
		URL: "http://127.0.0.1:9000/webhook", VerificationToken: token, Events: hookbox.OnlyEvents("user.created"),
	}))
	s.webhook = must(s.Activate(ctx, app, created.ID))
	return s
}

// poll polls until nothing is due at the clock's time, and gives how many requests that took.
func (s *stepped) poll(t *testing.T) (attempts int, nextDue time.Time) {
	t.Helper()
	for {
		result := must(s.Poll(ctx, time.Time{}))
		attempts += result.Attempts
		if result.Attempts == 0 {
			return attempts, result.NextDue
		}
	}
}

func opened(t *testing.T) func(*hookbox.Box, error) *hookbox.Box {
	return func(box *hookbox.Box, err error) *hookbox.Box {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := box.Close(); err != nil {
				t.Error(err)
			}
		})
		return box
	}
}

// must is for what cannot fail unless the test already has.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}

func wants(t *testing.T, err error, status hookbox.Status) *hookbox.Error {
	t.Helper()
	var e *hookbox.Error
	if !errors.Is(err, status) || !errors.As(err, &e) {
		t.Fatalf("wants %v, got %v", status, err)
	}
	if e.Code != status.Code() || e.Status != status {
		t.Fatalf("%v has code %q, status %d", err, e.Code, e.Status)
	}
	return e
}

func equal[T comparable](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Fatalf("%s: got %v, wanted %v", what, got, wanted)
	}
}

// collect reads a listing to its end.
func collect[T any](t *testing.T, listing func(func(T, error) bool)) []T {
	t.Helper()
	var list []T
	for item, err := range listing {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, item)
	}
	return list
}
