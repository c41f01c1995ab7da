package hookbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Failure is why a request had no answer.
type Failure int32

// Why a request had no answer. TestStatuses holds this list to include/hookbox.h.
const (
	// Answered: the endpoint did answer; Outcome.HTTPStatus says how.
	Answered Failure = 0
	// FailedDNS: the name has no address, or the resolver failed.
	FailedDNS Failure = 1
	// FailedAddressDenied: an address that the name resolved to is not allowed.
	FailedAddressDenied Failure = 2
	// FailedConnect: no connection.
	FailedConnect Failure = 3
	// FailedTLS: the TLS handshake or the certificate failed.
	FailedTLS Failure = 4
	// FailedTimeout: the deadline passed.
	FailedTimeout Failure = 5
	// FailedReset: the connection broke.
	FailedReset Failure = 6
	// FailedProtocol: the answer is not HTTP, or larger than allowed.
	FailedProtocol Failure = 7
	// FailedProxy: a proxy of the program's failed. Never charged to the endpoint.
	FailedProxy Failure = 8
	// FailedStopped: it was not sent after all (the program stops). Never charged to the endpoint.
	FailedStopped Failure = 9
)

// excerptBytes of a response's body are enough for the record.
const excerptBytes = 16 * 1024

// Outcome is what came of a request.
type Outcome struct {
	// Failure is [Answered], or why there was no answer.
	Failure Failure
	// HTTPStatus of the response, 100 to 999, when it was answered.
	HTTPStatus int
	// Header of the response; hookbox reads Retry-After and Webhook-Delivery.
	Header http.Header
	// Body is the start of the response's body (16 KiB are enough), or the failure in words, for the record.
	Body []byte
}

// Transport sends HTTP requests for hookbox: the activation challenge, test events and deliveries.
type Transport interface {
	// Send sends one request, and says what came of it. The context ends at the request's timeout, and when
	// a stop has waited long enough. It follows no redirect, and, unless it has its own way to the outside,
	// connects only to addresses that it knows to be harmless: hookbox's own address guard sees the URL
	// only. Called by several threads at once.
	Send(ctx context.Context, request Request) Outcome
}

// Clock says what time it is. It may jump in either direction. It is called often, from any thread: it must not
// wait, and not call hookbox.
type Clock interface {
	Now() time.Time
}

// sending is a transport while a box has it: with a context that a stop ends.
type sending struct {
	transport Transport
	mu        sync.Mutex
	ctx       context.Context
	cancel    context.CancelFunc
}

func newSending(transport Transport) *sending {
	s := &sending{transport: transport}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *sending) send(request Request) Outcome {
	s.mu.Lock()
	base := s.ctx
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(base, request.Timeout)
	defer cancel()
	return s.transport.Send(ctx, request)
}

// shutdown ends what is in flight; what comes later is sent again.
func (s *sending) shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel()
	s.ctx, s.cancel = context.WithCancel(context.Background())
}

// NewHTTPTransport sends with a RoundTripper (http.DefaultTransport, if nil). It follows no redirect. Which
// addresses are connected to is up to the RoundTripper: give an http.Transport a dialer whose ControlContext
// refuses those of the program's own network, where others may register URLs. Its Send is also what sends a
// [Delivery] that was claimed.
func NewHTTPTransport(roundTripper http.RoundTripper) Transport {
	if roundTripper == nil {
		roundTripper = http.DefaultTransport
	}
	return httpTransport{roundTripper}
}

type httpTransport struct{ roundTripper http.RoundTripper }

func (t httpTransport) Send(ctx context.Context, request Request) Outcome {
	ctx, cancel := context.WithTimeout(ctx, request.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, request.Method, request.URL, bytes.NewReader(request.Body))
	if err != nil {
		return failed(err)
	}
	r.Header = request.Header.Clone()
	response, err := t.roundTripper.RoundTrip(r)
	if err != nil {
		return failed(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, excerptBytes))
	if err != nil {
		return failed(err)
	}
	return Outcome{HTTPStatus: response.StatusCode, Header: response.Header, Body: body}
}

// failed sorts an error of a RoundTripper's. Its words are without the URL, which may hold secrets.
func failed(err error) Outcome {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	return Outcome{Failure: failureOf(err), Body: []byte(err.Error())}
}

func failureOf(err error) Failure {
	var (
		name         *net.DNSError
		op           *net.OpError
		certificate  *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		hostname     x509.HostnameError
		timeout      net.Error
		isTimeout    = errors.As(err, &timeout) && timeout.Timeout()
		isOp         = errors.As(err, &op)
		isHandshake  = errors.As(err, &certificate) || errors.As(err, &record) || errors.As(err, &alert)
		isWrongNamed = errors.As(err, &hostname)
	)
	switch {
	case errors.Is(err, context.Canceled):
		return FailedStopped
	case isOp && op.Op == "proxyconnect":
		return FailedProxy
	case isTimeout, errors.Is(err, context.DeadlineExceeded):
		return FailedTimeout
	case errors.As(err, &name):
		return FailedDNS
	case isHandshake, isWrongNamed:
		return FailedTLS
	case isOp && op.Op == "dial":
		return FailedConnect
	case isOp, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return FailedReset
	default:
		return FailedProtocol
	}
}
