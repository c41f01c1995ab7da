package hookbox

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"time"
)

// Secret is a text that is not shown: fmt, slog and encoding/json print "[secret]" instead. Convert it to a
// string to read it.
type Secret string

const hidden = "[secret]"

// String hides the text.
func (Secret) String() string { return hidden }

// GoString hides the text.
func (Secret) GoString() string { return hidden }

// MarshalText hides the text.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the text.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Set gives a pointer to a value, for the fields of [WebhookUpdate].
func Set[T any](value T) *T { return &value }

// Page is one page of a listing.
type Page[T any] struct {
	// Items are in the order that the listing says.
	Items []T
	// NextCursor is for the next call; empty on the last page.
	NextCursor string
}

// PageRequest says which page of a listing. Its zero value is the first one.
type PageRequest struct {
	// Cursor is the NextCursor of the page before; empty for the first page.
	Cursor string
	// Limit is how many items at most: 1 to 1000; 0 means 100.
	Limit int
}

// NewApp is what may be created as an app.
type NewApp struct {
	// ID is 1 to 64 characters of A-Z a-z 0-9 . _ -, the first one alphanumeric.
	ID string
	// Profile says which wire contract its webhooks follow: "prelude" (if empty), "fingerprint",
	// "standard_webhooks", or a profile of the program's own as a JSON object: see [Profile].
	Profile string
	// KeyBits of the RSA signing key that hookbox makes: 2048, 3072 or 4096; 0 means 2048.
	KeyBits int
	// KeyPEM is a signing key of the program's own (PKCS#8 or PKCS#1, 2048 bits or more); empty: hookbox
	// makes one.
	KeyPEM Secret
	// KeyID is the id of that PEM key (kid); empty, and for keys that hookbox makes: a random UUID.
	KeyID string
}

// App is a tenant: it owns signing keys, webhooks and events.
type App struct {
	ID string
	// Enabled says whether it takes events and changes.
	Enabled   bool
	CreatedAt time.Time
	// ProfileName is the name of its profile.
	ProfileName string
	// Profile is all of it.
	Profile json.RawMessage
}

// Header is a header of a webhook's requests.
type Header struct {
	Name  string
	Value Secret
}

// BasicAuth is basic authentication (RFC 7617): a username without colon, and a password.
type BasicAuth struct {
	Username string
	Password Secret
}

// Events are the event types that a webhook hears. The zero value is what the app's profile says: all, or
// none.
type Events struct {
	all   bool
	only  bool
	types []string
}

// AllEvents is every event of the app.
func AllEvents() Events { return Events{all: true} }

// OnlyEvents are these types; none at all is allowed, and hears nothing.
func OnlyEvents(types ...string) Events { return Events{only: true, types: types} }

// WebhookConfig is how a webhook is to be.
type WebhookConfig struct {
	// URL is absolute, of at most 2048 characters, inside the box's address policy.
	URL string
	// VerificationToken has at most 100 characters; it is sent with the activation challenge, so that the
	// endpoint knows who asks.
	VerificationToken Secret
	Events            Events
	// Description is for people, at most 1024 bytes.
	Description string
	// Environment: only events of this environment are owed; empty hears all.
	Environment string
	// Headers are sent with every delivery: at most 32, none of those that hookbox or HTTP itself sets.
	Headers []Header
	// BasicAuth is sent with every request; an empty username for none.
	BasicAuth BasicAuth
	// SigningSecret is for profiles that sign with one; empty: hookbox makes one.
	SigningSecret Secret
	// Overrides replace settings of the app's profile, as a JSON object: "timeout" (ms), "concurrency",
	// "rate_limit" (requests a second), "retry" (as in a profile), "ordering" ("none" or "fifo").
	Overrides json.RawMessage
	// Disabled registers it switched off.
	Disabled bool
}

// WebhookUpdate is what is to change about a webhook: the fields that are not nil. [Set] makes a pointer.
type WebhookUpdate struct {
	// URL: a new one un-verifies the webhook.
	URL               *string
	VerificationToken *Secret
	Events            *Events
	Description       *string
	Environment       *string
	Headers           *[]Header
	BasicAuth         *BasicAuth
	Overrides         *json.RawMessage
	Disabled          *bool
}

// Webhook is one registered URL of an app. Its secrets are never shown.
type Webhook struct {
	// ID is "web_…", or "wh_…" under the Fingerprint profile.
	ID    string
	AppID string
	URL   string
	// AllEvents says whether it hears every event type; else EventTypes has them.
	AllEvents  bool
	EventTypes []string
	// Verified says whether the endpoint passed its challenge.
	Verified bool
	// Enabled is the operator's switch.
	Enabled bool
	// Active is both: it is owed what is emitted now.
	Active       bool
	HasBasicAuth bool
	// LastHTTPCode is the status of the last delivery that was answered; 0 before the first.
	LastHTTPCode   int
	LastHTTPCodeAt time.Time
	Description    string
	Environment    string
	Overrides      json.RawMessage
	HeaderNames    []string
	CreatedAt      time.Time
	UpdatedAt      time.Time
	LastEnabledAt  time.Time
	LastDisabledAt time.Time
}

