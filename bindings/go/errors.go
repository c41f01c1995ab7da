package hookbox

import "fmt"

// Status is what a failed call came to, as the C library counts it. Each of the Err… constants is one: as an
// error, it is what errors.Is compares with. Numbers are never changed or reused.
type Status int32

// What a call can come to. TestStatuses holds this list to include/hookbox.h.
const (
	// ErrInvalidRequest: the value of an argument breaks a documented rule or limit; the message names it.
	ErrInvalidRequest Status = 100
	// ErrInvalidWebhookEvent: the event type is not in the catalogue.
	ErrInvalidWebhookEvent Status = 101
	// ErrWebhookInvalidURL: the URL breaks the syntax rules or the address policy.
	ErrWebhookInvalidURL Status = 102
	// ErrWebhookActivationFailed: the endpoint did not prove its ownership; the webhook is unchanged.
	ErrWebhookActivationFailed Status = 103
	// ErrSessionDisabled: the app is disabled.
	ErrSessionDisabled Status = 104
	// ErrAppNotFound: no app has this id.
	ErrAppNotFound Status = 105
	// ErrAppExists: an app with this id exists already.
	ErrAppExists Status = 106
	// ErrWebhookNotFound: the app has no webhook with this id.
	ErrWebhookNotFound Status = 107
	// ErrEventNotFound: no event has this id, or retention has removed it.
	ErrEventNotFound Status = 108
	// ErrBatchNotFound: no batch has this id, or retention has removed it.
	ErrBatchNotFound Status = 109
	// ErrKeyNotFound: the app has no signing key with this kid.
	ErrKeyNotFound Status = 110
	// ErrInvalidPayload: the payload is not one JSON text.
	ErrInvalidPayload Status = 111
	// ErrPayloadTooLarge: the payload is larger than the box allows.
	ErrPayloadTooLarge Status = 112
	// ErrBatchConflict: the batch is in a state that does not allow the call.
	ErrBatchConflict Status = 113
	// ErrLeaseLost: the lease ended or was taken over: the result was not recorded. Do not settle it again.
	ErrLeaseLost Status = 114
	// ErrInvalidKey: a key, secret or PEM text cannot be used.
	ErrInvalidKey Status = 115
	// ErrReadOnly: the box is open for reading only.
	ErrReadOnly Status = 116
	// ErrUnsupported: the call needs something that this box, or this build of the library, does not have.
	ErrUnsupported Status = 117
	// ErrInvalidArgument: a bug of the calling program.
	ErrInvalidArgument Status = 118
	// ErrInvalidUTF8: a text is not UTF-8.
	ErrInvalidUTF8 Status = 119
	// ErrClosed: the box was closed.
	ErrClosed Status = 120
	// ErrForked: this process is a child of fork(): the box is its parent's. Nothing was touched.
	ErrForked Status = 121
	// ErrAPIKeyNotFound: no key of the management API has this id.
	ErrAPIKeyNotFound Status = 122
	// ErrStorageBusy: another process held the database too long. Nothing was changed: try again.
	ErrStorageBusy Status = 200
	// ErrStorageFull: no space left. Nothing was changed: free space, and try again.
	ErrStorageFull Status = 201
	// ErrStorageReadOnly: the medium or the file's permissions refuse writes.
	ErrStorageReadOnly Status = 202
	// ErrStorageCorrupt: the file is damaged, or is no database.
	ErrStorageCorrupt Status = 203
	// ErrStorageNewerSchema: the database was written by a newer hookbox: upgrade this program.
	ErrStorageNewerSchema Status = 204
	// ErrStorageUnsupportedEngine: the engine is too old, or lacks something that hookbox needs.
	ErrStorageUnsupportedEngine Status = 205
	// ErrStorageCommitUnknown: whether the commit survives is unknown: repeat the call with the same
	// idempotency key.
	ErrStorageCommitUnknown Status = 206
	// ErrStorageBadRow: a stored value is not one that hookbox writes: somebody else changed the database.
	ErrStorageBadRow Status = 207
	// ErrStorageIO: reading or writing failed for another reason.
	ErrStorageIO Status = 208
	// ErrKeyUnavailable: no usable signing key: the private part is elsewhere, sealed with another key, or
	// unset.
	ErrKeyUnavailable Status = 400
	// ErrSealBroken: a stored secret does not open with the key-encryption key given.
	ErrSealBroken Status = 401
	// ErrNotAuthentic: a received request or challenge is not authentic: answer 401, and log the message.
	ErrNotAuthentic Status = 402
	// ErrUnknownKey is an [ErrNotAuthentic], since the JWK set has no key with the request's kid. It may have
	// been rotated in: fetch the set anew, at most once a minute, and verify again.
	ErrUnknownKey Status = 403
	// ErrInternal: a bug in hookbox. Please report it.
	ErrInternal Status = 900
	// ErrPanic: a bug in hookbox stopped this call, or an earlier one with the same box, which is of no use
	// any more: close it, and open it anew. Please report it.
	ErrPanic Status = 901
)

