package hookbox_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

// Use after close, closing twice, while others call, and from inside a callback.
func TestClosing(t *testing.T) {
	s := newStepped(t)
	ok(s.Start(ctx))
	ok(s.Close())
	ok(s.Close())
	_, emitted := s.Emit(ctx, app, "user.created", []byte(`{}`))
	_, listed := s.ListApps(ctx, hookbox.PageRequest{})
	_, polled := s.Poll(ctx, time.Time{})
	for _, err := range []error{emitted, listed, polled, s.Start(ctx), s.Stop(ctx), s.Wake(ctx), s.WaitIdle(ctx)} {
		wants(t, err, hookbox.ErrClosed)
	}
	for _, err := range s.Apps(ctx) {
		wants(t, err, hookbox.ErrClosed)
	}

	// While other goroutines call: each call is done or refused, none finds freed memory.
	busy := newStepped(t)
	ok(busy.Start(ctx))
	var wait sync.WaitGroup
	var done atomic.Int64
	enough := make(chan struct{})
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for {
				_, err := busy.Emit(ctx, app, "user.created", []byte(`{}`))
				if errors.Is(err, hookbox.ErrClosed) {
					return
				}
				ok(err)
				if done.Add(1) == 100 {
					close(enough)
				}
			}
		}()
	}
	<-enough
	ok(busy.Close())
	wait.Wait()
	again := opened(t)(hookbox.Open(busy.path))
	equal(t, "events stored", int64(len(collect(t, again.Events(ctx, app, "")))), done.Load())
}

// A callback may neither close, start nor stop its own box; it learns so by an error, and the box stays open.
func TestClosingInside(t *testing.T) {
	var box *hookbox.Box
	refused := make(chan []error, 10)
	s := newStepped(t, hookbox.WithNotices(func(hookbox.Notice) {
		refused <- []error{box.Close(), box.Start(ctx), box.Stop(ctx)}
	}))
	box = s.Box
	s.endpoint.answers(410)
	must(s.Emit(ctx, app, "user.created", []byte(`{}`)))
	s.poll(t) // On this thread.
	for _, err := range <-refused {
		wants(t, err, hookbox.ErrUnsupported)
	}
	must(s.App(ctx, app))

	s.endpoint.answers(200)
	must(s.Activate(ctx, app, s.webhook.ID))
	s.endpoint.answers(410)
	ok(s.Start(ctx)) // And on hookbox's own.
	must(s.Emit(ctx, app, "user.created", []byte(`{}`)))
	for _, err := range <-refused {
		wants(t, err, hookbox.ErrUnsupported)
	}
}
