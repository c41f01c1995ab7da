package hookbox

// #include "callbacks.h"
import "C"

import (
	"context"
	"runtime"
	"time"
)

// closePatience is how long [Box.Close] waits for requests in flight.
const closePatience = 5 * time.Second

// Box is a webhook outbox. Any number of goroutines may use it. Close it when done; a box that is only
// forgotten is closed some time after the garbage collector finds out, and loses nothing but that time.
type Box struct {
	// The handle is freed when nobody can reach the Box any more, never before: so a call that races with
	// Close finds a closed box, not freed memory.
	c *C.hookbox_box
}

type opener func(options *C.hookbox_options, out **C.hookbox_box, e **C.hookbox_error) C.hookbox_status

func open(options []Option, with opener) (*Box, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	built, err := buildOptions(options)
	if err != nil {
		return nil, err
	}
	defer C.hookbox_options_free(built)
	var c *C.hookbox_box
	err = try(func(e **C.hookbox_error) C.hookbox_status { return with(built, &c, e) })
	if err != nil {
		return nil, err
	}
	b := &Box{c: c}
	// On a goroutine of its own: a box that is still open is closed by this, which may wait.
	runtime.AddCleanup(b, func(c *C.hookbox_box) { go C.hookbox_box_free(c) }, c)
	return b, nil
}

// Open opens a box in an SQLite file, which is created where it is missing; or in the PostgreSQL database of a
// URL ("postgres://user:password@host/database"), where the library was built with it.
//
// Errors: [ErrInvalidRequest] for an option out of range, or a URL that cannot be used; [ErrUnsupported] for a
// URL where the library was built without PostgreSQL; those of the storage.
func Open(path string, options ...Option) (*Box, error) {
	return open(options, func(o *C.hookbox_options, out **C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_open(str(path), o, out, e)
	})
}

// OpenReadOnly opens a box for looking only: nothing is created, migrated, changed or sent, and calls that
// would do so return [ErrReadOnly]. Errors: as [Open]; also when there is no box.
func OpenReadOnly(path string, options ...Option) (*Box, error) {
	return open(options, func(o *C.hookbox_options, out **C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_open_read_only(str(path), o, out, e)
	})
}

// OpenInMemory opens a new box in memory. Its events are lost when it is closed or the process ends, delivered
// or not: for tests, and for events that may be lost.
func OpenInMemory(options ...Option) (*Box, error) {
	return open(options, func(o *C.hookbox_options, out **C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_open_in_memory(o, out, e)
	})
}

// OpenStore opens a box in a key-value store of the program's; makes one where the store is empty.
//
// Errors: as [Open]; [ErrStorageCorrupt] for a store that holds something else.
func OpenStore(store Store, options ...Option) (*Box, error) {
	return open(options, func(o *C.hookbox_options, out **C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_go_open_kv(handleOf(store), o, out, e)
	})
}

// Close stops the threads, waits up to 5 seconds for requests in flight (call [Box.Stop] first for another
// patience), and for calls that are under way. From then on every call returns [ErrClosed], and no callback is
// called again. Closing twice is no error.
//
// Errors: [ErrUnsupported] from inside a callback, and the box stays open; [ErrStorageIO] when the storage took
// no more results (it is closed all the same, and what they belong to is sent again).
func (b *Box) Close() error {
	defer runtime.KeepAlive(b)
	return try(func(e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_box_close(b.c, C.uint64_t(closePatience.Milliseconds()), e)
	})
}

// call runs one call of the C library with this box, unless the context has ended.
func (b *Box) call(
	ctx context.Context, call func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	defer runtime.KeepAlive(b)
	return try(func(e **C.hookbox_error) C.hookbox_status { return call(b.c, e) })
}

// detached runs a long call, and returns early when the context ends: the call then goes on by itself.
func detached[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	if ctx.Done() == nil {
		return call(ctx)
	}
	done := make(chan result, 1)
	go func() {
		value, err := call(ctx)
		done <- result{value, err}
	}()
	select {
	case result := <-done:
		return result.value, result.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// Start starts the threads that deliver. Starting twice changes nothing.
//
// Errors: [ErrReadOnly]; [ErrUnsupported] from inside a callback; [ErrInternal] when the
// operating system gives no thread.
func (b *Box) Start(ctx context.Context) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_box_start(c, e)
	})
}

