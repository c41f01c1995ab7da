package hookbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// fetchPause lies between two fetches of a JWK set because of a key that it does not have.
	fetchPause = time.Minute
	// firstFetchPause lies between two fetches while there is no JWK set at all.
	firstFetchPause = time.Second
	// keysAge is when a JWK set is fetched anew by itself, so that a revoked key does not live on.
	keysAge = time.Hour
	// fetchTimeout leaves time to answer within the sender's 10 seconds.
	fetchTimeout  = 5 * time.Second
	jwksBytesMax  = 1 << 20
	bodyBytesMost = 4 << 20
)

// ReceiverConfig says how a [Receiver] verifies: with the JWK set at JWKSURL (Prelude), or with Verifier (one with
// secrets, or with a set that never changes). Exactly one of them must be set.
type ReceiverConfig struct {
	// JWKSURL is where the sender publishes its keys: an http or https URL.
	JWKSURL string
	// HTTPClient fetches it; nil means one that waits 5 seconds at most.
	HTTPClient *http.Client
	// Options are for the verifier that is made from the JWK set.
	Options VerifyOptions
	// Verifier verifies where there is no JWKSURL.
	Verifier *Verifier
	// VerificationToken was given at the registration; empty: challenges are refused.
	VerificationToken Secret
	// BodyBytesMax is the largest body that is read; 0 means 4 MiB. More is answered with 413, upon which
	// hookbox splits the batch.
	BodyBytesMax int
	// OnRefused is told why a request was refused, or not handled; for the log. It may be nil.
	OnRefused func(r *http.Request, err error)
}

// Receiver is an http.Handler that answers challenges (GET), and verifies deliveries (POST) and hands their events
// over. The answers: 200 when all went well; 401 for what is not authentic; 413; 500 when the handler failed, and
// 503 when the JWK set cannot be fetched, so that the sender tries again.
type Receiver struct {
	config ReceiverConfig
	handle func(ctx context.Context, events []ReceivedEvent) error
	now    func() time.Time

	mu        sync.Mutex // Held while fetching.
	keys      sync.RWMutex
	verifier  *Verifier
	fetchedAt time.Time // When the set in use came.
	triedAt   time.Time // When one was last asked for.
	failure   error     // What came of that; guarded by mu.
}

// NewReceiver makes a receiver. `handle` gets the events of one request; the same may come again: remember their
// ids. With an error nothing counts as received, and the sender tries again.
func NewReceiver(
	config ReceiverConfig, handle func(ctx context.Context, events []ReceivedEvent) error,
) (*Receiver, error) {
	if handle == nil || (config.JWKSURL == "") == (config.Verifier == nil) {
		return nil, argumentError("Invalid argument: a receiver needs a handler, and a JWKSURL or a Verifier.")
	}
	if config.JWKSURL != "" {
		parsed, err := url.Parse(config.JWKSURL)
		if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
			return nil, argumentError("Invalid argument: JWKSURL must be an absolute http or https URL.")
		}
	}
	if config.HTTPClient == nil {
		config.HTTPClient = &http.Client{Timeout: fetchTimeout}
	}
	if config.BodyBytesMax == 0 {
		config.BodyBytesMax = bodyBytesMost
	}
	config.Options.BodyBytesMax = config.BodyBytesMax
	return &Receiver{config: config, handle: handle, now: time.Now, verifier: config.Verifier}, nil
}

// ServeHTTP answers a challenge or takes a delivery.
func (v *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		v.take(w, r)
	case r.Method == http.MethodGet && v.config.VerificationToken != "":
		v.answer(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		v.refuse(w, r, http.StatusMethodNotAllowed, errors.New("hookbox: the method is not allowed"))
	}
}

func (v *Receiver) answer(w http.ResponseWriter, r *http.Request) {
	answer, err := AnswerChallenge(r.URL.RawQuery, v.config.VerificationToken)
	if err != nil {
		v.refuse(w, r, http.StatusUnauthorized, err)
		return
	}
	w.Header().Set("Content-Type", answer.ContentType)
	w.WriteHeader(answer.HTTPStatus)
	w.Write(answer.Body) // Whether it arrives is for the sender to see.
}

