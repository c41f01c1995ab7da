// hookbox: an embedded webhook outbox. https://github.com/hookbox/hookbox
//
// Made from src/ffi by build.rs with cbindgen; do not edit.
//
// A program opens a box, creates an app, registers webhooks, and emits events; hookbox delivers them,
// signed, for two weeks if need be, and keeps a record of every attempt. In short:
//
//     hookbox_box *box = NULL;
//     hookbox_error *error = NULL;
//     if (hookbox_open(hookbox_cstr("app.db"), NULL, &box, &error) != HOOKBOX_OK) {
//         fprintf(stderr, "%s\n", error->message.ptr);
//         hookbox_error_free(error);
//         return 1;
//     }
//     hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
//     app.id = hookbox_cstr("54e9ujn");
//     hookbox_app_create(box, &app, NULL, NULL);
//     ... hookbox_webhook_create(), hookbox_webhook_activate() ...
//     hookbox_box_start(box, NULL);
//     hookbox_emit(box, app.id, hookbox_cstr("user.created"), payload, NULL, &error);
//     ...
//     hookbox_box_close(box, 5000, NULL);
//     hookbox_box_free(box);
//
// ERRORS. Every function that can fail returns a hookbox_status: HOOKBOX_OK (0), or what went wrong. Its
// last argument, `error`, may be NULL; else it is set to NULL on success, and to an error object on failure,
// which the caller frees with hookbox_error_free(). There is no last error of a thread. Outputs (`out_…`)
// are written on success only. A bug in hookbox that would end another program comes back as
// HOOKBOX_PANIC. Bad input (NULL, a text that is not UTF-8, a number that means nothing) gets a status,
// never a crash; but a pointer that is neither NULL nor valid cannot be told. What cannot be an id at all is
// HOOKBOX_INVALID_REQUEST; an app's is HOOKBOX_APP_NOT_FOUND, and a key's HOOKBOX_INVALID_KEY.
//
// OWNERSHIP. What comes out through `out_…` is the caller's, and has one function that frees it, named in
// its comment; _free(NULL) does nothing. Texts and lists inside of it are its own: valid until it is freed,
// never freed by themselves. Arguments are copied before a call returns. What the caller fills in (a
// structure with struct_size) stays the caller's.
//
// TEXTS are hookbox_str: a pointer and a length, UTF-8. As an argument an empty one leaves out what may be
// left out. Those that hookbox gives out end with a NUL as well, so that they print with %s.
//
// TIMES are Unix milliseconds, 0 for none; spans are milliseconds.
//
// VERSIONS. Structures that the caller fills in start with struct_size, so that later versions may append
// members: clear them, and set it, with their ..._INIT macro. Structures that hookbox gives out may grow at
// their end as well: reach them by pointer, never copy them whole, never take their size.
//
// THREADS. A hookbox_box and a hookbox_verifier may be used by any number of threads at once. What is
// given out is immutable: any thread may read it, and one may free it. Builders (hookbox_options) belong to
// one thread at a time. Callbacks run on hookbox's threads and on those that call; several at once; never
// with a lock of hookbox's held; never again once hookbox_box_close() has returned.
//
// PROCESSES. A box belongs to the process that opened it. In a child of fork() every call returns
// HOOKBOX_FORKED; open a box there only after exec(). Several processes may open the same file.
//
// SQLITE. Inside one process a file may be opened by one copy of SQLite only: two copies drop each other's
// locks, and corrupt it. A library with its own copy (hookbox_sqlite_is_bundled() is 1) keeps its file to
// itself: the program must not open it with another one, and calls hookbox_emit(). A library that is built on
// the system's SQLite shares it: the program may have its own tables in the same file, and emit inside its own
// transaction with hookbox_emit_in(), or with plain SQL (INSERT INTO hookbox_event).
//
// The library installs no signal handler and no exit hook, blocks the program's signals on its own threads,
// sets no global state, reads no environment variable, and prints nothing (but for a bug of its own: the
// message of a HOOKBOX_PANIC goes to stderr).


#ifndef HOOKBOX_H
#define HOOKBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Done.
#define HOOKBOX_OK 0

// The value of an argument breaks a documented rule or limit; the message names it.
#define HOOKBOX_INVALID_REQUEST 100

// The event type is not in the catalogue.
#define HOOKBOX_INVALID_WEBHOOK_EVENT 101

// The URL breaks the syntax rules or the address policy.
#define HOOKBOX_WEBHOOK_INVALID_URL 102

// The endpoint did not prove its ownership; the webhook is unchanged.
#define HOOKBOX_WEBHOOK_ACTIVATION_FAILED 103

// The app is disabled.
#define HOOKBOX_SESSION_DISABLED 104

// No app has this id.
#define HOOKBOX_APP_NOT_FOUND 105

// An app with this id exists already.
#define HOOKBOX_APP_EXISTS 106

// The app has no webhook with this id.
#define HOOKBOX_WEBHOOK_NOT_FOUND 107

// No event has this id, or retention has removed it.
#define HOOKBOX_EVENT_NOT_FOUND 108

// No batch has this id, or retention has removed it.
#define HOOKBOX_BATCH_NOT_FOUND 109

// The app has no signing key with this kid.
#define HOOKBOX_KEY_NOT_FOUND 110

// The payload is not one JSON text.
#define HOOKBOX_INVALID_PAYLOAD 111

// The payload is larger than the box allows.
#define HOOKBOX_PAYLOAD_TOO_LARGE 112

// The batch is in a state that does not allow the call.
#define HOOKBOX_BATCH_CONFLICT 113

// The lease ended or was taken over: the result was not recorded. Do not settle it again.
#define HOOKBOX_LEASE_LOST 114

// A key, secret or PEM text cannot be used.
#define HOOKBOX_INVALID_KEY 115

// The box is open for reading only.
#define HOOKBOX_READ_ONLY 116

// The call needs something that this box, or this build of the library, does not have.
#define HOOKBOX_UNSUPPORTED 117

// A bug of the calling program: a NULL pointer where none may be, a number that is none of an
// enumeration's, a struct_size that no version had.
#define HOOKBOX_INVALID_ARGUMENT 118

// A text is not UTF-8.
#define HOOKBOX_INVALID_UTF8 119

// The box was closed by hookbox_box_close().
#define HOOKBOX_CLOSED 120

// This process is a child of fork(): the box is its parent's. Nothing was touched.
#define HOOKBOX_FORKED 121

// No API key has this id.
#define HOOKBOX_API_KEY_NOT_FOUND 122

// Another process held the database too long. Nothing was changed: try again.
#define HOOKBOX_STORAGE_BUSY 200

// No space left. Nothing was changed: free space, and try again.
#define HOOKBOX_STORAGE_FULL 201

// The medium or the file's permissions refuse writes.
#define HOOKBOX_STORAGE_READ_ONLY 202

// The file is damaged, or is no database.
#define HOOKBOX_STORAGE_CORRUPT 203

// The database was written by a newer hookbox: upgrade this program.
#define HOOKBOX_STORAGE_NEWER_SCHEMA 204

// The engine is too old, or lacks something that hookbox needs.
#define HOOKBOX_STORAGE_UNSUPPORTED_ENGINE 205

// Whether the commit survives is unknown: repeat the call with the same idempotency key.
#define HOOKBOX_STORAGE_COMMIT_UNKNOWN 206

// A stored value is not one that hookbox writes: somebody else changed the database.
#define HOOKBOX_STORAGE_BAD_ROW 207

// Reading or writing failed for another reason.
#define HOOKBOX_STORAGE_IO 208

// No usable signing key: the private part is elsewhere, sealed with another key, or unset.
#define HOOKBOX_KEY_UNAVAILABLE 400

// A stored secret does not open with the key-encryption key given.
#define HOOKBOX_SEAL_BROKEN 401

// A received request or challenge is not authentic: answer 401, and log the message.
#define HOOKBOX_NOT_AUTHENTIC 402

// As HOOKBOX_NOT_AUTHENTIC, since the JWK set has no key with the request's kid. It may have been
// rotated in: fetch the set anew, at most once a minute, and verify again.
#define HOOKBOX_UNKNOWN_KEY 403

// A bug in hookbox. Please report it.
#define HOOKBOX_INTERNAL 900

// A bug in hookbox stopped this call, or an earlier one with the same box, which is of no use any
// more: free it, and open it anew. Please report it.
#define HOOKBOX_PANIC 901

// Bytes of an id's text at most, its NUL included.
#define HOOKBOX_ID_BYTES 40

// The version that this header belongs to: major, minor, patch.
#define HOOKBOX_VERSION_MAJOR 0

// See HOOKBOX_VERSION_MAJOR.
#define HOOKBOX_VERSION_MINOR 1

// See HOOKBOX_VERSION_MAJOR.
#define HOOKBOX_VERSION_PATCH 0

// The same in one number: major * 1000000 + minor * 1000 + patch.
#define HOOKBOX_VERSION_NUMBER 1000

// As the profile has it: all event types, or none.
#define HOOKBOX_EVENTS_DEFAULT 0

// Every event of the app.
#define HOOKBOX_EVENTS_ALL 1

// Those in hookbox_webhook_config.event_types.
#define HOOKBOX_EVENTS_ONLY 2

// What hookbox_webhook_update() takes from a configuration: its url. A new one un-verifies the webhook.
#define HOOKBOX_WEBHOOK_URL 1

// Its verification_token.
#define HOOKBOX_WEBHOOK_TOKEN 2

// Its events and event_types.
#define HOOKBOX_WEBHOOK_EVENTS 4

// Its description.
#define HOOKBOX_WEBHOOK_DESCRIPTION 8

// Its disabled.
#define HOOKBOX_WEBHOOK_ENABLED 16

// Its environment; empty hears all.
#define HOOKBOX_WEBHOOK_ENVIRONMENT 32

// Its headers, all of them.
#define HOOKBOX_WEBHOOK_HEADERS 64

// Its username and password; empty ones remove basic authentication.
#define HOOKBOX_WEBHOOK_BASIC_AUTH 128