// codes are the stable codes of the statuses, as src/error.rs and src/ffi/error.rs write them.
var codes = map[Status]string{
	ErrInvalidRequest:           "invalid_request",
	ErrInvalidWebhookEvent:      "invalid_webhook_event",
	ErrWebhookInvalidURL:        "webhook_invalid_url",
	ErrWebhookActivationFailed:  "webhook_activation_failed",
	ErrSessionDisabled:          "session_disabled",
	ErrAppNotFound:              "app_not_found",
	ErrAppExists:                "app_exists",
	ErrWebhookNotFound:          "webhook_not_found",
	ErrEventNotFound:            "event_not_found",
	ErrBatchNotFound:            "batch_not_found",
	ErrKeyNotFound:              "key_not_found",
	ErrInvalidPayload:           "invalid_payload",
	ErrPayloadTooLarge:          "payload_too_large",
	ErrBatchConflict:            "batch_conflict",
	ErrLeaseLost:                "lease_lost",
	ErrInvalidKey:               "invalid_key",
	ErrReadOnly:                 "read_only",
	ErrUnsupported:              "unsupported",
	ErrInvalidArgument:          "invalid_argument",
	ErrInvalidUTF8:              "invalid_utf8",
	ErrClosed:                   "closed",
	ErrForked:                   "forked",
	ErrAPIKeyNotFound:           "api_key_not_found",
	ErrStorageBusy:              "storage_busy",
	ErrStorageFull:              "storage_full",
	ErrStorageReadOnly:          "storage_read_only",
	ErrStorageCorrupt:           "storage_corrupt",
	ErrStorageNewerSchema:       "storage_newer_schema",
	ErrStorageUnsupportedEngine: "storage_unsupported_engine",
	ErrStorageCommitUnknown:     "storage_commit_unknown",
	ErrStorageBadRow:            "storage_bad_row",
	ErrStorageIO:                "storage_io",
	ErrKeyUnavailable:           "key_unavailable",
	ErrSealBroken:               "seal_broken",
	ErrNotAuthentic:             "not_authentic",
	ErrUnknownKey:               "unknown_key",
	ErrInternal:                 "internal",
	ErrPanic:                    "panic",
}

// Code is the stable code of a status: "app_not_found". Empty for a number that this version does not know.
func (s Status) Code() string { return codes[s] }

// Error says which status it is. What happened is in the message of the [*Error] that has it.
func (s Status) Error() string {
	if code := codes[s]; code != "" {
		return "hookbox: " + code
	}
	return fmt.Sprintf("hookbox: status %d", int32(s))
}

// ErrNotFound is any of [ErrAppNotFound], [ErrWebhookNotFound], [ErrEventNotFound], [ErrBatchNotFound],
// [ErrKeyNotFound] and [ErrAPIKeyNotFound]: errors.Is(err, hookbox.ErrNotFound).
var ErrNotFound error = group{
	ErrAppNotFound, ErrWebhookNotFound, ErrEventNotFound, ErrBatchNotFound, ErrKeyNotFound, ErrAPIKeyNotFound,
}

// group is several statuses as one error.
type group [6]Status

func (group) Error() string { return "hookbox: not found" }

// Error is what went wrong. It holds no secret.
type Error struct {
	// Code is stable, for programs: the vendor's own where the vendor has one ("webhook_invalid_url").
	Code string
	// Status is the same as a number.
	Status Status
	// HTTPStatus is what the management API answers with: 400 to 503.
	HTTPStatus int
	// Retryable says whether the same call may succeed later without any change by the caller.
	Retryable bool
	// Message says what happened and what to do, for people: one line.
	Message string
}

// Error is the message.
func (e *Error) Error() string { return "hookbox: " + e.Message }

// Is compares with a [Status], or with [ErrNotFound].
func (e *Error) Is(target error) bool {
	switch target := target.(type) {
	case Status:
		return e.Status == target || e.Status == ErrUnknownKey && target == ErrNotAuthentic
	case group:
		for _, one := range target {
			if e.Status == one {
				return true
			}
		}
	}
	return false
}

// argumentError is a bug of the calling program that this package finds itself.
func argumentError(message string) error {
	return &Error{
		Code: ErrInvalidArgument.Code(), Status: ErrInvalidArgument, HTTPStatus: 500, Message: message,
	}
}