// WebhookFilter says which webhooks a listing has. Its zero value lets all through.
type WebhookFilter struct {
	// Enabled: only those that are so; nil for both.
	Enabled *bool
	// Environment: only those of this one; empty for any.
	Environment string
}

// NewEvent is an event to emit.
type NewEvent struct {
	// Type is one of the catalogue.
	Type string
	// Payload is one JSON text, stored and sent verbatim.
	Payload json.RawMessage
	// IdempotencyKey: emitting again with the same key gives the first event's id and stores nothing (at
	// most 255 bytes; for as long as retention keeps the event); empty for none.
	IdempotencyKey string
	// Environment it happened in; empty for none.
	Environment string
	// AtMostOnce: never sent again once any byte of a request may have arrived: the event may be lost. By
	// default it is sent until it has arrived, and may arrive twice.
	AtMostOnce bool
}

// Event is an event as stored.
type Event struct {
	// ID is "evt_…". Receivers deduplicate on it.
	ID string
	// Position is its place in the log, counted from 1.
	Position       int64
	AppID          string
	Type           string
	Payload        json.RawMessage
	CreatedAt      time.Time
	IdempotencyKey string
	Environment    string
	AtMostOnce     bool
}

// KeyPhase is what a signing key is for now.
type KeyPhase int32

// The phases of a signing key, in the order of its life.
const (
	// KeyNext: published, not yet signing: receivers' caches get to know it.
	KeyNext KeyPhase = 0
	// KeyActive: published and signing.
	KeyActive KeyPhase = 1
	// KeyRetired: published, no longer signing: what it signed can still be verified.
	KeyRetired KeyPhase = 2
	// KeyGone: no longer published.
	KeyGone KeyPhase = 3
)

// Key is a signing key of an app, without its private part.
type Key struct {
	// ID is its kid, as X-Webhook-Signature-Key-Id carries it.
	ID string
	// PublicJWK is its public part as a JSON Web Key.
	PublicJWK json.RawMessage
	Phase     KeyPhase
	// HasPrivatePart says whether the private part is in the box; else the program signs.
	HasPrivatePart bool
	// CreatedAt is since when it is published.
	CreatedAt time.Time
	SignsFrom time.Time
	// SignsUntil is zero when no key takes over yet.
	SignsUntil time.Time
	// PublishedUntil is zero when that is not known yet.
	PublishedUntil time.Time
}

// NewKey is a signing key that is to take over.
type NewKey struct {
	// ID is the kid of the PEM key; empty, and for keys that hookbox makes: a random UUID.
	ID string
	// Bits of the key that hookbox makes: 2048, 3072 or 4096; 0 means 2048.
	Bits int
	// PEM is a key of the program's own; empty: hookbox makes one.
	PEM Secret
	// Lead is how long it is published before it signs; 0: it signs at once.
	Lead time.Duration
}

// BatchStatus is where a batch stands.
type BatchStatus int32

// The states of a batch.
const (
	// BatchAny is of any status: the filter is off.
	BatchAny BatchStatus = 0
	// BatchWaiting waits for its next attempt to be due.
	BatchWaiting BatchStatus = 1
	// BatchLeased is being sent.
	BatchLeased BatchStatus = 2
	// BatchDelivered was accepted by the endpoint.
	BatchDelivered BatchStatus = 3
	// BatchExhausted ran past its retry window; resendable.
	BatchExhausted BatchStatus = 4
	// BatchParked waits for its webhook's re-activation.
	BatchParked BatchStatus = 5
	// BatchCancelled was ended by the program, by the receiver, or by being split.
	BatchCancelled BatchStatus = 6
)

// Batch is a frozen list of events for one webhook: the unit of delivery, retry and resend.
type Batch struct {
	// ID is "bat_…": stable over attempts and resends.
	ID        string
	AppID     string
	WebhookID string
	// ParentID is the batch it was split from; empty for none.
	ParentID   string
	Status     BatchStatus
	AtMostOnce bool
	// EndReason is why it ended otherwise than delivered; else empty.
	EndReason  string
	EventCount uint64
	// FirstPosition and LastPosition are the log positions of its first and last event.
	FirstPosition int64
	LastPosition  int64
	// Attempts are the requests begun so far, Failures those that failed in the current budget.
	Attempts  uint32
	Failures  uint32
	CreatedAt time.Time
	// DueAt is when it is due (waiting), or when its lease ends (leased); else zero.
	DueAt time.Time
	// EndedAt is zero while it has not ended.
	EndedAt time.Time
}

// BatchFilter says which batches a listing has. Its zero value lets all through.
type BatchFilter struct {
	WebhookID string
	Status    BatchStatus
}

// Attempt is one HTTP request for a batch, and what came of it.
type Attempt struct {
	BatchID   string
	WebhookID string
	// Number is counted from 1 within the batch.
	Number uint32
	// HTTPStatus was answered; 0 when there was no answer.
	HTTPStatus int
	// Failure is why there was no answer ("timeout", "dns" …); else empty.
	Failure   string
	StartedAt time.Time
	Duration  time.Duration
	// Excerpt is the start of the response's body, or the failure in words: at most 1024 bytes.
	Excerpt string
}