// Its overrides, all of them.
#define HOOKBOX_WEBHOOK_OVERRIDES 256

// Either is wanted: the filter is off.
#define HOOKBOX_ANY 0

// Only what is enabled.
#define HOOKBOX_ENABLED 1

// Only what is disabled.
#define HOOKBOX_DISABLED 2

// Events in one call at most.
#define HOOKBOX_EMIT_EVENTS_MAX 10000

// Published, not yet signing: receivers' caches get to know it.
#define HOOKBOX_KEY_NEXT 0

// Published and signing.
#define HOOKBOX_KEY_ACTIVE 1

// Published, no longer signing: what it signed can still be verified.
#define HOOKBOX_KEY_RETIRED 2

// No longer published.
#define HOOKBOX_KEY_GONE 3

// Of any status: the filter is off.
#define HOOKBOX_BATCH_ANY 0

// Waits for its next attempt to be due.
#define HOOKBOX_BATCH_WAITING 1

// Is being sent.
#define HOOKBOX_BATCH_LEASED 2

// The endpoint accepted it.
#define HOOKBOX_BATCH_DELIVERED 3

// Ran past its retry window; resendable.
#define HOOKBOX_BATCH_EXHAUSTED 4

// Its webhook is inactive; it waits for re-activation.
#define HOOKBOX_BATCH_PARKED 5

// Ended by the host, by the receiver, or by being split.
#define HOOKBOX_BATCH_CANCELLED 6

// The endpoint answered: hookbox_outcome.http_status says how.
#define HOOKBOX_ANSWERED 0

// The name has no address, or the resolver failed.
#define HOOKBOX_FAILED_DNS 1

// An address that the name resolved to is not allowed.
#define HOOKBOX_FAILED_ADDRESS_DENIED 2

// No connection.
#define HOOKBOX_FAILED_CONNECT 3

// The TLS handshake or the certificate failed.
#define HOOKBOX_FAILED_TLS 4

// The deadline passed.
#define HOOKBOX_FAILED_TIMEOUT 5

// The connection broke.
#define HOOKBOX_FAILED_RESET 6

// The answer is not HTTP, or larger than allowed.
#define HOOKBOX_FAILED_PROTOCOL 7

// A proxy of the host's failed. Never charged to the endpoint.
#define HOOKBOX_FAILED_PROXY 8

// It was not sent after all (the host stops). Never charged to the endpoint.
#define HOOKBOX_FAILED_STOPPED 9

// RSA-PSS with the sender's JWK set: the Prelude profile.
#define HOOKBOX_VERIFY_PRELUDE 1

// HMAC with the webhook's secrets: the Fingerprint profile.
#define HOOKBOX_VERIFY_FINGERPRINT 2

// HMAC or Ed25519 with the webhook's secrets: the Standard Webhooks profile.
#define HOOKBOX_VERIFY_STANDARD 3

// Prelude's API: /v2/session/apps/{app}/webhooks….
#define HOOKBOX_API_PRELUDE 1

// Fingerprint's API: /webhooks…, for the app of the key.
#define HOOKBOX_API_FINGERPRINT 2

// A webhook outbox. Thread-safe: any thread may call anything with it, at any time. It belongs to the
// process that opened it: in a child of fork() every call returns HOOKBOX_FORKED and touches nothing.
typedef struct hookbox_box hookbox_box;

// The library's own part of a hookbox_delivery.
typedef struct hookbox_delivery_inner hookbox_delivery_inner;

// How a box is to be opened: a builder. Everything has a sound default. It may be used for several
// boxes, and freed once they are open. Movable between threads, not shareable. Ranges are checked
// when a box is opened with it.
typedef struct hookbox_options hookbox_options;

// What a receiver verifies with. Immutable: any number of threads may use it at once.
typedef struct hookbox_verifier hookbox_verifier;

// A text or a byte string: where it begins, and how many bytes it has. It owns nothing.
//
// As an argument it need not end with a NUL, must be UTF-8 unless said otherwise, and is copied before
// the call returns; with a length of zero the pointer is ignored, and where a text may be left out,
// that leaves it out. HOOKBOX_STR("…") and hookbox_cstr() make one. What hookbox gives out has a NUL
// after its last byte, and lives as long as the object it was found in.
typedef struct hookbox_str {
    // The first byte.
    const char *ptr;
    // How many bytes; a NUL at the end is not counted.
    size_t len;
} hookbox_str;

// A list of texts. Owned by the caller: free it with hookbox_texts_free(). Immutable.
typedef struct hookbox_texts {
    // The texts.
    const struct hookbox_str *items;
    // How many.
    size_t count;
} hookbox_texts;

// What a call came to: HOOKBOX_OK, or one of the constants below. Numbers are never changed or reused.
typedef int32_t hookbox_status;

// What went wrong. Owned by the caller of the function that gave it: free it with
// hookbox_error_free(). Immutable: any thread may read it. It holds no secret.
typedef struct hookbox_error {
    // The status that the call returned.
    hookbox_status status;
    // The HTTP status that the management API answers with: 400 to 503.
    uint16_t http_status;
    // Whether the same call may succeed later without any change by the caller.
    bool retryable;
    // The stable code, for programs: the vendor's own where the vendor has one
    // ("webhook_invalid_url").
    struct hookbox_str code;
    // What happened and what to do, for people: one line.
    struct hookbox_str message;
} hookbox_error;

// Something that a host's operators may want to hear of, after it was stored. Valid during the
// callback only. Later versions may append members: do not copy it whole.
typedef struct hookbox_notice {
    // What happened: "webhook_failing", "webhook_deactivated", "webhook_recovered",
    // "batch_exhausted", "batch_split", "key_rotated", "delivery_fault", "bad_row",
    // "engine_failed", "storage_stalled", "storage_resumed"; later versions may have more.
    struct hookbox_str kind;
    // The app, where one is concerned; else empty.
    struct hookbox_str app_id;
    // The webhook, where one is concerned; else empty.
    struct hookbox_str webhook_id;
    // The batch, where one is concerned; else empty.
    struct hookbox_str batch_id;
    // All of it as a JSON object; the member "notice" is the kind.
    struct hookbox_str json;
} hookbox_notice;

// Is told of a notice. It runs on hookbox's threads, and on those that call hookbox_box_poll() and
// the like; several at once. It may call anything but hookbox_box_start(), _stop(), _close() and
// _free(), and must neither unwind nor longjmp.
typedef void (*hookbox_on_notice)(void *user_data, const struct hookbox_notice *notice);

// Ends a host's data. Called exactly once: when what it was registered with is replaced or freed, and
// also when the registering call itself fails. On whatever thread that happens.
typedef void (*hookbox_destroy)(void *user_data);

// What may be created as an app. Clear it with zeros, set struct_size (HOOKBOX_NEW_APP_INIT does
// both), and then what is to differ.
typedef struct hookbox_new_app {
    // sizeof(hookbox_new_app).
    uint32_t struct_size;
    // Bits of the RSA signing key that hookbox makes: 2048, 3072 or 4096; 0 means 2048.
    uint32_t key_bits;
    // Its id: 1 to 64 characters of A-Z a-z 0-9 . _ -, the first one alphanumeric.
    struct hookbox_str id;
    // Which wire contract its webhooks follow: "prelude" (if empty), "fingerprint",
    // "standard_webhooks", or a profile of the host's own as a JSON object: take the one of
    // hookbox_profile() and change it.
    struct hookbox_str profile;
    // A signing key of the host's own (PEM, PKCS#8 or PKCS#1, 2048 bits or more); empty: hookbox makes one.
    struct hookbox_str key_pem;
    // The id of that key (kid); empty: a random UUID. Not without key_pem.
    struct hookbox_str key_id;
} hookbox_new_app;

// A tenant: it owns signing keys, webhooks and events. Owned by the caller, or part of a page.
// Immutable. Later versions may append members: do not copy it whole.
typedef struct hookbox_app {
    // Its id.
    struct hookbox_str id;
    // Whether it takes events and changes.
    bool enabled;
    // When it was created, in Unix milliseconds.
    int64_t created_at_ms;
    // The name of its profile.
    struct hookbox_str profile_name;
    // Its whole profile as JSON.
    struct hookbox_str profile;
} hookbox_app;

// One page of a listing of apps. Owned by the caller: free it with hookbox_app_page_free(). Immutable.
typedef struct hookbox_app_page {
    // The apps, in order of id.
    const struct hookbox_app *const *items;
    // How many.
    size_t count;
    // For the next call; empty on the last page.
    struct hookbox_str next_cursor;
} hookbox_app_page;

// A name and a value: a header, for one.
typedef struct hookbox_pair {
    // The name.
    struct hookbox_str name;
    // The value.
    struct hookbox_str value;
} hookbox_pair;

// How a webhook is to be. Clear it with zeros, set struct_size (HOOKBOX_WEBHOOK_CONFIG_INIT does
// both), and then what is to differ.
typedef struct hookbox_webhook_config {
    // sizeof(hookbox_webhook_config).
    uint32_t struct_size;
    // Which event types: HOOKBOX_EVENTS_DEFAULT, _ALL or _ONLY.
    int32_t events;
    // An absolute URL of at most 2048 characters, inside the box's address policy.
    struct hookbox_str url;
    // At most 100 characters, sent with the activation challenge, so that the endpoint knows who asks.
    struct hookbox_str verification_token;
    // The event types of HOOKBOX_EVENTS_ONLY; none at all is allowed and hears nothing.
    const struct hookbox_str *event_types;
    // How many.
    size_t event_type_count;
    // For people, at most 1024 bytes.
    struct hookbox_str description;
    // Only events of this environment are owed; empty hears all.
    struct hookbox_str environment;
    // Custom headers, sent with every delivery: at most 32, none of those that hookbox or HTTP
    // itself sets. Values are kept as secrets.
    const struct hookbox_pair *headers;
    // How many.
    size_t header_count;
    // Basic authentication (RFC 7617): a username without colon; empty for none.
    struct hookbox_str username;
    // Its password.
    struct hookbox_str password;
    // The secret to sign with, for profiles that sign with one; empty: hookbox makes one. (Updates
    // leave it alone: hookbox_webhook_roll_signing_secret().)
    struct hookbox_str signing_secret;
    // Settings that replace those of the app's profile, as a JSON object; empty for none: "timeout"
    // (ms), "concurrency", "rate_limit" (requests a second), "retry" (as in a profile), "ordering"
    // ("none" or "fifo").
    struct hookbox_str overrides;
    // The operator's switch: true registers it switched off.
    bool disabled;
} hookbox_webhook_config;

