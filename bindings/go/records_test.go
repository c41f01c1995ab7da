package hookbox_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// Events, batches, attempts, backlog, explain, resend, cancel, replay, prune, check, backup, stats.
func TestRecords(t *testing.T) {
	s := newStepped(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, must(s.Emit(ctx, app, "user.created", fmt.Appendf(nil, `{"n":%d}`, i))))
	}
	page := must(s.ListEvents(ctx, app, "user.created", hookbox.PageRequest{Limit: 2}))
	equal(t, "a page", page.Items[0].ID == ids[4] && len(page.Items) == 2 && page.NextCursor != "", true)
	equal(t, "of another type", len(collect(t, s.Events(ctx, app, "user.deleted"))), 0)
	equal(t, "owed", must(s.Backlog(ctx, app, s.webhook.ID)).EventsOwed, 5)

	s.endpoint.answers(500)
	s.poll(t)
	batch := collect(t, s.Batches(ctx, app, hookbox.BatchFilter{Status: hookbox.BatchWaiting}))[0]
	equal(t, "events", batch.EventCount, 5)
	equal(t, "positions", batch.FirstPosition == 1 && batch.LastPosition == 5, true)
	equal(t, "due at", batch.DueAt.After(s.clock.Now()), true)
	equal(t, "delivered", len(collect(t, s.Batches(ctx, app, hookbox.BatchFilter{Status: hookbox.BatchDelivered}))), 0)
	attempt := collect(t, s.Attempts(ctx, app, hookbox.AttemptFilter{BatchID: batch.ID}))[0]
	equal(t, "attempt", attempt.Number == 1 && attempt.HTTPStatus == 500 && attempt.Excerpt == "as told" &&
		attempt.StartedAt.Equal(s.clock.Now()) && attempt.WebhookID == s.webhook.ID, true)
	backlog := must(s.Backlog(ctx, app, s.webhook.ID))
	equal(t, "backlog", backlog.BatchesWaiting == 1 && backlog.ConsecutiveFailures == 1 &&
		backlog.FailingSince.Equal(s.clock.Now()) && backlog.LastSuccessAt.IsZero(), true)
	equal(t, "last code", must(s.Webhook(ctx, app, s.webhook.ID)).LastHTTPCode, 500)

	story := must(s.ExplainBatch(ctx, batch.ID))
	equal(t, "sentences", len(story.Sentences) > 0 && strings.Contains(strings.Join(story.Sentences, " "), "500"), true)
	whole := must(s.ExplainEvent(ctx, ids[2]))
	equal(t, "the event's story", whole.Event.ID == ids[2] && whole.Batches[0].Batch.ID == batch.ID &&
		len(whole.Batches[0].Attempts) == 1 && len(whole.Sentences) > 0, true)

	_, err := s.Resend(ctx, app, batch.ID)
	wants(t, err, hookbox.ErrBatchConflict)
	equal(t, "cancelled", must(s.Cancel(ctx, app, batch.ID)).Status, hookbox.BatchCancelled)
	_, err = s.Cancel(ctx, app, batch.ID)
	wants(t, err, hookbox.ErrBatchConflict)
	s.endpoint.answers(200)
	s.clock.set(s.clock.Now().Add(time.Hour))
	equal(t, "resent", must(s.Resend(ctx, app, batch.ID)).Status, hookbox.BatchWaiting)
	s.poll(t)
	equal(t, "delivered", must(s.Batch(ctx, batch.ID)).Status, hookbox.BatchDelivered)

	equal(t, "replayed", must(s.Replay(ctx, app, s.webhook.ID, s.clock.Now().Add(-2*time.Hour))), 5)
	s.poll(t)
	equal(t, "batches", len(collect(t, s.Batches(ctx, app, hookbox.BatchFilter{WebhookID: s.webhook.ID}))), 2)

	stats := must(s.Stats(ctx))
	equal(t, "stats", stats.LastPosition == 5 && stats.Bytes > 0, true)
	equal(t, "faults", len(must(s.Check(ctx))), 0)
	copied := filepath.Join(t.TempDir(), "copy.db")
	ok(s.Backup(ctx, copied))
	wants(t, s.Backup(ctx, copied), hookbox.ErrInvalidRequest)
	second := opened(t)(hookbox.OpenReadOnly(copied))
	equal(t, "events in the copy", len(collect(t, second.Events(ctx, app, ""))), 5)

	ok(s.Prune(ctx, s.clock.Now().Add(time.Hour)))
	equal(t, "events left", len(collect(t, s.Events(ctx, app, ""))), 0)
}

