package hookbox_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	hookbox "github.com/hookbox/hookbox/bindings/go"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func answered(status int, header http.Header, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

// lockedBuffer is what a log writes to while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func captureLog(t *testing.T) *lockedBuffer {
	t.Helper()
	before, log := slog.Default(), &lockedBuffer{}
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return log
}

// What can go wrong on the way, as real sockets and names bring it about.
func TestFailures(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/long":
			w.Write(bytes.Repeat([]byte("x"), 1<<20))
		case "/broken":
			connection, _, _ := w.(http.Hijacker).Hijack()
			connection.Close()
		case "/nonsense":
			connection, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(connection, "nonsense\r\n\r\n")
			connection.Close()
		case "/never":
			<-r.Context().Done()
		}
	}))
	defer plain.Close()
	sealed := httptest.NewTLSServer(http.NotFoundHandler())
	defer sealed.Close()
	sealed.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	closed := must(net.Listen("tcp", "127.0.0.1:0"))
	nobody := "http://" + closed.Addr().String()
	closed.Close()

	transport := hookbox.NewHTTPTransport(nil)
	send := func(ctx context.Context, url string, timeout time.Duration) hookbox.Outcome {
		return transport.Send(ctx, hookbox.Request{Method: "POST", URL: url, Header: http.Header{}, Timeout: timeout})
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	for _, check := range []struct {
		outcome hookbox.Outcome
		failure hookbox.Failure
	}{
		{send(ctx, "http://name.invalid/", time.Minute), hookbox.FailedDNS},
		{send(ctx, nobody, time.Minute), hookbox.FailedConnect},
		{send(ctx, sealed.URL, time.Minute), hookbox.FailedTLS},
		{send(ctx, strings.Replace(plain.URL, "http:", "https:", 1), time.Minute), hookbox.FailedTLS},
		{send(ctx, plain.URL+"/never", 50*time.Millisecond), hookbox.FailedTimeout},
		{send(ctx, plain.URL+"/broken", time.Minute), hookbox.FailedReset},
		{send(ctx, plain.URL+"/nonsense", time.Minute), hookbox.FailedProtocol},
		{send(stopped, plain.URL+"/", time.Minute), hookbox.FailedStopped},
		{send(ctx, ":", time.Minute), hookbox.FailedProtocol},
	} {
		equal(t, string(check.outcome.Body), check.outcome.Failure, check.failure)
		equal(t, "words", len(check.outcome.Body) > 0, true)
	}
	equal(t, "no redirect is followed", send(ctx, plain.URL+"/redirect", time.Minute).HTTPStatus, 302)
	equal(t, "excerpt", len(send(ctx, plain.URL+"/long", time.Minute).Body), 16*1024)
	proxy := hookbox.NewHTTPTransport(roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "proxyconnect", Err: errors.New("refused")}
	}))
	equal(t, "proxy", proxy.Send(ctx, hookbox.Request{Method: "POST", URL: nobody, Timeout: time.Minute}).Failure,
		hookbox.FailedProxy)
}

// hanging is a transport whose deliveries wait for the end of their context.
type hanging struct {
	*endpoint
	began chan struct{}
}

func (h *hanging) Send(ctx context.Context, request hookbox.Request) hookbox.Outcome {
	if request.Method == http.MethodGet {
		return h.endpoint.Send(ctx, request)
	}
	h.began <- struct{}{}
	<-ctx.Done()
	return hookbox.Outcome{Failure: hookbox.FailedStopped, Body: []byte(ctx.Err().Error())}
}

// A stop whose patience has ended breaks what is in flight; a panic in a transport is nobody's failure but ours.
func TestTransport(t *testing.T) {
	transport := &hanging{newEndpoint(), make(chan struct{}, 10)}
	s := newStepped(t, hookbox.WithTransport(transport))
	id := must(s.Emit(ctx, app, "user.created", []byte(`{}`)))
	ok(s.Start(ctx))
	<-transport.began
	ended, cancel := context.WithCancel(ctx)
	cancel()
	ok(s.Stop(ended))
	equal(t, "failures", must(s.ExplainEvent(ctx, id)).Batches[0].Batch.Failures, 0)

	log := captureLog(t)
	panics := newStepped(t, hookbox.WithTransport(panicking{newEndpoint()}))
	id = must(panics.Emit(ctx, app, "user.created", []byte(`{}`)))
	panics.poll(t)
	story := must(panics.ExplainEvent(ctx, id)).Batches[0]
	equal(t, "failure", story.Attempts[0].Failure, "panic")
	equal(t, "failures", story.Batch.Failures, 0)
	equal(t, "told to the log", strings.Contains(log.String(), "no such thing"), true)
}

type panicking struct{ *endpoint }

func (p panicking) Send(ctx context.Context, request hookbox.Request) hookbox.Outcome {
	if request.Method == http.MethodPost {
		panic("no such thing")
	}
	return p.endpoint.Send(ctx, request)
}