// One registered URL of an app. Its secrets are never shown. Owned by the caller, or part of a page.
// Immutable. Later versions may append members: do not copy it whole.
typedef struct hookbox_webhook {
    // Its id: "web_…", or "wh_…" under the Fingerprint profile.
    struct hookbox_str id;
    // The app it belongs to.
    struct hookbox_str app_id;
    // Where its requests go.
    struct hookbox_str url;
    // Whether it hears every event type; else event_types has them.
    bool all_events;
    // Whether the endpoint passed its challenge.
    bool verified;
    // The operator's switch.
    bool enabled;
    // Verified and enabled: it is owed what is emitted now.
    bool active;
    // Whether requests carry basic authentication.
    bool has_basic_auth;
    // The status of the last delivery that was answered; 0 before the first.
    uint16_t last_http_code;
    // When that was, in Unix milliseconds; 0 before the first.
    int64_t last_http_code_at_ms;
    // Which event types it is subscribed to.
    const struct hookbox_str *event_types;
    // How many.
    size_t event_type_count;
    // For people.
    struct hookbox_str description;
    // Only events of this environment are owed; empty: all.
    struct hookbox_str environment;
    // Its own settings, as in hookbox_webhook_config.
    struct hookbox_str overrides;
    // Names of the custom headers.
    const struct hookbox_str *header_names;
    // How many.
    size_t header_name_count;
    // When it was registered, in Unix milliseconds.
    int64_t created_at_ms;
    // When its registration last changed, in Unix milliseconds.
    int64_t updated_at_ms;
    // When it was last enabled, in Unix milliseconds; 0 for never.
    int64_t last_enabled_at_ms;
    // When it was last disabled, in Unix milliseconds; 0 for never.
    int64_t last_disabled_at_ms;
} hookbox_webhook;

// One page of a listing of webhooks. Owned by the caller: free it with hookbox_webhook_page_free().
// Immutable.
typedef struct hookbox_webhook_page {
    // The webhooks, in order of registration.
    const struct hookbox_webhook *const *items;
    // How many.
    size_t count;
    // For the next call; empty on the last page.
    struct hookbox_str next_cursor;
} hookbox_webhook_page;

// The id of a webhook, an event or a batch, as a NUL-terminated text. The caller's memory.
typedef struct hookbox_id {
    // The text and its NUL.
    char text[HOOKBOX_ID_BYTES];
} hookbox_id;

// An event to emit. Clear it with zeros, set struct_size (HOOKBOX_NEW_EVENT_INIT does both), and then
// type and payload.
typedef struct hookbox_new_event {
    // sizeof(hookbox_new_event); the same in all events of an array.
    uint32_t struct_size;
    // Never sent again once any byte of a request may have arrived: the event may be lost. By default
    // it is sent until it has arrived, and may arrive twice.
    bool at_most_once;
    // Its type, of the catalogue.
    struct hookbox_str event_type;
    // One JSON text, stored and sent verbatim.
    struct hookbox_str payload;
    // Emitting again with the same key gives the first event's id and stores nothing (at most 255
    // bytes; for as long as retention keeps the event); empty for none.
    struct hookbox_str idempotency_key;
    // The environment it happened in; empty for none.
    struct hookbox_str environment;
} hookbox_new_event;

// An event as stored. Owned by the caller, or part of a page. Immutable. Later versions may append
// members: do not copy it whole.
typedef struct hookbox_event {
    // Its id, "evt_…". Receivers deduplicate on it.
    struct hookbox_str id;
    // Its place in the log, counted from 1.
    int64_t position;
    // The app it belongs to.
    struct hookbox_str app_id;
    // Its type.
    struct hookbox_str event_type;
    // The JSON text as emitted.
    struct hookbox_str payload;
    // When it was emitted, in Unix milliseconds.
    int64_t created_at_ms;
    // As given at emission; empty for none.
    struct hookbox_str idempotency_key;
    // As given at emission; empty for none.
    struct hookbox_str environment;
    // As given at emission.
    bool at_most_once;
} hookbox_event;

// One page of a listing of events. Owned by the caller: free it with hookbox_event_page_free(). Immutable.
typedef struct hookbox_event_page {
    // The events, the newest first.
    const struct hookbox_event *const *items;
    // How many.
    size_t count;
    // For the next call; empty on the last page.
    struct hookbox_str next_cursor;
} hookbox_event_page;

// A signing key of an app, without its private part. Owned by the caller, or part of a list.
// Immutable. Later versions may append members: do not copy it whole.
typedef struct hookbox_key {
    // Its id, as X-Webhook-Signature-Key-Id carries it.
    struct hookbox_str kid;
    // Its public part as a JSON Web Key.
    struct hookbox_str public_jwk;
    // What it is for now: HOOKBOX_KEY_NEXT, _ACTIVE, _RETIRED or _GONE.
    int32_t phase;
    // Whether the private part is in the box; else the host signs (hookbox_key_register_signer()).
    bool has_private_part;
    // Since when it is published, in Unix milliseconds.
    int64_t created_at_ms;
    // From when on it signs, in Unix milliseconds.
    int64_t signs_from_ms;
    // From when on it no longer signs, in Unix milliseconds; 0 when no key takes over yet.
    int64_t signs_until_ms;
    // From when on it is no longer published, in Unix milliseconds; 0 when that is not known yet.
    int64_t published_until_ms;
} hookbox_key;

// A list of keys. Owned by the caller: free it with hookbox_key_list_free(). Immutable.
typedef struct hookbox_key_list {
    // The keys, oldest first.
    const struct hookbox_key *const *items;
    // How many.
    size_t count;
} hookbox_key_list;

// A frozen list of events for one webhook: the unit of delivery, retry and resend. Owned by the caller,
// or part of a page. Immutable. Later versions may append members: do not copy it whole.
typedef struct hookbox_batch {
    // Its id, "bat_…": stable over attempts and resends.
    struct hookbox_str id;
    // The app it belongs to.
    struct hookbox_str app_id;
    // The webhook it is for.
    struct hookbox_str webhook_id;
    // The batch it was split from; empty for none.
    struct hookbox_str parent_id;
    // HOOKBOX_BATCH_WAITING and its like.
    int32_t status;
    // Whether it is sent at most once.
    bool at_most_once;
    // Why it ended otherwise than delivered, as text; else empty.
    struct hookbox_str end_reason;
    // How many events it holds.
    uint64_t event_count;
    // The log position of the first of them.
    int64_t first_position;
    // The log position of the last of them.
    int64_t last_position;
    // Requests begun so far.
    uint32_t attempts;
    // Failed attempts in the current budget.
    uint32_t failures;
    // When it was frozen, in Unix milliseconds.
    int64_t created_at_ms;
    // When it is due (waiting), or when its lease ends (leased), in Unix milliseconds; 0 otherwise.
    int64_t due_at_ms;
    // When it ended, in Unix milliseconds; 0 when it has not.
    int64_t ended_at_ms;
} hookbox_batch;

// One page of a listing of batches. Owned by the caller: free it with hookbox_batch_page_free(). Immutable.
typedef struct hookbox_batch_page {
    // The batches, the newest first.
    const struct hookbox_batch *const *items;
    // How many.
    size_t count;
    // For the next call; empty on the last page.
    struct hookbox_str next_cursor;
} hookbox_batch_page;

// One HTTP request for a batch, and what came of it. Part of a page or a story. Immutable. Later
// versions may append members: do not copy it whole.
typedef struct hookbox_attempt {
    // The batch.
    struct hookbox_str batch_id;
    // The webhook.
    struct hookbox_str webhook_id;
    // Counted from 1 within the batch.
    uint32_t number;
    // The status that was answered; 0 when there was no answer.
    uint16_t http_status;
    // Why there was no answer, as text ("timeout", "dns" …); else empty.
    struct hookbox_str failure;
    // When the request began, in Unix milliseconds.
    int64_t started_at_ms;
    // How long it took, in milliseconds.
    uint64_t duration_ms;
    // The start of the response's body, or the failure in words: at most 1024 bytes.
    struct hookbox_str excerpt;
} hookbox_attempt;

// One page of a listing of attempts. Owned by the caller: free it with hookbox_attempt_page_free().
// Immutable.
typedef struct hookbox_attempt_page {
    // The attempts, the newest first.
    const struct hookbox_attempt *const *items;
    // How many.
    size_t count;
    // For the next call; empty on the last page.
    struct hookbox_str next_cursor;
} hookbox_attempt_page;

// Where a webhook stands. Owned by the caller: free it with hookbox_backlog_free(). Immutable. Later
// versions may append members: do not copy it whole.
typedef struct hookbox_backlog {
    // Events owed that are in no batch yet; counted up to 100 000.
    uint64_t events_owed;
    // When the oldest of them was emitted, in Unix milliseconds; 0 for none.
    int64_t oldest_owed_at_ms;
    // Batches that wait for their next attempt.
    uint64_t batches_waiting;
    // Batches that are being sent.
    uint64_t batches_leased;
    // Batches that wait for re-activation.
    uint64_t batches_parked;
    // Batches that were given up.
    uint64_t batches_exhausted;
    // Failed attempts since the last success.
    uint32_t consecutive_failures;
    // Since when there have been nothing but failures, in Unix milliseconds; 0 when there are none.
    int64_t failing_since_ms;
    // The last success, in Unix milliseconds; 0 for none.
    int64_t last_success_at_ms;
    // Nothing is sent before, as the endpoint asked (Retry-After), in Unix milliseconds; 0 for no pause.
    int64_t paused_until_ms;
    // When its next request is due, as far as it is known, in Unix milliseconds; else 0.
    int64_t next_due_ms;
} hookbox_backlog;