// AttemptFilter says which attempts a listing has. Its zero value lets all through.
type AttemptFilter struct {
	WebhookID string
	BatchID   string
}

// Backlog is where a webhook stands.
type Backlog struct {
	// EventsOwed are in no batch yet; counted up to 100 000.
	EventsOwed       uint64
	OldestOwedAt     time.Time
	BatchesWaiting   uint64
	BatchesLeased    uint64
	BatchesParked    uint64
	BatchesExhausted uint64
	// ConsecutiveFailures are the failed attempts since the last success.
	ConsecutiveFailures uint32
	FailingSince        time.Time
	LastSuccessAt       time.Time
	// PausedUntil: nothing is sent before, as the endpoint asked (Retry-After).
	PausedUntil time.Time
	// NextDue is when its next request is due, as far as it is known.
	NextDue time.Time
}

// BatchStory is what happened to a batch, and what comes next.
type BatchStory struct {
	Batch Batch
	// Attempts are the last hundred, oldest first.
	Attempts []Attempt
	// Sentences are for people.
	Sentences []string
}

// EventStory is what happened to an event, for each webhook.
type EventStory struct {
	Event   Event
	Batches []BatchStory
	// Sentences are for people.
	Sentences []string
}

// Stats are the sizes of a box.
type Stats struct {
	// LastPosition is the last log position given.
	LastPosition int64
	// Bytes of the database, and of its write-ahead log, where there is one.
	Bytes    uint64
	WALBytes uint64
}

// Notice is something that operators may want to hear of, after it was stored.
type Notice struct {
	// Kind is "webhook_failing", "webhook_deactivated", "webhook_recovered", "batch_exhausted",
	// "batch_split", "key_rotated", "delivery_fault", "bad_row", "engine_failed", "storage_stalled",
	// "storage_resumed"; later versions may have more.
	Kind string
	// AppID, WebhookID and BatchID are empty where none is concerned.
	AppID     string
	WebhookID string
	BatchID   string
	// JSON is all of it, as an object.
	JSON json.RawMessage
}

// PollResult is what [Box.Poll] did.
type PollResult struct {
	// Attempts are the requests that were made.
	Attempts int
	// NextDue is when to poll again at the latest; zero: nothing waits for a time.
	NextDue time.Time
}

// Request is one HTTP request of hookbox's, to be sent as it is: no redirect followed, no header added but
// those of HTTP itself.
type Request struct {
	// Method is POST for deliveries, GET for the activation challenge.
	Method string
	URL    string
	// Header values may be secret.
	Header http.Header
	Body   []byte
	// Timeout is one hard deadline over everything.
	Timeout time.Duration
}

// String hides what may be secret.
func (r Request) String() string { return r.Method + " " + hidden }

// GoString hides what may be secret.
func (r Request) GoString() string { return r.String() }

// LogValue hides what may be secret.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// ReceivedEvent is one event out of a request that was verified.
type ReceivedEvent struct {
	// ID is the same at every attempt: remember it to tell repetitions. Empty under the Fingerprint profile,
	// which signs none.
	ID string
	// Type is empty under the Fingerprint profile.
	Type string
	// Payload is the JSON text exactly as it came.
	Payload json.RawMessage
	// CreatedAt is when it was emitted, RFC 3339 as it came; may be empty.
	CreatedAt string
}

// ChallengeAnswer is the answer to an activation challenge, to be sent as it is.
type ChallengeAnswer struct {
	HTTPStatus  int
	ContentType string
	Body        []byte
	// Challenge is the number that was asked back.
	Challenge uint64
	// AppID is which app asks; empty when it does not say.
	AppID string
}

// NewAPIKey is what may be made as a key of the management API: for one App, or for AllApps.
type NewAPIKey struct {
	// Name says what it is for: at most 100 characters.
	Name string
	// App is the one app it is for.
	App string
	// AllApps makes it for every app, instead.
	AllApps bool
	// ReadOnly makes it for looking only.
	ReadOnly bool
	// RequestsPerSecond in the long run: 1 to 10 000; 0 means 50. Twice as many may come at once.
	RequestsPerSecond int
	// ExpiresAt is from when on it is refused; zero for never.
	ExpiresAt time.Time
}

// CreatedAPIKey is a new API key.
type CreatedAPIKey struct {
	APIKey
	// Secret is the key itself, to be sent as "Authorization: Bearer …": the only copy.
	Secret Secret
}

// APIKey is a key of the management API, without its secret part.
type APIKey struct {
	// ID is "hbk_…": the public beginning of the key itself.
	ID string
	// Name says what it is for.
	Name string
	// AppID is the one app it is for; empty: every app.
	AppID    string
	ReadOnly bool
	// RequestsPerSecond in the long run.
	RequestsPerSecond int
	CreatedAt         time.Time
	// ExpiresAt, RevokedAt and LastUsedAt (to the minute) are zero where there is none.
	ExpiresAt  time.Time
	RevokedAt  time.Time
	LastUsedAt time.Time
}
