package hookbox

// #include "hookbox/sys.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// Emit emits one event: a type of the catalogue, and one JSON text, which is stored and sent verbatim. When it
// returns without error, the event survives power loss. Gives the event's id.
//
// Errors: [ErrAppNotFound], [ErrSessionDisabled], [ErrInvalidWebhookEvent], [ErrInvalidPayload],
// [ErrPayloadTooLarge]: nothing is stored then. After [ErrStorageCommitUnknown] it may be: emit again with the
// same idempotency key ([Box.EmitEvent]).
func (b *Box) Emit(ctx context.Context, app, eventType string, payload []byte) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	var id C.hookbox_id
	var e *C.hookbox_error
	status := C.hookbox_emit(b.c, str(app), str(eventType), raw(payload), &id, &e)
	runtime.KeepAlive(b)
	if status != C.HOOKBOX_OK {
		return "", takeError(e)
	}
	return idOf(&id), nil
}

// EmitEvent emits one event with everything that can be said of it. With an idempotency key that was used before
// it gives the first event's id, and nothing is stored. Errors: as [Box.Emit].
func (b *Box) EmitEvent(ctx context.Context, app string, event NewEvent) (string, error) {
	ids, err := b.EmitMany(ctx, app, event)
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// EmitMany emits up to 10,000 events in one commit: all or none. Gives their ids, in the same order. Errors: as
// [Box.Emit]; [ErrInvalidRequest] for too many.
func (b *Box) EmitMany(ctx context.Context, app string, events ...NewEvent) ([]string, error) {
	return b.emit(ctx, events, func(c *C.hookbox_box, first *C.hookbox_new_event, count C.size_t,
		out *C.hookbox_id, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_emit_many(c, str(app), first, count, out, e)
	})
}

// EmitIn emits events inside a transaction of the program's own: `sqlite3` is its connection (a sqlite3 *) to the
// box's file, with a transaction begun. They are emitted if and only if it commits; call [Box.Wake] then.
//
// Only where this library and the program share one copy of SQLite, the system's ([SQLiteIsBundled] is false).
// Finish statements that write before this, and do not call Emit while the same goroutine holds a write
// transaction on this file: it would wait for itself.
//
// Errors: as [Box.Emit]; [ErrUnsupported] from a library with a copy of SQLite of its own; [ErrInvalidRequest] when
// no transaction was begun. Nothing was written then, and the transaction can go on.
func (b *Box) EmitIn(ctx context.Context, sqlite3 unsafe.Pointer, app string, events ...NewEvent) ([]string, error) {
	return b.emit(ctx, events, func(c *C.hookbox_box, first *C.hookbox_new_event, count C.size_t,
		out *C.hookbox_id, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_emit_in(c, sqlite3, str(app), first, count, out, e)
	})
}

type emitCall func(c *C.hookbox_box, first *C.hookbox_new_event, count C.size_t, out *C.hookbox_id,
	e **C.hookbox_error) C.hookbox_status

func (b *Box) emit(ctx context.Context, events []NewEvent, call emitCall) ([]string, error) {
	var lent lender
	defer lent.Unpin()
	given := make([]C.hookbox_new_event, len(events))
	for i := range events {
		event := &events[i]
		given[i] = C.hookbox_new_event{
			struct_size:     C.uint32_t(C.sizeof_hookbox_new_event),
			at_most_once:    C.bool(event.AtMostOnce),
			event_type:      lent.str(event.Type),
			payload:         lent.raw(event.Payload),
			idempotency_key: lent.str(event.IdempotencyKey),
			environment:     lent.str(event.Environment),
		}
	}
	out := make([]C.hookbox_id, len(events))
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return call(c, unsafe.SliceData(given), C.size_t(len(given)), unsafe.SliceData(out), e)
	})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(out))
	for i := range out {
		ids[i] = idOf(&out[i])
	}
	return ids, nil
}

func eventOf(v *C.hookbox_event) Event {
	return Event{
		ID:             text(v.id),
		Position:       int64(v.position),
		AppID:          text(v.app_id),
		Type:           text(v.event_type),
		Payload:        jsonOf(v.payload),
		CreatedAt:      timeOf(v.created_at_ms),
		IdempotencyKey: text(v.idempotency_key),
		Environment:    text(v.environment),
		AtMostOnce:     bool(v.at_most_once),
	}
}

// Event reads an event. Errors: [ErrEventNotFound].
func (b *Box) Event(ctx context.Context, event string) (Event, error) {
	var out *C.hookbox_event
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_event_get(c, str(event), &out, e)
	})
	if err != nil {
		return Event{}, err
	}
	defer C.hookbox_event_free(out)
	return eventOf(out), nil
}

// ListEvents gives one page of an app's events, the newest first: of one type, or all (empty). [Box.Events] goes
// over all. Errors: [ErrAppNotFound].
func (b *Box) ListEvents(ctx context.Context, app, eventType string, page PageRequest) (Page[Event], error) {
	limit, err := sizeOf(page.Limit)
	if err != nil {
		return Page[Event]{}, err
	}
	var out *C.hookbox_event_page
	err = b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_event_list(c, str(app), str(eventType), str(page.Cursor), limit, &out, e)
	})
	if err != nil {
		return Page[Event]{}, err
	}
	defer C.hookbox_event_page_free(out)
	return Page[Event]{listOf(out.items, out.count, eventOf), text(out.next_cursor)}, nil
}