// One HTTP request, to be sent as it is: no redirect followed, no header added but those of HTTP itself.
// Part of a claim, or valid during a callback. Later versions may append members: do not copy it whole.
typedef struct hookbox_request {
    // "POST" for deliveries, "GET" for the activation challenge.
    struct hookbox_str method;
    // The whole URL.
    struct hookbox_str url;
    // Its headers, in order. Values may be secret.
    const struct hookbox_pair *headers;
    // How many.
    size_t header_count;
    // Its body: bytes.
    struct hookbox_str body;
    // One hard deadline over everything, in milliseconds.
    uint64_t timeout_ms;
} hookbox_request;

// A batch to deliver: its request, and until when the right to send it lasts. Owned by the caller, as
// part of a list. Immutable.
typedef struct hookbox_delivery {
    // The batch.
    struct hookbox_str batch_id;
    // Settle it before this time (Unix milliseconds), or the batch goes to somebody else.
    int64_t lease_until_ms;
    // The request.
    struct hookbox_request request;
    // The library's own; not to be looked into.
    const struct hookbox_delivery_inner *inner;
} hookbox_delivery;

// Deliveries that were claimed. Owned by the caller: free it with hookbox_delivery_list_free(), when
// all are settled. What is not settled is sent again when its lease ends.
typedef struct hookbox_delivery_list {
    // The deliveries.
    const struct hookbox_delivery *const *items;
    // How many.
    size_t count;
} hookbox_delivery_list;

// What came of a request. Clear it with zeros, set struct_size (HOOKBOX_OUTCOME_INIT does both).
typedef struct hookbox_outcome {
    // sizeof(hookbox_outcome).
    uint32_t struct_size;
    // HOOKBOX_ANSWERED, or why there was no answer: HOOKBOX_FAILED_….
    int32_t kind;
    // The response's status, 100 to 999, when it was answered.
    uint16_t http_status;
    // The response's headers; hookbox reads Retry-After and Webhook-Delivery.
    const struct hookbox_pair *headers;
    // How many.
    size_t header_count;
    // The start of the response's body (16 KiB are enough), or the failure in words, for the record.
    struct hookbox_str body;
} hookbox_outcome;

// The story of one batch. Owned by the caller, or part of an event's story. Immutable. Later versions
// may append members: do not copy it whole.
typedef struct hookbox_batch_story {
    // The batch.
    const struct hookbox_batch *batch;
    // Its attempts, oldest first; the last hundred.
    const struct hookbox_attempt *const *attempts;
    // How many.
    size_t attempt_count;
    // What happened and what comes next, in sentences.
    const struct hookbox_str *sentences;
    // How many.
    size_t sentence_count;
} hookbox_batch_story;

// The story of one event. Owned by the caller: free it with hookbox_event_story_free(). Immutable. Later
// versions may append members: do not copy it whole.
typedef struct hookbox_event_story {
    // The event.
    const struct hookbox_event *event;
    // The story of each batch that holds it.
    const struct hookbox_batch_story *const *batches;
    // How many.
    size_t batch_count;
    // What happened and what comes next, in sentences.
    const struct hookbox_str *sentences;
    // How many.
    size_t sentence_count;
} hookbox_event_story;

// The sizes of a box. Owned by the caller: free it with hookbox_stats_free(). Immutable. Later versions
// may append members: do not copy it whole.
typedef struct hookbox_stats {
    // The last log position given.
    int64_t last_position;
    // Bytes of the database.
    uint64_t bytes;
    // Bytes of the write-ahead log, where there is one.
    uint64_t wal_bytes;
} hookbox_stats;

// How a receiver verifies. Zeros mean the defaults.
typedef struct hookbox_verify_options {
    // sizeof(hookbox_verify_options).
    uint32_t struct_size;
    // Prelude: also demand X-Webhook-Signature-V2, which covers id and time.
    bool replay_protection;
    // RSA: accept salts of any length, not of 32 bytes only.
    bool any_salt;
    // How far the sender's clock may be off, in milliseconds; 0 means 5 minutes.
    uint64_t tolerance_ms;
    // The largest body that is looked at, in bytes; 0 means 4 MiB.
    size_t body_bytes_max;
} hookbox_verify_options;

// One event out of a request. Part of a list. Immutable. Later versions may append members.
typedef struct hookbox_received_event {
    // Its id, the same at every attempt: remember it to tell repetitions. Empty under the Fingerprint
    // profile, which signs none.
    struct hookbox_str id;
    // Its type; empty under the Fingerprint profile.
    struct hookbox_str event_type;
    // Its payload: JSON text, exactly as it came.
    struct hookbox_str payload;
    // When it was emitted, RFC 3339 as it came; may be empty.
    struct hookbox_str created_at;
} hookbox_received_event;

// The events of a request. Owned by the caller: free it with hookbox_received_free(). Immutable.
typedef struct hookbox_received {
    // The events.
    const struct hookbox_received_event *const *items;
    // How many.
    size_t count;
} hookbox_received;

// The answer to an activation challenge, to be sent as it is. Owned by the caller: free it with
// hookbox_challenge_answer_free(). Immutable.
typedef struct hookbox_challenge_answer {
    // The HTTP status: 200.
    uint16_t http_status;
    // The number that was asked back.
    uint64_t challenge;
    // The value of Content-Type.
    struct hookbox_str content_type;
    // The body.
    struct hookbox_str body;
    // Which app asks; empty when it does not say.
    struct hookbox_str app_id;
} hookbox_challenge_answer;

// What may be made as an API key. Clear it with zeros, set struct_size (HOOKBOX_NEW_API_KEY_INIT does
// both): a key for every app, for everything, that never expires.
typedef struct hookbox_new_api_key {
    // sizeof(hookbox_new_api_key).
    uint32_t struct_size;
    // Requests a second in the long run: 1 to 10 000; 0 means 50. Twice as many may come at once.
    uint32_t requests_per_second;
    // What it is for: at most 100 characters.
    struct hookbox_str name;
    // The one app it is for; empty: every app.
    struct hookbox_str app;
    // From when on it is refused, in Unix milliseconds; 0 for never.
    int64_t expires_at_ms;
    // Whether it is for looking only.
    bool read_only;
} hookbox_new_api_key;

// A key of the management API, without its secret part. Owned by the caller, or part of a page.
// Immutable. Later versions may append members: do not copy it whole.
typedef struct hookbox_api_key {
    // Its id, "hbk_…": the public beginning of the key itself.
    struct hookbox_str id;
    // What it is for.
    struct hookbox_str name;
    // The one app it is for; empty: every app.
    struct hookbox_str app_id;
    // Whether it is for looking only.
    bool read_only;
    // Requests a second in the long run.
    uint32_t requests_per_second;
    // When it was made, in Unix milliseconds.
    int64_t created_at_ms;
    // From when on it is refused, in Unix milliseconds; 0 for never.
    int64_t expires_at_ms;
    // When it was revoked, in Unix milliseconds; 0 when it was not.
    int64_t revoked_at_ms;
    // When it was used last, to the minute, in Unix milliseconds; 0 for never.
    int64_t last_used_at_ms;
} hookbox_api_key;

// One page of a listing of API keys. Owned by the caller: free it with hookbox_api_key_page_free().
// Immutable.
typedef struct hookbox_api_key_page {
    // The keys, the oldest first; revoked and expired ones stay listed.
    const struct hookbox_api_key *const *items;
    // How many.
    size_t count;
    // For the next call; empty on the last page.
    struct hookbox_str next_cursor;
} hookbox_api_key_page;

// What the sender of a request may do, for a program that has found that out by itself. Set struct_size
// (HOOKBOX_GRANT_INIT does).
typedef struct hookbox_grant {
    // sizeof(hookbox_grant).
    uint32_t struct_size;
    // Looking only.
    bool read_only;
    // The one app it is for; empty: every app.
    struct hookbox_str app;
} hookbox_grant;

// A request as a server received it. Set struct_size (HOOKBOX_API_REQUEST_INIT does).
typedef struct hookbox_api_request {
    // sizeof(hookbox_api_request).
    uint32_t struct_size;
    // The method.
    struct hookbox_str method;
    // Path and query, as in the request line; still percent-encoded.
    struct hookbox_str target;
    // The headers.
    const struct hookbox_pair *headers;
    // How many.
    size_t header_count;
    // The body: bytes. More than 1 MiB is never taken.
    struct hookbox_str body;
} hookbox_api_request;

// What to answer. Owned by the caller: free it with hookbox_api_response_free(). Immutable. Later versions
// may append members: do not copy it whole.
typedef struct hookbox_api_response {
    // The HTTP status.
    uint16_t http_status;
    // The headers; Content-Length and Date are the server's to add.
    const struct hookbox_pair *headers;
    // How many.
    size_t header_count;
    // The body: bytes.
    struct hookbox_str body;
} hookbox_api_response;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Frees a list of texts. NULL is ignored.
void hookbox_texts_free(struct hookbox_texts *texts);

// Frees an error. NULL is ignored.
void hookbox_error_free(struct hookbox_error *error);

// Makes an error, for a callback of <hookbox/sys.h> that fails: `status` is what the callback
// returns, `message` says why. hookbox frees it. NULL when `message` is not UTF-8.
struct hookbox_error *hookbox_error_new(hookbox_status status, struct hookbox_str message);

// The library's version, as "0.1.0". Never freed.
const char *hookbox_version(void);

// The library's version as a number, to be compared with HOOKBOX_VERSION_NUMBER.
uint32_t hookbox_version_number(void);

// Checks that this library serves a program built with the header of version `header`: give it
// HOOKBOX_VERSION_NUMBER. Before 1.0 major and minor must be equal, and the library's patch must be no less.
//
// Errors: HOOKBOX_UNSUPPORTED.
hookbox_status hookbox_version_check(uint32_t header,
                                     struct hookbox_error **error);