func (v *Receiver) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(v.config.BodyBytesMax)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		v.refuse(w, r, http.StatusRequestEntityTooLarge, err)
		return
	case err != nil:
		v.refuse(w, r, http.StatusBadRequest, err)
		return
	}
	events, err := v.verify(r.Context(), r.Header, body)
	switch {
	case errors.Is(err, ErrNotAuthentic):
		v.refuse(w, r, http.StatusUnauthorized, err)
		return
	case err != nil:
		v.refuse(w, r, http.StatusServiceUnavailable, err)
		return
	}
	if err := v.handle(r.Context(), events); err != nil {
		v.refuse(w, r, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// refuse answers with the status only: the reason is for the log.
func (v *Receiver) refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	if v.config.OnRefused != nil {
		v.config.OnRefused(r, err)
	}
	w.WriteHeader(status)
}

func (v *Receiver) verify(ctx context.Context, header http.Header, body []byte) ([]ReceivedEvent, error) {
	verifier, err := v.current(ctx)
	if err != nil {
		return nil, err
	}
	events, err := verifier.Verify(header, body)
	if v.config.JWKSURL == "" || !errors.Is(err, ErrUnknownKey) {
		return events, err
	}
	renewed, fetchErr := v.renewed(ctx, verifier)
	if fetchErr != nil {
		return nil, fetchErr
	}
	if renewed == verifier {
		return nil, err
	}
	return renewed.Verify(header, body)
}

// current is the verifier to begin with: the one there is; a new one where there is none, or it is old.
func (v *Receiver) current(ctx context.Context) (*Verifier, error) {
	verifier, age := v.known()
	if v.config.JWKSURL == "" || verifier != nil && age < keysAge {
		return verifier, nil
	}
	if verifier == nil {
		v.mu.Lock() // Everybody waits for the first one.
		defer v.mu.Unlock()
		if verifier, _ := v.known(); verifier != nil {
			return verifier, nil
		}
		return v.fetch(ctx, firstFetchPause)
	}
	if !v.mu.TryLock() {
		return verifier, nil // Somebody fetches it.
	}
	defer v.mu.Unlock()
	if renewed, err := v.fetch(ctx, fetchPause); err == nil {
		return renewed, nil
	} else if v.config.OnRefused != nil && !errors.Is(err, errTooSoon) {
		v.config.OnRefused(nil, err)
	}
	return verifier, nil // The old one is better than none.
}

// renewed is a verifier that may know a key which `unknowing` does not; that one itself where it is too soon to ask.
// Where the last fetch failed nobody can say whether there is such a key, which is an error of ours.
func (v *Receiver) renewed(ctx context.Context, unknowing *Verifier) (*Verifier, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if verifier, _ := v.known(); verifier != unknowing {
		return verifier, nil // Somebody else has just fetched it.
	}
	verifier, err := v.fetch(ctx, fetchPause)
	if errors.Is(err, errTooSoon) {
		return unknowing, v.failure
	}
	return verifier, err
}

func (v *Receiver) known() (*Verifier, time.Duration) {
	v.keys.RLock()
	defer v.keys.RUnlock()
	return v.verifier, v.now().Sub(v.fetchedAt)
}

var errTooSoon = errors.New("hookbox: the JWK set was asked for a moment ago")

// fetch gets the JWK set, unless that was tried within `pause`. The caller holds mu.
func (v *Receiver) fetch(ctx context.Context, pause time.Duration) (*Verifier, error) {
	now := v.now()
	if since := now.Sub(v.triedAt); since >= 0 && since < pause {
		return nil, errTooSoon
	}
	v.triedAt = now
	verifier, err := v.made(ctx)
	v.failure = err
	if err != nil {
		return nil, err
	}
	v.keys.Lock()
	v.verifier, v.fetchedAt = verifier, now
	v.keys.Unlock()
	return verifier, nil
}

// made is a verifier out of the JWK set as it is published now.
func (v *Receiver) made(ctx context.Context) (*Verifier, error) {
	// The requests that wait for it are not this one alone: its end does not end the fetch.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	jwks, err := v.get(ctx)
	if err != nil {
		return nil, fmt.Errorf("hookbox: the JWK set cannot be fetched: %w", err)
	}
	verifier, err := NewPreludeVerifier(jwks, v.config.Options)
	if err != nil {
		return nil, fmt.Errorf("hookbox: the JWK set cannot be used: %w", err)
	}
	return verifier, nil
}

func (v *Receiver) get(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.config.JWKSURL, nil)
	if err != nil {
		return nil, err
	}
	response, err := v.config.HTTPClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer was %s", strings.TrimSpace(response.Status))
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, jwksBytesMax+1))
	if err == nil && len(body) > jwksBytesMax {
		err = errors.New("it is larger than 1 MiB")
	}
	return body, err
}
