package hookbox

// #include "hookbox/sys.h"
import "C"

import (
	"context"
	"time"
)

func batchOf(v *C.hookbox_batch) Batch {
	return Batch{
		ID:            text(v.id),
		AppID:         text(v.app_id),
		WebhookID:     text(v.webhook_id),
		ParentID:      text(v.parent_id),
		Status:        BatchStatus(v.status),
		AtMostOnce:    bool(v.at_most_once),
		EndReason:     text(v.end_reason),
		EventCount:    uint64(v.event_count),
		FirstPosition: int64(v.first_position),
		LastPosition:  int64(v.last_position),
		Attempts:      uint32(v.attempts),
		Failures:      uint32(v.failures),
		CreatedAt:     timeOf(v.created_at_ms),
		DueAt:         timeOf(v.due_at_ms),
		EndedAt:       timeOf(v.ended_at_ms),
	}
}

func attemptOf(v *C.hookbox_attempt) Attempt {
	return Attempt{
		BatchID:    text(v.batch_id),
		WebhookID:  text(v.webhook_id),
		Number:     uint32(v.number),
		HTTPStatus: int(v.http_status),
		Failure:    text(v.failure),
		StartedAt:  timeOf(v.started_at_ms),
		Duration:   time.Duration(v.duration_ms) * time.Millisecond,
		Excerpt:    text(v.excerpt),
	}
}

func batchStoryOf(v *C.hookbox_batch_story) BatchStory {
	return BatchStory{
		Batch:     batchOf(v.batch),
		Attempts:  listOf(v.attempts, v.attempt_count, attemptOf),
		Sentences: textsOf(v.sentences, v.sentence_count),
	}
}

type batchCall func(c *C.hookbox_box, out **C.hookbox_batch, e **C.hookbox_error) C.hookbox_status

func (b *Box) batch(ctx context.Context, call batchCall) (Batch, error) {
	var out *C.hookbox_batch
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status { return call(c, &out, e) })
	if err != nil {
		return Batch{}, err
	}
	defer C.hookbox_batch_free(out)
	return batchOf(out), nil
}

// Batch reads a batch. Errors: [ErrBatchNotFound].
func (b *Box) Batch(ctx context.Context, batch string) (Batch, error) {
	return b.batch(ctx, func(c *C.hookbox_box, out **C.hookbox_batch, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_batch_get(c, str(batch), out, e)
	})
}

// ListBatches gives one page of an app's batches, the newest first. [Box.Batches] goes over all. Errors:
// [ErrAppNotFound].
func (b *Box) ListBatches(
	ctx context.Context, app string, filter BatchFilter, page PageRequest,
) (Page[Batch], error) {
	limit, err := sizeOf(page.Limit)
	if err != nil {
		return Page[Batch]{}, err
	}
	var out *C.hookbox_batch_page
	err = b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_batch_list(c, str(app), str(filter.WebhookID), C.int32_t(filter.Status),
			str(page.Cursor), limit, &out, e)
	})
	if err != nil {
		return Page[Batch]{}, err
	}
	defer C.hookbox_batch_page_free(out)
	return Page[Batch]{listOf(out.items, out.count, batchOf), text(out.next_cursor)}, nil
}

// ListAttempts gives one page of an app's attempts, the newest first. [Box.Attempts] goes over all. Errors:
// [ErrAppNotFound].
func (b *Box) ListAttempts(
	ctx context.Context, app string, filter AttemptFilter, page PageRequest,
) (Page[Attempt], error) {
	limit, err := sizeOf(page.Limit)
	if err != nil {
		return Page[Attempt]{}, err
	}
	var out *C.hookbox_attempt_page
	err = b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_attempt_list(c, str(app), str(filter.WebhookID), str(filter.BatchID),
			str(page.Cursor), limit, &out, e)
	})
	if err != nil {
		return Page[Attempt]{}, err
	}
	defer C.hookbox_attempt_page_free(out)
	return Page[Attempt]{listOf(out.items, out.count, attemptOf), text(out.next_cursor)}, nil
}

// Backlog says where a webhook stands. Errors: [ErrAppNotFound], [ErrWebhookNotFound].
func (b *Box) Backlog(ctx context.Context, app, webhook string) (Backlog, error) {
	var v *C.hookbox_backlog
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_backlog_get(c, str(app), str(webhook), &v, e)
	})
	if err != nil {
		return Backlog{}, err
	}
	defer C.hookbox_backlog_free(v)
	return Backlog{
		EventsOwed:          uint64(v.events_owed),
		OldestOwedAt:        timeOf(v.oldest_owed_at_ms),
		BatchesWaiting:      uint64(v.batches_waiting),
		BatchesLeased:       uint64(v.batches_leased),
		BatchesParked:       uint64(v.batches_parked),
		BatchesExhausted:    uint64(v.batches_exhausted),
		ConsecutiveFailures: uint32(v.consecutive_failures),
		FailingSince:        timeOf(v.failing_since_ms),
		LastSuccessAt:       timeOf(v.last_success_at_ms),
		PausedUntil:         timeOf(v.paused_until_ms),
		NextDue:             timeOf(v.next_due_ms),
	}, nil
}

// Resend sends an ended batch again: the same bytes under the same id, with a new budget of attempts. Errors:
// [ErrBatchNotFound]; [ErrBatchConflict] for one that has not ended, or was split.
func (b *Box) Resend(ctx context.Context, app, batch string) (Batch, error) {
	return b.batch(ctx, func(c *C.hookbox_box, out **C.hookbox_batch, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_batch_resend(c, str(app), str(batch), out, e)
	})
}

// Cancel gives up a batch that has not ended. One that is being sent may still arrive. Errors:
// [ErrBatchNotFound], [ErrBatchConflict].
func (b *Box) Cancel(ctx context.Context, app, batch string) (Batch, error) {
	return b.batch(ctx, func(c *C.hookbox_box, out **C.hookbox_batch, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_batch_cancel(c, str(app), str(batch), out, e)
	})
}

// Replay owes a webhook once more every event emitted from `since` on that it is subscribed to now, as new batches
// with the same event ids. Gives how many log positions will be looked at. Errors: [ErrAppNotFound],
// [ErrWebhookNotFound].
func (b *Box) Replay(ctx context.Context, app, webhook string, since time.Time) (uint64, error) {
	var positions C.uint64_t
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_webhook_replay(c, str(app), str(webhook), C.int64_t(since.UnixMilli()), &positions, e)
	})
	return uint64(positions), err
}

// ExplainBatch tells what happened to a batch, what comes next, and when. Errors: [ErrBatchNotFound].
func (b *Box) ExplainBatch(ctx context.Context, batch string) (BatchStory, error) {
	var out *C.hookbox_batch_story
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_batch_explain(c, str(batch), &out, e)
	})
	if err != nil {
		return BatchStory{}, err
	}
	defer C.hookbox_batch_story_free(out)
	return batchStoryOf(out), nil
}

// ExplainEvent tells what happened to an event, for each webhook. Errors: [ErrEventNotFound].
func (b *Box) ExplainEvent(ctx context.Context, event string) (EventStory, error) {
	var out *C.hookbox_event_story
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_event_explain(c, str(event), &out, e)
	})
	if err != nil {
		return EventStory{}, err
	}
	defer C.hookbox_event_story_free(out)
	return EventStory{
		Event:     eventOf(out.event),
		Batches:   listOf(out.batches, out.batch_count, batchStoryOf),
		Sentences: textsOf(out.sentences, out.sentence_count),
	}, nil
}