// The version of the copy of SQLite that this library runs on, as "3.51.3". Never freed.
const char *hookbox_sqlite_version(void);

// Whether this library runs on a copy of SQLite of its own (1), or shares the system's (0). In the
// former case nobody else in this process may open a box's file with another copy: two copies in one
// process corrupt a file. In the latter hookbox_emit_in() works.
int hookbox_sqlite_is_bundled(void);

// Makes options, all of them as by default. Free them with hookbox_options_free().
hookbox_status hookbox_options_new(struct hookbox_options **out_options,
                                   struct hookbox_error **error);

// Frees options. NULL is ignored.
void hookbox_options_free(struct hookbox_options *options);

// Bytes of a payload at most: 1 byte to 64 MiB. The file keeps what was set last; 256 KiB at first.
hookbox_status hookbox_options_set_payload_bytes_max(struct hookbox_options *options,
                                                     size_t bytes,
                                                     struct hookbox_error **error);

// Requests that the threads of hookbox_box_start() send at once to webhooks that answer: 1 to 1024; 16
// by default. Webhooks that were not tried yet get as many beside them, and those that failed last a
// quarter of it.
hookbox_status hookbox_options_set_workers(struct hookbox_options *options,
                                           size_t workers,
                                           struct hookbox_error **error);

// Requests that may be out beside those because their endpoint has not answered for more than 250
// ms: 0 to 4096; 1024 by default. Each costs a thread while it waits.
hookbox_status hookbox_options_set_slow_requests_max(struct hookbox_options *options,
                                                     size_t requests,
                                                     struct hookbox_error **error);

// How long ended batches, their attempts and events are kept, in milliseconds: a minute at least; 30
// days by default; 0 keeps them for good. What is still owed is never deleted.
hookbox_status hookbox_options_set_retention_ms(struct hookbox_options *options,
                                                uint64_t retention_ms,
                                                struct hookbox_error **error);

// How long a new signing key is published before it signs (an hour by default), and how long an old
// one stays published after it signed (15 days), in milliseconds.
hookbox_status hookbox_options_set_key_rotation_ms(struct hookbox_options *options,
                                                   uint64_t lead_ms,
                                                   uint64_t overlap_ms,
                                                   struct hookbox_error **error);

// Seals private keys, tokens and other secrets in the box with a key of 32 bytes, which is copied.
// `older` holds `older_count` keys of 32 bytes, one after the other: they still open what they
// sealed. `current` may be NULL where there are older ones: the way back. What was stored before
// stays as it was until hookbox_keys_reseal().
hookbox_status hookbox_options_set_key_encryption_key(struct hookbox_options *options,
                                                      const uint8_t *current,
                                                      const uint8_t *older,
                                                      size_t older_count,
                                                      struct hookbox_error **error);

// Allows http:// URLs as well as https://. Off by default.
hookbox_status hookbox_options_set_allow_http(struct hookbox_options *options,
                                              bool allow,
                                              struct hookbox_error **error);

// Allows endpoints in a network ("10.0.0.0/8", "fd00::/8") although it is not public. May be called
// several times.
//
// Errors: HOOKBOX_INVALID_REQUEST for what is no network.
hookbox_status hookbox_options_allow_network(struct hookbox_options *options,
                                             struct hookbox_str network,
                                             struct hookbox_error **error);

// Allows exactly these ports. Without it: 443, 80 where http is allowed, and every port from 1024.
hookbox_status hookbox_options_set_ports(struct hookbox_options *options,
                                         const uint16_t *ports,
                                         size_t count,
                                         struct hookbox_error **error);

// Sends through an HTTP proxy ("http://user:password@proxy:3128"); empty for none, as by default: no
// environment variable is read.
hookbox_status hookbox_options_set_proxy(struct hookbox_options *options,
                                         struct hookbox_str url,
                                         struct hookbox_error **error);

// Trusts these certificate authorities (PEM) beside Mozilla's, which are compiled in.
hookbox_status hookbox_options_set_extra_root_pem(struct hookbox_options *options,
                                                  struct hookbox_str pem,
                                                  struct hookbox_error **error);

// The User-Agent header of requests; "hookbox/" and the version by default.
hookbox_status hookbox_options_set_user_agent(struct hookbox_options *options,
                                              struct hookbox_str user_agent,
                                              struct hookbox_error **error);

// Connections to a PostgreSQL server at most, beside the one that listens: 1 to 1000; 8 by default.
//
// Errors: HOOKBOX_UNSUPPORTED where the library was built without PostgreSQL.
hookbox_status hookbox_options_set_postgres_pool(struct hookbox_options *options,
                                                 size_t connections,
                                                 struct hookbox_error **error);

// Calls back with operational notices. `destroy` ends `user_data`: see hookbox_destroy.
hookbox_status hookbox_options_set_on_notice(struct hookbox_options *options,
                                             hookbox_on_notice on_notice,
                                             void *user_data,
                                             hookbox_destroy destroy,
                                             struct hookbox_error **error);

// Closes a box: stops its threads as hookbox_box_stop() does with `drain_ms`, and waits for calls
// that other threads have under way. From then on every call but hookbox_box_free() returns
// HOOKBOX_CLOSED, no thread of hookbox runs, and no callback is called again. Closing twice is no
// error.
//
// Errors: HOOKBOX_UNSUPPORTED from inside a callback, and the box stays open; HOOKBOX_STORAGE_IO when
// the storage took no more results (it is closed all the same, and what they belong to is sent
// again); HOOKBOX_FORKED.
hookbox_status hookbox_box_close(struct hookbox_box *hooks,
                                 uint64_t drain_ms,
                                 struct hookbox_error **error);

// Frees a box, closing it first without patience where it is open. NULL is ignored. No other thread
// may be in a call with the box, nor call with it again. In a child of fork() the memory is left
// alone.
void hookbox_box_free(struct hookbox_box *hooks);

// Opens a box in an SQLite file, which is created where it is missing; or in the PostgreSQL database
// of a URL ("postgres://user:password@host/database"), where the library was built with it.
//
// `options` may be NULL: all as by default. The box is the caller's: close it with hookbox_box_close()
// and free it with hookbox_box_free().
//
// Errors: HOOKBOX_INVALID_REQUEST for an option out of range, or a URL that cannot be used;
// HOOKBOX_UNSUPPORTED for a URL where the library was built without PostgreSQL; HOOKBOX_STORAGE_….
hookbox_status hookbox_open(struct hookbox_str path,
                            const struct hookbox_options *options,
                            struct hookbox_box **out_box,
                            struct hookbox_error **error);

// Opens a box for looking only: nothing is created, migrated, changed or sent, and calls that would
// do so return HOOKBOX_READ_ONLY.
//
// Errors: as hookbox_open(); also when there is no box.
hookbox_status hookbox_open_read_only(struct hookbox_str path,
                                      const struct hookbox_options *options,
                                      struct hookbox_box **out_box,
                                      struct hookbox_error **error);

// Opens a new box in memory. Its events are lost when it is closed or the process ends, delivered or
// not: for tests, and for events that may be lost.
//
// Errors: HOOKBOX_INVALID_REQUEST for an option out of range.
hookbox_status hookbox_open_in_memory(const struct hookbox_options *options,
                                      struct hookbox_box **out_box,
                                      struct hookbox_error **error);

// A built-in profile as JSON, one text, to be changed and given to hookbox_app_create():
// "prelude", "fingerprint" or "standard_webhooks".
//
// Errors: HOOKBOX_INVALID_REQUEST for another name.
hookbox_status hookbox_profile(struct hookbox_str name,
                               struct hookbox_texts **out_json,
                               struct hookbox_error **error);

// Creates an app, with a signing key where its profile signs with one. `out_app` may be NULL.
//
// Errors: HOOKBOX_APP_EXISTS; HOOKBOX_APP_NOT_FOUND when the text cannot be an app's id;
// HOOKBOX_INVALID_REQUEST for a profile out of range; HOOKBOX_INVALID_KEY.
hookbox_status hookbox_app_create(struct hookbox_box *hooks,
                                  const struct hookbox_new_app *new_app,
                                  struct hookbox_app **out_app,
                                  struct hookbox_error **error);

// Reads an app. Free it with hookbox_app_free().
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_app_get(const struct hookbox_box *hooks,
                               struct hookbox_str app,
                               struct hookbox_app **out_app,
                               struct hookbox_error **error);

// Lists apps in order of id: at most `limit` of them (1 to 1000; 0 means 100), after the page that
// gave `cursor` (empty: from the first one on).
hookbox_status hookbox_app_list(const struct hookbox_box *hooks,
                                struct hookbox_str cursor,
                                size_t limit,
                                struct hookbox_app_page **out_page,
                                struct hookbox_error **error);

// Lets an app take events and changes again; its deliveries go on.
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_app_enable(struct hookbox_box *hooks,
                                  struct hookbox_str app,
                                  struct hookbox_error **error);

// Disables an app: emits and changes are refused with HOOKBOX_SESSION_DISABLED, and its deliveries
// wait.
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_app_disable(struct hookbox_box *hooks,
                                   struct hookbox_str app,
                                   struct hookbox_error **error);

// Deletes an app with everything of its: keys, webhooks, events, batches and attempts.
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_app_delete(struct hookbox_box *hooks,
                                  struct hookbox_str app,
                                  struct hookbox_error **error);

// Frees an app that was given by itself. NULL is ignored.
void hookbox_app_free(struct hookbox_app *app);

// Frees a page and the apps in it. NULL is ignored.
void hookbox_app_page_free(struct hookbox_app_page *page);

// The catalogue of event types, in order of name; by default the seven of the Prelude profile. Free
// it with hookbox_texts_free().
hookbox_status hookbox_event_types_list(const struct hookbox_box *hooks,
                                        struct hookbox_texts **out_types,
                                        struct hookbox_error **error);

