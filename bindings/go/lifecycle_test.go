package hookbox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// The whole way with real sockets: a Receiver of this package's own verifies what the box sends.
func TestLifecycle(t *testing.T) {
	box := opened(t)(hookbox.Open(filepath.Join(t.TempDir(), "app.db"), hookbox.WithHTTPAllowed(), loopback))
	must(box.CreateApp(ctx, hookbox.NewApp{ID: app}))

	got := make(chan hookbox.ReceivedEvent, 10)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, r *http.Request) { w.Write(must(box.JWKS(r.Context(), app))) })
	receiver := must(hookbox.NewReceiver(hookbox.ReceiverConfig{
		JWKSURL: server.URL + "/jwks", VerificationToken: token,
		OnRefused: func(_ *http.Request, err error) { t.Error(err) },
	}, func(_ context.Context, events []hookbox.ReceivedEvent) error {
		for _, event := range events {
			got <- event
		}
		return nil
	}))
	mux.Handle("/webhook", receiver)

	webhook := must(box.CreateWebhook(ctx, app, hookbox.WebhookConfig{
		URL: server.URL + "/webhook", VerificationToken: token, Events: hookbox.OnlyEvents("user.created"),
	}))
	equal(t, "active before its challenge", webhook.Active, false)
	webhook = must(box.Activate(ctx, app, webhook.ID))
	equal(t, "active after its challenge", webhook.Active && webhook.Verified && webhook.Enabled, true)

	ok(box.Start(ctx))
	ok(box.Start(ctx))
	payload := `{"user_id":"usr_1","n":1.50}`
	id := must(box.Emit(ctx, app, "user.created", []byte(payload)))
	patience, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ok(box.WaitIdle(patience))
	event := <-got
	equal(t, "id", event.ID, id)
	equal(t, "type", event.Type, "user.created")
	equal(t, "payload", string(event.Payload), payload)
	ok(box.Stop(patience))

	story := must(box.ExplainEvent(ctx, id))
	equal(t, "status", story.Batches[0].Batch.Status, hookbox.BatchDelivered)
	equal(t, "answer", story.Batches[0].Attempts[0].HTTPStatus, 200)
	must(box.Emit(ctx, app, "user.created", []byte(payload)))
	equal(t, "received after the stop", len(got), 0)
	ok(box.Close())
	t.Logf("hookbox %s on SQLite %s (%s)", hookbox.Version(), hookbox.SQLiteVersion(), hookbox.LinkInfo)
}

// A context that ends: before a call, while an endpoint lets one wait, and while the box never becomes idle.
func TestContext(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	defer server.Close()
	defer close(release)
	box := opened(t)(hookbox.OpenInMemory(hookbox.WithHTTPAllowed(), loopback))
	must(box.CreateApp(ctx, hookbox.NewApp{ID: app}))
	webhook := must(box.CreateWebhook(ctx, app, hookbox.WebhookConfig{
		URL: server.URL, VerificationToken: token, Events: hookbox.AllEvents(),
	}))
	ending, cancel := context.WithCancel(ctx)
	go func() { <-arrived; cancel() }()
	_, err := box.Activate(ending, app, webhook.ID)
	equal(t, "activate", err, context.Canceled)
	_, err = box.Emit(ending, app, "user.created", []byte(`{}`))
	equal(t, "emit", err, context.Canceled)
	_, err = box.App(ending, app)
	equal(t, "app", err, context.Canceled)
	equal(t, "wait idle", box.WaitIdle(ending), context.Canceled)
	equal(t, "events stored", len(collect(t, box.Events(ctx, app, ""))), 0)
}

// endless is a transport that makes new work with each delivery.
type endless struct {
	*endpoint
	more func()
}

func (e endless) Send(ctx context.Context, request hookbox.Request) hookbox.Outcome {
	if request.Method == http.MethodPost {
		e.more()
	}
	return e.endpoint.Send(ctx, request)
}

// A context that ends while a call waits or works: nothing but that ends these two.
func TestInterrupt(t *testing.T) {
	s := newStepped(t)
	ok(s.Close())
	polling, cancel := context.WithCancel(ctx)
	var box *hookbox.Box
	transport := endless{s.endpoint, func() {
		must(box.Emit(ctx, app, "user.created", []byte(`{}`)))
		cancel()
	}}
	box = opened(t)(hookbox.Open(s.path, hookbox.WithClock(s.clock), hookbox.WithTransport(transport),
		hookbox.WithHTTPAllowed(), loopback))
	must(box.Emit(ctx, app, "user.created", []byte(`{}`)))
	polled, err := box.Poll(polling, time.Time{})
	equal(t, "poll", err, context.Canceled)
	equal(t, "attempts", polled.Attempts, len(s.endpoint.requests()))
	equal(t, "to go on with", polled.NextDue, s.clock.Now())

	waiting, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	equal(t, "wait idle", box.WaitIdle(waiting), context.DeadlineExceeded)
	// Whoever closes needs no context for that.
	closed := make(chan error, 1)
	go func() { closed <- box.WaitIdle(ctx) }()
	ok(box.Close())
	wants(t, <-closed, hookbox.ErrClosed)
}

// A box that is forgotten is closed, once the garbage collector has seen it: its callbacks are let go.
func TestForgotten(t *testing.T) {
	gone := make(chan struct{})
	func() {
		clock := newClock()
		runtime.AddCleanup(clock, func(gone chan struct{}) { close(gone) }, gone)
		box := must(hookbox.OpenInMemory(hookbox.WithClock(clock)))
		must(box.CreateApp(ctx, hookbox.NewApp{ID: app}))
	}()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		runtime.GC()
		select {
		case <-gone:
			return
		default:
			runtime.Gosched()
		}
	}
	t.Fatal("the box was not closed")
}
