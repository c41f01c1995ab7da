package hookbox_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// One, many, idempotent, at most once, too large, of an unknown type; from many goroutines at once.
func TestEmit(t *testing.T) {
	s := newStepped(t, hookbox.WithPayloadBytesMax(1000))
	payload := `{"user_id" : "usr_1", "note": "ä\u0000 1.50"}`
	id := must(s.Emit(ctx, app, "user.created", []byte(payload)))
	event := must(s.Event(ctx, id))
	equal(t, "payload, verbatim", string(event.Payload), payload)
	equal(t, "created at", event.CreatedAt, s.clock.Now())
	equal(t, "position", event.Position, 1)

	ids := must(s.EmitMany(ctx, app,
		hookbox.NewEvent{Type: "user.created", Payload: []byte(`1`), Environment: "production"},
		hookbox.NewEvent{Type: "user.created", Payload: []byte(`2`), AtMostOnce: true},
		hookbox.NewEvent{Type: "user.created", Payload: []byte(`3`), IdempotencyKey: "three"},
	))
	equal(t, "environment", must(s.Event(ctx, ids[0])).Environment, "production")
	equal(t, "at most once", must(s.Event(ctx, ids[1])).AtMostOnce, true)
	equal(t, "idempotency key", must(s.Event(ctx, ids[2])).IdempotencyKey, "three")
	again := hookbox.NewEvent{Type: "user.created", Payload: []byte(`3`), IdempotencyKey: "three"}
	equal(t, "the first one's id", must(s.EmitEvent(ctx, app, again)), ids[2])
	equal(t, "none", len(must(s.EmitMany(ctx, app))), 0)
	equal(t, "events stored", len(collect(t, s.Events(ctx, app, "user.created"))), 4)

	// All or none.
	_, err := s.EmitMany(ctx, app, hookbox.NewEvent{Type: "user.created", Payload: []byte(`1`)},
		hookbox.NewEvent{Type: "no.such", Payload: []byte(`2`)})
	wants(t, err, hookbox.ErrInvalidWebhookEvent)
	_, err = s.Emit(ctx, app, "user.created", []byte(`"`+strings.Repeat("x", 1000)+`"`))
	wants(t, err, hookbox.ErrPayloadTooLarge)
	_, err = s.EmitMany(ctx, app, make([]hookbox.NewEvent, 10_001)...)
	wants(t, err, hookbox.ErrInvalidRequest)
	_, err = s.Emit(ctx, app, "user.created", nil)
	wants(t, err, hookbox.ErrInvalidPayload)
	equal(t, "events stored", len(collect(t, s.Events(ctx, app, "user.created"))), 4)

	// An event that goes at most once is not sent again after a request without a clear answer.
	s.endpoint.answers(500)
	s.poll(t)
	lost := must(s.ExplainEvent(ctx, ids[1])).Batches[0].Batch
	equal(t, "at most once", lost.Status == hookbox.BatchWaiting, false)
	kept := must(s.ExplainEvent(ctx, ids[0])).Batches[0].Batch
	equal(t, "at least once", kept.Status, hookbox.BatchWaiting)

	var wait sync.WaitGroup
	all := make([][]string, 8)
	for i := range all {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range 25 {
				all[i] = append(all[i], must(s.Emit(ctx, app, "user.created", []byte(`{}`))))
			}
		}()
	}
	wait.Wait()
	different := slices.Concat(all...)
	slices.Sort(different)
	equal(t, "different ids", len(slices.Compact(different)), 200)
	equal(t, "events stored", len(collect(t, s.Events(ctx, app, ""))), 204)
}

// Two weeks of retries in a moment: the host's own clock and transport, no sleep, no socket.
func TestPoll(t *testing.T) {
	s := newStepped(t)
	s.endpoint.answers(503)
	began := s.clock.Now()
	id := must(s.Emit(ctx, app, "user.created", []byte(`{"n":1}`)))
	attempts := 0
	for {
		made, next := s.poll(t)
		attempts += made
		if next.IsZero() || must(s.ExplainEvent(ctx, id)).Batches[0].Batch.Status != hookbox.BatchWaiting {
			break
		}
		if !next.After(s.clock.Now()) {
			t.Fatalf("due at %v, which is not after %v", next, s.clock.Now())
		}
		s.clock.set(next)
	}
	batch := must(s.ExplainEvent(ctx, id)).Batches[0].Batch
	equal(t, "status", batch.Status, hookbox.BatchExhausted)
	equal(t, "requests", len(s.endpoint.requests()), attempts)
	equal(t, "attempts", int(batch.Attempts), attempts)
	if took := s.clock.Now().Sub(began); took < 13*24*time.Hour || took > 15*24*time.Hour || attempts < 30 {
		t.Fatalf("%d attempts in %v", attempts, took)
	}
	first := s.endpoint.requests()[0]
	for _, request := range s.endpoint.requests() {
		equal(t, "body", string(request.Body), string(first.Body))
		equal(t, "id", request.Header.Get("webhook-id"), first.Header.Get("webhook-id"))
		equal(t, "timeout", request.Timeout > 0, true)
	}
	t.Logf("%d attempts in %v", attempts, s.clock.Now().Sub(began))

	// Where jitter put the last attempt at the very end of the two weeks, the webhook was deactivated by it.
	webhook := must(s.Webhook(ctx, app, s.webhook.ID))
	equal(t, "active", webhook.Active, s.clock.Now().Sub(began) < 14*24*time.Hour)
	s.endpoint.answers(200)
	must(s.Activate(ctx, app, webhook.ID))
	must(s.Resend(ctx, app, batch.ID))
	made, _ := s.poll(t)
	equal(t, "resent", made, 1)
	equal(t, "status", must(s.Batch(ctx, batch.ID)).Status, hookbox.BatchDelivered)

	// At another time than the clock's: what is not due yet by the clock.
	s.endpoint.answers(500)
	must(s.Emit(ctx, app, "user.created", []byte(`{"n":2}`)))
	_, next := s.poll(t)
	equal(t, "not due", must(s.Poll(ctx, next.Add(-time.Millisecond))).Attempts, 0)
	equal(t, "due", must(s.Poll(ctx, next)).Attempts, 1)
}