// Adds event types to the catalogue: 1 to 128 characters of A-Z a-z 0-9 . _ - / : each.
//
// Errors: HOOKBOX_INVALID_WEBHOOK_EVENT.
hookbox_status hookbox_event_types_add(struct hookbox_box *hooks,
                                       const struct hookbox_str *types,
                                       size_t count,
                                       struct hookbox_error **error);

// Makes these the whole catalogue. Events and subscriptions of other types stay as they are; new ones
// are refused.
//
// Errors: HOOKBOX_INVALID_WEBHOOK_EVENT.
hookbox_status hookbox_event_types_replace(struct hookbox_box *hooks,
                                           const struct hookbox_str *types,
                                           size_t count,
                                           struct hookbox_error **error);

// Registers a webhook. It is inactive until hookbox_webhook_activate() (except under a profile without
// verification), and is owed what is emitted from then on. `out_webhook` may be NULL.
//
// Errors, checked in this order: HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED,
// HOOKBOX_INVALID_REQUEST, HOOKBOX_INVALID_WEBHOOK_EVENT, HOOKBOX_WEBHOOK_INVALID_URL.
hookbox_status hookbox_webhook_create(struct hookbox_box *hooks,
                                      struct hookbox_str app,
                                      const struct hookbox_webhook_config *config,
                                      struct hookbox_webhook **out_webhook,
                                      struct hookbox_error **error);

// Reads a webhook. Free it with hookbox_webhook_free().
//
// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_WEBHOOK_NOT_FOUND.
hookbox_status hookbox_webhook_get(const struct hookbox_box *hooks,
                                   struct hookbox_str app,
                                   struct hookbox_str webhook,
                                   struct hookbox_webhook **out_webhook,
                                   struct hookbox_error **error);

// Lists an app's webhooks in order of registration: those that `enabled` (HOOKBOX_ANY, HOOKBOX_ENABLED,
// HOOKBOX_DISABLED) and `environment` (empty: any) let through, at most `limit` (1 to 1000; 0 means
// 100), after the page that gave `cursor`.
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_webhook_list(const struct hookbox_box *hooks,
                                    struct hookbox_str app,
                                    int32_t enabled,
                                    struct hookbox_str environment,
                                    struct hookbox_str cursor,
                                    size_t limit,
                                    struct hookbox_webhook_page **out_page,
                                    struct hookbox_error **error);

// Changes a webhook: the fields that `fields` names (HOOKBOX_WEBHOOK_URL and its like, added up) become
// those of `config`. What it was owed before stays owed. `out_webhook` may be NULL.
//
// Errors: as hookbox_webhook_create(), and HOOKBOX_WEBHOOK_NOT_FOUND.
hookbox_status hookbox_webhook_update(struct hookbox_box *hooks,
                                      struct hookbox_str app,
                                      struct hookbox_str webhook,
                                      uint32_t fields,
                                      const struct hookbox_webhook_config *config,
                                      struct hookbox_webhook **out_webhook,
                                      struct hookbox_error **error);

// Deletes a webhook with its batches and attempts.
//
// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED, HOOKBOX_WEBHOOK_NOT_FOUND.
hookbox_status hookbox_webhook_delete(struct hookbox_box *hooks,
                                      struct hookbox_str app,
                                      struct hookbox_str webhook,
                                      struct hookbox_error **error);

// Subscribes a webhook to one more event type, from now on. Twice is as good as once. `out_webhook`
// may be NULL.
//
// Errors: as hookbox_webhook_update().
hookbox_status hookbox_webhook_add_event_type(struct hookbox_box *hooks,
                                              struct hookbox_str app,
                                              struct hookbox_str webhook,
                                              struct hookbox_str event_type,
                                              struct hookbox_webhook **out_webhook,
                                              struct hookbox_error **error);

// Unsubscribes a webhook from an event type, from now on; what it was owed stays owed. Removing what
// is not there is no error. `out_webhook` may be NULL.
//
// Errors: as hookbox_webhook_update(); HOOKBOX_INVALID_REQUEST for a webhook that hears all types.
hookbox_status hookbox_webhook_remove_event_type(struct hookbox_box *hooks,
                                                 struct hookbox_str app,
                                                 struct hookbox_str webhook,
                                                 struct hookbox_str event_type,
                                                 struct hookbox_webhook **out_webhook,
                                                 struct hookbox_error **error);

// Asks the endpoint to prove its ownership, and makes the webhook active: verified and enabled. What
// waited for it goes out again. Takes as long as the endpoint does, within the profile's deadline.
// `out_webhook` may be NULL.
//
// Errors: HOOKBOX_WEBHOOK_ACTIVATION_FAILED, its message says what the endpoint did; nothing is
// changed then. HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED, HOOKBOX_WEBHOOK_NOT_FOUND.
hookbox_status hookbox_webhook_activate(struct hookbox_box *hooks,
                                        struct hookbox_str app,
                                        struct hookbox_str webhook,
                                        struct hookbox_webhook **out_webhook,
                                        struct hookbox_error **error);

// As hookbox_webhook_activate(), but leaves the operator's switch as it is (Fingerprint's verification
// call).
//
// Errors: as hookbox_webhook_activate().
hookbox_status hookbox_webhook_verify(struct hookbox_box *hooks,
                                      struct hookbox_str app,
                                      struct hookbox_str webhook,
                                      struct hookbox_webhook **out_webhook,
                                      struct hookbox_error **error);

// Switches a webhook off. It is not owed what is emitted from now on; what it was owed waits.
// `out_webhook` may be NULL.
//
// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED, HOOKBOX_WEBHOOK_NOT_FOUND.
hookbox_status hookbox_webhook_deactivate(struct hookbox_box *hooks,
                                          struct hookbox_str app,
                                          struct hookbox_str webhook,
                                          struct hookbox_webhook **out_webhook,
                                          struct hookbox_error **error);

// The secrets a webhook's deliveries are signed with, the current one first; none under a profile that
// signs with the app's key. For the receiver's owner only. Free them with hookbox_texts_free().
//
// Errors: HOOKBOX_WEBHOOK_NOT_FOUND, HOOKBOX_SEAL_BROKEN.
hookbox_status hookbox_webhook_signing_secrets(const struct hookbox_box *hooks,
                                               struct hookbox_str app,
                                               struct hookbox_str webhook,
                                               struct hookbox_texts **out_secrets,
                                               struct hookbox_error **error);

// Makes a signing secret the current one (empty: hookbox makes one), and gives it as one text in
// `out_secret`, which may be NULL. With `keep_previous` deliveries carry a signature of each until the
// next call.
//
// Errors: HOOKBOX_INVALID_KEY; HOOKBOX_UNSUPPORTED where the profile signs with the app's key.
hookbox_status hookbox_webhook_roll_signing_secret(struct hookbox_box *hooks,
                                                   struct hookbox_str app,
                                                   struct hookbox_str webhook,
                                                   struct hookbox_str secret,
                                                   bool keep_previous,
                                                   struct hookbox_texts **out_secret,
                                                   struct hookbox_error **error);

// Frees a webhook that was given by itself. NULL is ignored.
void hookbox_webhook_free(struct hookbox_webhook *webhook);

// Frees a page and the webhooks in it. NULL is ignored.
void hookbox_webhook_page_free(struct hookbox_webhook_page *page);

// Emits one event: a type of the catalogue, and one JSON text, which is stored and sent verbatim. When
// this returns HOOKBOX_OK, the event survives power loss. `out_id` may be NULL.
//
// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_SESSION_DISABLED, HOOKBOX_INVALID_WEBHOOK_EVENT,
// HOOKBOX_INVALID_PAYLOAD, HOOKBOX_PAYLOAD_TOO_LARGE: nothing is stored then. After
// HOOKBOX_STORAGE_COMMIT_UNKNOWN it may be: emit again with the same idempotency key.
hookbox_status hookbox_emit(struct hookbox_box *hooks,
                            struct hookbox_str app,
                            struct hookbox_str event_type,
                            struct hookbox_str payload,
                            struct hookbox_id *out_id,
                            struct hookbox_error **error);

// Emits one event with everything that can be said of it. `out_id` may be NULL. With an idempotency key
// that was used before it gets the first event's id, and nothing is stored.
//
// Errors: as hookbox_emit().
hookbox_status hookbox_emit_event(struct hookbox_box *hooks,
                                  struct hookbox_str app,
                                  const struct hookbox_new_event *event,
                                  struct hookbox_id *out_id,
                                  struct hookbox_error **error);

// Emits up to HOOKBOX_EMIT_EVENTS_MAX events in one commit: all or none. `out_ids` has room for `count`
// ids, or is NULL.
//
// Errors: as hookbox_emit(); HOOKBOX_INVALID_REQUEST for too many.
hookbox_status hookbox_emit_many(struct hookbox_box *hooks,
                                 struct hookbox_str app,
                                 const struct hookbox_new_event *events,
                                 size_t count,
                                 struct hookbox_id *out_ids,
                                 struct hookbox_error **error);

// Emits events inside a transaction of the program's own: `sqlite3` is its own connection (a
// `sqlite3 *`) to the box's file, with a transaction begun. They are emitted if and only if it commits.
// `out_ids` has room for `count` ids, or is NULL.
//
// Only where this library and the program share one copy of SQLite, the system's: see
// hookbox_sqlite_is_bundled(). Two copies of SQLite in one process that open the same file corrupt it,
// so the other flavour refuses to do this.
//
// Finish statements that write before this. Do not call hookbox_emit() while the same thread holds a
// write transaction on this file: it would wait for itself. After the commit call hookbox_box_wake();
// without it the threads notice within half a second.
//
// Errors: as hookbox_emit(); HOOKBOX_UNSUPPORTED from a library with a copy of SQLite of its own;
// HOOKBOX_INVALID_REQUEST when no transaction was begun. Nothing was written then, and the transaction
// can go on.
hookbox_status hookbox_emit_in(struct hookbox_box *hooks,
                               void *sqlite3,
                               struct hookbox_str app,
                               const struct hookbox_new_event *events,
                               size_t count,
                               struct hookbox_id *out_ids,
                               struct hookbox_error **error);

