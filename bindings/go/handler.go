package hookbox

import (
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
)

// apiBodyBytesMax is the largest body that any operation of the management API takes.
const apiBodyBytesMax = 1 << 20

// Dialect says which vendor's management API a [Box.Handler] speaks. hookbox's own, under /hookbox/v1, and the
// public key sets are beside either.
type Dialect int32

const (
	// APIPrelude is Prelude's: /v2/session/apps/{app}/webhooks….
	APIPrelude Dialect = 1
	// APIFingerprint is Fingerprint's: /webhooks…, for the app of the key or grant.
	APIFingerprint Dialect = 2
)

// Grant is what the sender of a request may do. Its zero value is nothing at all.
type Grant struct {
	// App is the one app it is for; every other is as if it did not exist.
	App string
	// AllApps is for every app, instead; and for what concerns no single one: making apps, "stats".
	AllApps bool
	// ReadOnly is for looking only.
	ReadOnly bool
}

// HandlerOption changes how a [Box.Handler] works.
type HandlerOption struct{ set func(*handler) }

// AuthorizedBy lets the program find out who sends a request, instead of by API keys, which do not count then: by a
// session, a certificate, a header of its proxy's. It is asked about every request before its body is read, also
// about those that need no grant (OPTIONS, the public key sets). The zero [Grant] refuses: 401. An error says that
// it could not be found out: it goes to the log (log/slog), and the answer is 503.
func AuthorizedBy(authorize func(r *http.Request) (Grant, error)) HandlerOption {
	return HandlerOption{func(h *handler) { h.authorize = authorize }}
}

// Handler is the management API as an http.Handler, with docs/api.md for its documentation. Mount it at the root;
// or below a prefix with http.StripPrefix. Requests carry one of the box's API keys ([Box.CreateAPIKey]) as
// "Authorization: Bearer …", unless [AuthorizedBy] says otherwise.
//
// It reads at most 1 MiB of a body, before it knows the sender: give the http.Server timeouts. Activating waits for
// the endpoint, up to 10 seconds. Once the box is closed the answer is 503.
func (b *Box) Handler(dialect Dialect, options ...HandlerOption) http.Handler {
	h := &handler{box: b, dialect: dialect}
	for _, option := range options {
		option.set(h)
	}
	return h
}

type handler struct {
	box       *Box
	dialect   Dialect
	authorize func(r *http.Request) (Grant, error) // nil: API keys.
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := apiRequest{method: r.Method, target: targetOf(r.URL), header: headerOf(r)}
	grant, unknown := h.grantOf(r, &request)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, apiBodyBytesMax+1))
	// With more than it takes, the API knows what to say: 413, after 404, 405 and 401. Where less came to an end
	// early, it was cut off: by the sender, or by a limit of the program's own.
	if err != nil && len(body) <= apiBodyBytesMax {
		status := http.StatusBadRequest
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		plain(w, status)
		return
	}
	request.body = body
	response, err := h.box.answer(r.Context(), h.dialect, grant, request)
	switch {
	case err != nil:
		h.fail(w, r, err)
		return
	case unknown != nil && response.status == http.StatusUnauthorized:
		slog.ErrorContext(r.Context(), "hookbox: a request could not be authorized", "error", unknown)
		unavailable(w)
		return
	}
	maps.Copy(w.Header(), response.header)
	w.WriteHeader(response.status)
	w.Write(response.body) // Whether it arrives is for the client to see.
}

// grantOf is what the program grants: nil where the request has to bring a key. Where the program refuses it, or does
// not know, the request loses what may be one: so it gets the API's own answer to strangers, and what is public.
func (h *handler) grantOf(r *http.Request, request *apiRequest) (*Grant, error) {
	if h.authorize == nil {
		return nil, nil
	}
	grant, err := h.authorize(r)
	if err == nil && grant.AllApps && grant.App != "" {
		err = argumentError("Invalid argument: a grant is for one App, or for AllApps.")
	}
	if err == nil && (grant.AllApps || grant.App != "") {
		return &grant, nil
	}
	stranger := r.Header.Clone()
	stranger.Del("Authorization")
	request.header = headerOf(&http.Request{Host: r.Host, Header: stranger})
	return nil, err
}

// fail answers where the call itself failed.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	switch {
	case r.Context().Err() != nil, errors.Is(err, ErrClosed):
		unavailable(w)
	case errors.Is(err, ErrInvalidUTF8):
		plain(w, http.StatusBadRequest)
	case errors.As(err, &e) && e.HTTPStatus < http.StatusInternalServerError: // The app of a grant: none can be called so.
		plain(w, e.HTTPStatus)
	default:
		slog.ErrorContext(r.Context(), "hookbox: a request to the management API failed", "error", err)
		plain(w, http.StatusInternalServerError)
	}
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	plain(w, http.StatusServiceUnavailable)
}

func plain(w http.ResponseWriter, status int) { http.Error(w, http.StatusText(status), status) }

// targetOf is path and query as in a request line, without what http.StripPrefix took off.
func targetOf(u *url.URL) string {
	target := u.EscapedPath()
	if target == "" {
		target = "/"
	}
	if u.RawQuery != "" {
		target += "?" + u.RawQuery
	}
	return target
}

// headerOf is all headers of a request; net/http keeps Host elsewhere.
func headerOf(r *http.Request) []Header {
	list := []Header{{Name: "Host", Value: Secret(r.Host)}}
	for name, values := range r.Header {
		for _, value := range values {
			list = append(list, Header{Name: name, Value: Secret(value)})
		}
	}
	return list
}