// Claim and settle with the program's own HTTP client; a lease that was lost.
func TestClaims(t *testing.T) {
	s := newStepped(t)
	id := must(s.Emit(ctx, app, "user.created", []byte(`{"n":1}`)))
	claimed := must(s.Claim(ctx, 10))
	equal(t, "claimed", len(claimed), 1)
	equal(t, "claimed again", len(must(s.Claim(ctx, 10))), 0)
	one := claimed[0]
	equal(t, "lease", one.LeaseUntil.After(s.clock.Now()), true)
	verifier := must(hookbox.NewPreludeVerifier(must(s.JWKS(ctx, app)), hookbox.VerifyOptions{}))
	equal(t, "event", must(verifier.Verify(one.Request.Header, one.Request.Body))[0].ID, id)

	// The program's own client, against a server of its own.
	client := hookbox.NewHTTPTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		equal(t, "method", r.Method, "POST")
		return answered(503, http.Header{"Retry-After": {"120"}}, "later"), nil
	}))
	ok(s.Settle(ctx, one, client.Send(ctx, one.Request)))
	batch := must(s.Batch(ctx, one.BatchID))
	equal(t, "due", batch.DueAt.Sub(s.clock.Now()) >= 2*time.Minute, true)
	attempt := must(s.ExplainBatch(ctx, one.BatchID)).Attempts[0]
	equal(t, "attempt", attempt.HTTPStatus == 503 && attempt.Excerpt == "later", true)
	wants(t, s.Settle(ctx, one, hookbox.Outcome{HTTPStatus: 200}), hookbox.ErrLeaseLost)

	s.clock.set(batch.DueAt)
	late := must(s.Claim(ctx, 1))[0]
	s.clock.set(late.LeaseUntil.Add(time.Minute))
	must(s.Poll(ctx, time.Time{})) // Notices that the lease has ended.
	wants(t, s.Settle(ctx, late, hookbox.Outcome{HTTPStatus: 200}), hookbox.ErrLeaseLost)

	s.clock.set(s.clock.Now().Add(24 * time.Hour))
	for _, again := range must(s.Claim(ctx, 1)) {
		wants(t, s.Settle(ctx, again, hookbox.Outcome{HTTPStatus: 7}), hookbox.ErrInvalidRequest)
		wants(t, s.Settle(ctx, again, hookbox.Outcome{Failure: 77}), hookbox.ErrInvalidArgument)
		ok(s.Settle(ctx, again, hookbox.Outcome{Failure: hookbox.FailedConnect, Body: []byte("no route")}))
	}
	wants(t, s.Settle(ctx, &hookbox.Delivery{}, hookbox.Outcome{HTTPStatus: 200}), hookbox.ErrInvalidArgument)
	_, err := s.Claim(ctx, 5000)
	wants(t, err, hookbox.ErrInvalidRequest)
}

// A callback from hookbox's threads, which may call the box; a panic in it is contained.
func TestNotices(t *testing.T) {
	log := captureLog(t)
	var mu sync.Mutex
	var heard []hookbox.Notice
	var box *hookbox.Box
	s := newStepped(t, hookbox.WithNotices(func(notice hookbox.Notice) {
		mu.Lock()
		heard = append(heard, notice)
		mu.Unlock()
		must(box.Webhook(ctx, notice.AppID, notice.WebhookID))
		panic("the program is on fire")
	}))
	box = s.Box
	s.endpoint.answers(410)
	must(s.Emit(ctx, app, "user.created", []byte(`{}`)))
	s.poll(t)
	mu.Lock()
	defer mu.Unlock()
	kinds := map[string]bool{}
	for _, notice := range heard {
		kinds[notice.Kind] = true
		equal(t, "app", notice.AppID, app)
		equal(t, "webhook", notice.WebhookID, s.webhook.ID)
		equal(t, "json", strings.Contains(string(notice.JSON), `"notice":"`+notice.Kind+`"`), true)
	}
	equal(t, "deactivated", kinds["webhook_deactivated"], true)
	equal(t, "told to the log", strings.Contains(log.String(), "the program is on fire"), true)
	equal(t, "the box goes on", must(s.Webhook(ctx, app, s.webhook.ID)).Active, false)
}