// Reads an event. Free it with hookbox_event_free().
//
// Errors: HOOKBOX_EVENT_NOT_FOUND.
hookbox_status hookbox_event_get(const struct hookbox_box *hooks,
                                 struct hookbox_str event,
                                 struct hookbox_event **out_event,
                                 struct hookbox_error **error);

// Lists an app's events, the newest first: of one type, or all (empty), at most `limit` (1 to 1000; 0
// means 100), after the page that gave `cursor`.
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_event_list(const struct hookbox_box *hooks,
                                  struct hookbox_str app,
                                  struct hookbox_str event_type,
                                  struct hookbox_str cursor,
                                  size_t limit,
                                  struct hookbox_event_page **out_page,
                                  struct hookbox_error **error);

// Frees an event that was given by itself. NULL is ignored.
void hookbox_event_free(struct hookbox_event *event);

// Frees a page and the events in it. NULL is ignored.
void hookbox_event_page_free(struct hookbox_event_page *page);

// Publishes a new key now, which takes over signing after `lead_ms` (0: at once); the one before stays
// published for the overlap of the options. hookbox makes the key (`bits`: 2048, 3072 or 4096; 0 means
// 2048) under a random id, or takes the PEM text given under the id `kid` (empty: a random one). `out_key`
// may be NULL.
//
// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_INVALID_KEY.
hookbox_status hookbox_key_rotate(struct hookbox_box *hooks,
                                  struct hookbox_str app,
                                  uint32_t bits,
                                  struct hookbox_str pem,
                                  struct hookbox_str kid,
                                  uint64_t lead_ms,
                                  struct hookbox_key **out_key,
                                  struct hookbox_error **error);

// Retires a key: it signs no more, and is published for `overlap_ms` more. With 0 it is revoked.
// `out_key` may be NULL.
//
// Errors: HOOKBOX_KEY_NOT_FOUND; HOOKBOX_INVALID_REQUEST when no other key could sign.
hookbox_status hookbox_key_retire(struct hookbox_box *hooks,
                                  struct hookbox_str app,
                                  struct hookbox_str kid,
                                  uint64_t overlap_ms,
                                  struct hookbox_key **out_key,
                                  struct hookbox_error **error);

// Lists an app's keys. Free the list with hookbox_key_list_free().
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_keys(const struct hookbox_box *hooks,
                            struct hookbox_str app,
                            struct hookbox_key_list **out_list,
                            struct hookbox_error **error);

// The JWK set to publish for an app's receivers, as one JSON text: the keys that will sign, that sign,
// and that signed until lately. Free it with hookbox_texts_free().
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_jwks(const struct hookbox_box *hooks,
                            struct hookbox_str app,
                            struct hookbox_texts **out_json,
                            struct hookbox_error **error);

// Seals every private key, token and secret anew that is not sealed with the current key-encryption
// key (hookbox_options_set_key_encryption_key()). `out_count`, which may be NULL, gets how many values
// that were. May be interrupted, and called again.
//
// Errors: HOOKBOX_SEAL_BROKEN for a value that none of the keys opens.
hookbox_status hookbox_keys_reseal(struct hookbox_box *hooks,
                                   size_t *out_count,
                                   struct hookbox_error **error);

// Frees a key that was given by itself. NULL is ignored.
void hookbox_key_free(struct hookbox_key *key);

// Frees a list and the keys in it. NULL is ignored.
void hookbox_key_list_free(struct hookbox_key_list *list);

// Starts the threads that deliver. Starting twice changes nothing.
//
// Errors: HOOKBOX_READ_ONLY; HOOKBOX_UNSUPPORTED from inside a callback;
// HOOKBOX_INTERNAL when the operating system gives no thread.
hookbox_status hookbox_box_start(struct hookbox_box *hooks, struct hookbox_error **error);

// Stops the threads: claims nothing more, waits up to `drain_ms` for requests in flight, breaks them
// then, and stores every result. When it returns, no thread of hookbox runs. May be started again.
//
// Errors: HOOKBOX_STORAGE_IO when the storage took no more results: what they belong to is sent again
// when its lease ends. HOOKBOX_UNSUPPORTED from inside a callback.
hookbox_status hookbox_box_stop(struct hookbox_box *hooks,
                                uint64_t drain_ms,
                                struct hookbox_error **error);

// Tells the threads that something may be due: after a commit of the program's own that emitted. Never
// needed after a call of this library.
hookbox_status hookbox_box_wake(struct hookbox_box *hooks,
                                struct hookbox_error **error);

// Delivers on the calling thread what is due, one request after the other: for programs that want no
// threads of ours. `now_ms` is the time in Unix milliseconds, 0 for the box's clock. `out_attempts` gets
// how many requests were made, `out_next_due_ms` when to poll again at the latest (0: nothing waits for
// a time); either may be NULL.
//
// Errors: HOOKBOX_STORAGE_…: a request that was made is then not recorded, and is made again when its
// lease ends.
hookbox_status hookbox_box_poll(struct hookbox_box *hooks,
                                int64_t now_ms,
                                size_t *out_attempts,
                                int64_t *out_next_due_ms,
                                struct hookbox_error **error);

// Makes calls of hookbox_box_poll() and hookbox_box_wait_idle() that other threads have under way return
// soon: the former after the request at hand, the latter at once. For a language's way of cancelling.
hookbox_status hookbox_box_interrupt(struct hookbox_box *hooks,
                                     struct hookbox_error **error);

// Waits for at most `patience_ms` until the threads have nothing to do: nothing in flight, nothing due.
// `out_idle` gets whether that is so: false when they still have, or are not running. For scripts and
// tests: what another process emits in the last half second may not have been seen.
hookbox_status hookbox_box_wait_idle(struct hookbox_box *hooks,
                                     uint64_t patience_ms,
                                     bool *out_idle,
                                     struct hookbox_error **error);

// Reads a batch. Free it with hookbox_batch_free().
//
// Errors: HOOKBOX_BATCH_NOT_FOUND.
hookbox_status hookbox_batch_get(const struct hookbox_box *hooks,
                                 struct hookbox_str batch,
                                 struct hookbox_batch **out_batch,
                                 struct hookbox_error **error);

// Lists an app's batches, the newest first: of one webhook, or all (empty); of one status, or all
// (HOOKBOX_BATCH_ANY); at most `limit` (1 to 1000; 0 means 100), after the page that gave `cursor`.
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_batch_list(const struct hookbox_box *hooks,
                                  struct hookbox_str app,
                                  struct hookbox_str webhook,
                                  int32_t status,
                                  struct hookbox_str cursor,
                                  size_t limit,
                                  struct hookbox_batch_page **out_page,
                                  struct hookbox_error **error);

// Lists an app's attempts, the newest first: of one webhook, or all (empty); of one batch, or all
// (empty); at most `limit` (1 to 1000; 0 means 100), after the page that gave `cursor`.
//
// Errors: HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_attempt_list(const struct hookbox_box *hooks,
                                    struct hookbox_str app,
                                    struct hookbox_str webhook,
                                    struct hookbox_str batch,
                                    struct hookbox_str cursor,
                                    size_t limit,
                                    struct hookbox_attempt_page **out_page,
                                    struct hookbox_error **error);

// Where a webhook stands. Free it with hookbox_backlog_free().
//
// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_WEBHOOK_NOT_FOUND.
hookbox_status hookbox_backlog_get(const struct hookbox_box *hooks,
                                   struct hookbox_str app,
                                   struct hookbox_str webhook,
                                   struct hookbox_backlog **out_backlog,
                                   struct hookbox_error **error);

// Sends an ended batch again: the same bytes under the same id, with a new budget of attempts.
// `out_batch` may be NULL.
//
// Errors: HOOKBOX_BATCH_NOT_FOUND; HOOKBOX_BATCH_CONFLICT for one that has not ended, or was split.
hookbox_status hookbox_batch_resend(struct hookbox_box *hooks,
                                    struct hookbox_str app,
                                    struct hookbox_str batch,
                                    struct hookbox_batch **out_batch,
                                    struct hookbox_error **error);

// Gives up a batch that has not ended. One that is being sent may still arrive. `out_batch` may be NULL.
//
// Errors: HOOKBOX_BATCH_NOT_FOUND, HOOKBOX_BATCH_CONFLICT.
hookbox_status hookbox_batch_cancel(struct hookbox_box *hooks,
                                    struct hookbox_str app,
                                    struct hookbox_str batch,
                                    struct hookbox_batch **out_batch,
                                    struct hookbox_error **error);

// Owes a webhook once more every event emitted from `since_ms` (Unix milliseconds) on that it is
// subscribed to now, as new batches with the same event ids. `out_positions`, which may be NULL, gets how
// many log positions will be looked at.
//
// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_WEBHOOK_NOT_FOUND.
hookbox_status hookbox_webhook_replay(struct hookbox_box *hooks,
                                      struct hookbox_str app,
                                      struct hookbox_str webhook,
                                      int64_t since_ms,
                                      uint64_t *out_positions,
                                      struct hookbox_error **error);

// Frees a batch that was given by itself. NULL is ignored.
void hookbox_batch_free(struct hookbox_batch *batch);

// Frees a page and the batches in it. NULL is ignored.
void hookbox_batch_page_free(struct hookbox_batch_page *page);

// Frees a page and the attempts in it. NULL is ignored.
void hookbox_attempt_page_free(struct hookbox_attempt_page *page);

// Frees what hookbox_backlog_get() gave. NULL is ignored.
void hookbox_backlog_free(struct hookbox_backlog *backlog);

// Claims up to `max` batches (1 to 1000) for the program to send with its own HTTP client. Settle each
// before its lease ends. The list may be empty: nothing is due.
//
// Errors: HOOKBOX_INVALID_REQUEST; HOOKBOX_STORAGE_….
hookbox_status hookbox_claim(struct hookbox_box *hooks,
                             size_t max,
                             struct hookbox_delivery_list **out_list,
                             struct hookbox_error **error);