// Stop stops the threads: claims nothing more, waits for requests in flight until the context's deadline (5
// seconds where it has none), breaks them then, and stores every result. When it returns, no thread of hookbox
// runs. May be started again. It must be called even when the context has ended, and so works then, too; an
// earlier cancellation is not noticed while it waits.
//
// Errors: [ErrStorageIO] when the storage took no more results: what they belong to is sent again when its lease
// ends. [ErrUnsupported] from inside a callback.
func (b *Box) Stop(ctx context.Context) error {
	patience := closePatience
	if deadline, has := ctx.Deadline(); has {
		patience = time.Until(deadline)
	}
	if ctx.Err() != nil || patience < 0 {
		patience = 0
	}
	drain, err := spanOf(patience)
	if err != nil {
		return err
	}
	return b.call(context.WithoutCancel(ctx), func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_box_stop(c, drain, e)
	})
}

// Wake tells the threads that something may be due: after a commit of the program's own that emitted
// ([Box.EmitIn], or plain SQL). Never needed otherwise.
func (b *Box) Wake(ctx context.Context) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_box_wake(c, e)
	})
}

// Poll delivers on the calling thread what is due, one request after the other: for programs that want no
// threads of ours. `now` is the time, zero for the box's clock. When the context ends it returns after the
// request at hand, with what it did until then and the context's error. (Other calls of Poll that are under way
// return early then, too, without an error: their NextDue is now.)
//
// Errors: those of the storage: a request that was made is then not recorded, and is made again when its lease
// ends.
func (b *Box) Poll(ctx context.Context, now time.Time) (PollResult, error) {
	var attempts C.size_t
	var due C.int64_t
	returned := b.interrupting(ctx)
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_box_poll(c, millisOf(now), &attempts, &due, e)
	})
	returned()
	if err != nil {
		return PollResult{}, err
	}
	return PollResult{Attempts: int(attempts), NextDue: timeOf(due)}, ctx.Err()
}

// WaitIdle waits until the threads have nothing to do (nothing in flight, nothing due), or the context ends. For
// scripts and tests: what another process emits in the last half second may not have been seen. Without
// running threads only the context ends it.
func (b *Box) WaitIdle(ctx context.Context) error {
	defer b.interrupting(ctx)()
	for {
		var idle C.bool
		err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_box_wait_idle(c, C.uint64_t(time.Hour.Milliseconds()), &idle, e)
		})
		if err != nil || bool(idle) {
			return err
		}
	}
}

// interrupting makes a call that waits return soon when the context ends. It gives a function to say that the call
// has returned.
func (b *Box) interrupting(ctx context.Context) (returned func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		// Again and again, for a call that has not begun to wait yet.
		for pause := time.Millisecond; ; pause *= 2 {
			err := b.call(context.Background(), func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
				return C.hookbox_box_interrupt(c, e)
			})
			if err != nil {
				return // Closed: which interrupts by itself.
			}
			select {
			case <-done:
				return
			case <-time.After(pause):
			}
		}
	})
	return func() {
		stop()
		close(done)
	}
}

// Prune deletes everything that ended before a moment and is owed to nobody. The threads do so by themselves
// ([WithRetention]).
func (b *Box) Prune(ctx context.Context, before time.Time) error {
	return b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_box_prune(c, C.int64_t(before.UnixMilli()), e)
	})
}

// Check checks the box's integrity: gives what is wrong, in sentences; none, as a rule. When the context ends
// it returns; the check goes on by itself.
func (b *Box) Check(ctx context.Context) ([]string, error) {
	return detached(ctx, func(ctx context.Context) ([]string, error) {
		return b.texts(ctx, func(c *C.hookbox_box, out **C.hookbox_texts, e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_box_check(c, out, e)
		})
	})
}

// Backup writes a compact copy of the box to a new file, as of one moment, while it is in use. When the context
// ends it returns; the copy is written to its end by itself.
//
// Errors: [ErrInvalidRequest] when the file exists; [ErrUnsupported] for storages that cannot.
func (b *Box) Backup(ctx context.Context, path string) error {
	_, err := detached(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
			return C.hookbox_box_backup(c, str(path), e)
		})
	})
	return err
}

// Stats gives the box's sizes.
func (b *Box) Stats(ctx context.Context) (Stats, error) {
	var out *C.hookbox_stats
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status {
		return C.hookbox_box_stats(c, &out, e)
	})
	if err != nil {
		return Stats{}, err
	}
	defer C.hookbox_stats_free(out)
	return Stats{
		LastPosition: int64(out.last_position), Bytes: uint64(out.bytes), WALBytes: uint64(out.wal_bytes),
	}, nil
}

// texts runs a call that gives a list of texts.
func (b *Box) texts(
	ctx context.Context,
	call func(c *C.hookbox_box, out **C.hookbox_texts, e **C.hookbox_error) C.hookbox_status,
) ([]string, error) {
	var out *C.hookbox_texts
	err := b.call(ctx, func(c *C.hookbox_box, e **C.hookbox_error) C.hookbox_status { return call(c, &out, e) })
	if err != nil {
		return nil, err
	}
	return takeTexts(out), nil
}