// Records what came of a claimed delivery.
//
// Errors: HOOKBOX_LEASE_LOST when it came too late: do not settle it again. HOOKBOX_STORAGE_…: settle
// it again.
hookbox_status hookbox_settle(struct hookbox_box *hooks,
                              const struct hookbox_delivery *delivery,
                              const struct hookbox_outcome *outcome,
                              struct hookbox_error **error);

// Frees a list and the deliveries in it. NULL is ignored.
void hookbox_delivery_list_free(struct hookbox_delivery_list *list);

// Tells what happened to a batch, what comes next, and when. Free it with hookbox_batch_story_free().
//
// Errors: HOOKBOX_BATCH_NOT_FOUND.
hookbox_status hookbox_batch_explain(const struct hookbox_box *hooks,
                                     struct hookbox_str batch,
                                     struct hookbox_batch_story **out_story,
                                     struct hookbox_error **error);

// Tells what happened to an event, for each webhook. Free it with hookbox_event_story_free().
//
// Errors: HOOKBOX_EVENT_NOT_FOUND.
hookbox_status hookbox_event_explain(const struct hookbox_box *hooks,
                                     struct hookbox_str event,
                                     struct hookbox_event_story **out_story,
                                     struct hookbox_error **error);

// Frees a story that was given by itself. NULL is ignored.
void hookbox_batch_story_free(struct hookbox_batch_story *story);

// Frees a story. NULL is ignored.
void hookbox_event_story_free(struct hookbox_event_story *story);

// Deletes everything that ended before `before_ms` (Unix milliseconds) and is owed to nobody. The
// threads do so by themselves (hookbox_options_set_retention_ms()).
hookbox_status hookbox_box_prune(struct hookbox_box *hooks,
                                 int64_t before_ms,
                                 struct hookbox_error **error);

// Checks the box's integrity: gives what is wrong, in sentences; none, as a rule. Free them with
// hookbox_texts_free().
hookbox_status hookbox_box_check(const struct hookbox_box *hooks,
                                 struct hookbox_texts **out_faults,
                                 struct hookbox_error **error);

// Writes a compact copy of the box to a new file, as of one moment, while it is in use.
//
// Errors: HOOKBOX_INVALID_REQUEST when the file exists; HOOKBOX_UNSUPPORTED for storages that cannot.
hookbox_status hookbox_box_backup(const struct hookbox_box *hooks,
                                  struct hookbox_str to_path,
                                  struct hookbox_error **error);

// The box's sizes.
hookbox_status hookbox_box_stats(const struct hookbox_box *hooks,
                                 struct hookbox_stats **out_stats,
                                 struct hookbox_error **error);

// Frees what hookbox_box_stats() gave. NULL is ignored.
void hookbox_stats_free(struct hookbox_stats *stats);

// Makes a verifier. `scheme` is HOOKBOX_VERIFY_PRELUDE with the sender's JWK set as the one text in
// `keys` (fetched from an address that was configured, never from one that a request names), or
// HOOKBOX_VERIFY_FINGERPRINT or HOOKBOX_VERIFY_STANDARD with the webhook's secrets ("whsec_…", "whpk_…"
// for the latter). `options` may be NULL. Free it with hookbox_verifier_free().
//
// Errors: HOOKBOX_INVALID_KEY.
hookbox_status hookbox_verifier_new(int32_t scheme,
                                    const struct hookbox_str *keys,
                                    size_t key_count,
                                    const struct hookbox_verify_options *options,
                                    struct hookbox_verifier **out_verifier,
                                    struct hookbox_error **error);

// Frees a verifier. NULL is ignored.
void hookbox_verifier_free(struct hookbox_verifier *verifier);

// Verifies a request and reads its events. Give all of its headers, and the body exactly as it came,
// before any JSON parser touched it. `now_ms` is the time in Unix milliseconds, 0 for the system's clock.
// Events may come more than once: remember their ids. Free them with hookbox_received_free().
//
// Errors: HOOKBOX_NOT_AUTHENTIC; HOOKBOX_UNKNOWN_KEY: fetch the JWK set anew, at most once a minute.
hookbox_status hookbox_verify(const struct hookbox_verifier *verifier,
                              const struct hookbox_pair *headers,
                              size_t header_count,
                              struct hookbox_str body,
                              int64_t now_ms,
                              struct hookbox_received **out_received,
                              struct hookbox_error **error);

// Frees the events of a request. NULL is ignored.
void hookbox_received_free(struct hookbox_received *received);

// Answers the activation challenge that came as a GET with this query (what stands after the question
// mark), if it carries the verification token given at the registration.
//
// Errors: HOOKBOX_NOT_AUTHENTIC.
hookbox_status hookbox_answer_challenge(struct hookbox_str query,
                                        struct hookbox_str verification_token,
                                        struct hookbox_challenge_answer **out_answer,
                                        struct hookbox_error **error);

// Frees an answer. NULL is ignored.
void hookbox_challenge_answer_free(struct hookbox_challenge_answer *answer);

// Makes an API key. `out_secret` gets the key itself as one text: the only copy, since the box keeps a
// digest. `out_key` gets its record, and may be NULL.
//
// Errors: HOOKBOX_INVALID_REQUEST, HOOKBOX_APP_NOT_FOUND.
hookbox_status hookbox_api_key_create(struct hookbox_box *hooks,
                                      const struct hookbox_new_api_key *new_key,
                                      struct hookbox_texts **out_secret,
                                      struct hookbox_api_key **out_key,
                                      struct hookbox_error **error);

// Lists API keys: those of one app, or all (empty); at most `limit` (1 to 1000; 0 means 100), after the
// page that gave `cursor`.
hookbox_status hookbox_api_key_list(const struct hookbox_box *hooks,
                                    struct hookbox_str app,
                                    struct hookbox_str cursor,
                                    size_t limit,
                                    struct hookbox_api_key_page **out_page,
                                    struct hookbox_error **error);

// Revokes an API key, for good. Revoking it again changes nothing.
//
// Errors: HOOKBOX_API_KEY_NOT_FOUND.
hookbox_status hookbox_api_key_revoke(struct hookbox_box *hooks,
                                      struct hookbox_str key,
                                      struct hookbox_error **error);

// Frees an API key's record that was given by itself. NULL is ignored.
void hookbox_api_key_free(struct hookbox_api_key *key);

// Frees a page and the records in it. NULL is ignored.
void hookbox_api_key_page_free(struct hookbox_api_key_page *page);

// Answers a request to the management API: a vendor's, HOOKBOX_API_PRELUDE or HOOKBOX_API_FINGERPRINT,
// ours under /hookbox/v1, and the public key sets. Mount it in any server: give what came, send what is
// given back, whatever its status.
//
// With `grant` NULL the request must carry one of the box's API keys (hookbox_api_key_create()); else the
// program has authorized it by itself. Activating waits for the endpoint; everything else for the storage
// alone.
//
// Errors: of the call itself only (HOOKBOX_INVALID_ARGUMENT, HOOKBOX_INVALID_UTF8, HOOKBOX_CLOSED …).
hookbox_status hookbox_api_handle(struct hookbox_box *hooks,
                                  int32_t dialect,
                                  const struct hookbox_grant *grant,
                                  const struct hookbox_api_request *request,
                                  struct hookbox_api_response **out_response,
                                  struct hookbox_error **error);

// Frees an answer. NULL is ignored.
void hookbox_api_response_free(struct hookbox_api_response *response);

// A text out of a string literal, embedded NULs included.
#ifdef __cplusplus
#define HOOKBOX_STR(literal) (hookbox_str{(literal), sizeof(literal) - 1})
#else
#define HOOKBOX_STR(literal) ((hookbox_str){(literal), sizeof(literal) - 1})
#endif

// A text out of a NUL-terminated string; the empty text out of NULL. It points to the string.
static inline hookbox_str hookbox_cstr(const char *text)
{
    hookbox_str str;
    str.ptr = text != NULL ? text : "";
    str.len = text != NULL ? strlen(text) : 0;
    return str;
}

// A text out of an id.
static inline hookbox_str hookbox_id_str(const hookbox_id *id)
{
    return hookbox_cstr(id->text);
}

// Structures that the caller fills in, empty and with their size. As initialisers:
//     hookbox_new_event event = HOOKBOX_NEW_EVENT_INIT;
#ifdef __cplusplus
#define HOOKBOX_NEW_APP_INIT ([] { hookbox_new_app it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_NEW_APP_INIT {.struct_size = sizeof(hookbox_new_app)}
#endif
#ifdef __cplusplus
#define HOOKBOX_WEBHOOK_CONFIG_INIT ([] { hookbox_webhook_config it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_WEBHOOK_CONFIG_INIT {.struct_size = sizeof(hookbox_webhook_config)}
#endif
#ifdef __cplusplus
#define HOOKBOX_NEW_EVENT_INIT ([] { hookbox_new_event it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_NEW_EVENT_INIT {.struct_size = sizeof(hookbox_new_event)}
#endif
#ifdef __cplusplus
#define HOOKBOX_OUTCOME_INIT ([] { hookbox_outcome it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_OUTCOME_INIT {.struct_size = sizeof(hookbox_outcome)}
#endif
#ifdef __cplusplus
#define HOOKBOX_VERIFY_OPTIONS_INIT ([] { hookbox_verify_options it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_VERIFY_OPTIONS_INIT {.struct_size = sizeof(hookbox_verify_options)}
#endif
#ifdef __cplusplus
#define HOOKBOX_NEW_API_KEY_INIT ([] { hookbox_new_api_key it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_NEW_API_KEY_INIT {.struct_size = sizeof(hookbox_new_api_key)}
#endif
#ifdef __cplusplus
#define HOOKBOX_GRANT_INIT ([] { hookbox_grant it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_GRANT_INIT {.struct_size = sizeof(hookbox_grant)}
#endif
#ifdef __cplusplus
#define HOOKBOX_API_REQUEST_INIT ([] { hookbox_api_request it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_API_REQUEST_INIT {.struct_size = sizeof(hookbox_api_request)}
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HOOKBOX_H */
