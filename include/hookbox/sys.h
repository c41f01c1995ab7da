// hookbox, the extension tier: what a program may bring itself. A key-value store, an HTTP client, a signer, a
// clock. Its promise of stability is weaker than hookbox.h's: it may change with each minor version.
//
// Made from src/ffi/sys by build.rs with cbindgen; do not edit.
//
// Each is a table of functions with a context and its destroy. hookbox copies the table, and calls destroy
// exactly once: when the box or the options are done with it, and also when the call that takes it fails
// (unless the table itself cannot be read). All functions may be called from any thread. None may unwind (a C++
// exception, a Go panic) or longjmp through hookbox.


#ifndef HOOKBOX_SYS_H
#define HOOKBOX_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "../hookbox.h"

// Bytes of a key at most.
#define HOOKBOX_KV_KEY_BYTES_MAX 511

// Where the outcome of a request goes. Valid until send returns, on its thread only.
typedef struct hookbox_reply hookbox_reply;

// Where a value that was read goes. Valid until get returns.
typedef struct hookbox_value hookbox_value;

// Who visits the keys of a scan. Valid until scan returns.
typedef struct hookbox_visitor hookbox_visitor;

// Begins a transaction: with `write`, one that may write; one of these at a time, another waits for it or
// is refused with HOOKBOX_STORAGE_BUSY. Those that read run beside it, in any number; each sees what was
// committed when it began, and nothing later. (A store that cannot do that may make the writer wait for
// the readers, and them for it.) A transaction stays on the thread that began it. After a commit of
// unknown outcome, this gives transactions that see what was really stored, or fails.
typedef hookbox_status (*hookbox_kv_begin)(void *context,
                                           bool write,
                                           void **out_transaction,
                                           hookbox_error **error);

// Reads a value, as written by this transaction or before it, and gives it to hookbox_value_set(). Where
// the key is not there it calls nothing and returns HOOKBOX_OK.
typedef hookbox_status (*hookbox_kv_get)(void *transaction,
                                         hookbox_str key,
                                         struct hookbox_value *value,
                                         hookbox_error **error);

// Writes a value, in the place of the one that was there.
typedef hookbox_status (*hookbox_kv_put)(void *transaction,
                                         hookbox_str key,
                                         hookbox_str value,
                                         hookbox_error **error);

// Removes a key and its value. A key that is not there is no error.
typedef hookbox_status (*hookbox_kv_delete)(void *transaction,
                                            hookbox_str key,
                                            hookbox_error **error);

// Calls hookbox_visit() with each key from `from` on and before `to`, and its value: in ascending order,
// or with `reverse` in descending order, until it returns false. What this transaction wrote is among
// them. A scan that is broken off costs no more than what was visited.
typedef hookbox_status (*hookbox_kv_scan)(void *transaction,
                                          hookbox_str from,
                                          hookbox_str to,
                                          bool reverse,
                                          struct hookbox_visitor *visitor,
                                          hookbox_error **error);

// Commits, and ends the transaction whatever it returns. After HOOKBOX_OK everything written survives a
// power failure, and every transaction that begins later sees it. HOOKBOX_STORAGE_COMMIT_UNKNOWN: it may
// or may not have been committed. Any other status: nothing was.
typedef hookbox_status (*hookbox_kv_commit)(void *transaction, hookbox_error **error);

// Undoes everything written, and ends the transaction.
typedef void (*hookbox_kv_rollback)(void *transaction);

// An ordered, transactional key-value store, as seven functions; hookbox builds the whole storage on them.
// It belongs to one box: nobody else writes to it while the box is open. Set struct_size
// (HOOKBOX_KV_INIT does), and all functions but destroy.
//
// Keys are byte strings of 1 to HOOKBOX_KV_KEY_BYTES_MAX bytes, ordered as memcmp() has it, a prefix
// first; they may hold NULs. Values are byte strings of any length up to little more than the largest
// payload. A function that fails returns HOOKBOX_STORAGE_FULL, _BUSY, _CORRUPT, _READ_ONLY or _IO, and may
// set *error to one of hookbox_error_new(); after any error the transaction is rolled back. They are called
// from any thread, must neither unwind nor longjmp, and not call hookbox but as said here.
typedef struct hookbox_kv {
    // sizeof(hookbox_kv).
    uint32_t struct_size;
    // Given to begin.
    void *context;
    // Begins a transaction.
    hookbox_kv_begin begin;
    // Reads a value.
    hookbox_kv_get get;
    // Writes a value.
    hookbox_kv_put put;
    // Removes a key. (The name avoids C++'s keyword.)
    hookbox_kv_delete del;
    // Visits keys in order.
    hookbox_kv_scan scan;
    // Commits a transaction.
    hookbox_kv_commit commit;
    // Rolls a transaction back.
    hookbox_kv_rollback rollback;
    // Ends the context, when the box is closed; may be NULL.
    hookbox_destroy destroy;
} hookbox_kv;

// Sends one request, and says with hookbox_reply_set() what came of it, before it returns. It keeps the
// request's timeout, follows no redirect, and, unless it has its own way to the outside, connects only
// to addresses that it knows to be harmless: hookbox's own address guard sees the URL only. Called from
// several threads at once. It must neither unwind nor longjmp.
typedef void (*hookbox_transport_send)(void *context,
                                       const hookbox_request *request,
                                       struct hookbox_reply *reply);

// Sends HTTP requests: the activation challenge, test events and deliveries. Set struct_size
// (HOOKBOX_TRANSPORT_INIT does).
typedef struct hookbox_transport {
    // sizeof(hookbox_transport).
    uint32_t struct_size;
    // Given to each function.
    void *context;
    // Sends one request.
    hookbox_transport_send send;
    // Breaks what is in flight, so that send returns soon: a stop has waited long enough. It must be
    // able to send again afterwards. May be NULL.
    void (*shutdown)(void *context);
    // Ends the context; may be NULL.
    hookbox_destroy destroy;
} hookbox_transport;

// Signs the 32 bytes of a SHA-256 digest: RSASSA-PSS (RFC 8017 section 8.1.1), MGF1 with SHA-256, a
// random salt of 32 bytes; the digest is not hashed again. Writes the signature, at most
// `signature_bytes_max` bytes, and its length. Returns HOOKBOX_OK, or HOOKBOX_KEY_UNAVAILABLE when the
// key cannot be reached now: the batch is tried again. Called from several threads at once; it counts
// against the deadline of an attempt, and must neither unwind nor longjmp.
typedef hookbox_status (*hookbox_signer_sign)(void *context,
                                              const uint8_t *sha256,
                                              uint8_t *signature,
                                              size_t signature_bytes_max,
                                              size_t *out_signature_bytes,
                                              hookbox_error **error);

// Signs with a private key that stays with the host. Set struct_size (HOOKBOX_SIGNER_INIT does).
typedef struct hookbox_signer {
    // sizeof(hookbox_signer).
    uint32_t struct_size;
    // Given to each function.
    void *context;
    // Signs a digest.
    hookbox_signer_sign sign;
    // Ends the context; may be NULL.
    hookbox_destroy destroy;
} hookbox_signer;

// Where the time comes from. For tests: two weeks of retries in a second. Set struct_size
// (HOOKBOX_CLOCK_INIT does).
typedef struct hookbox_clock {
    // sizeof(hookbox_clock).
    uint32_t struct_size;
    // Given to each function.
    void *context;
    // The time in Unix milliseconds. It may jump in either direction. Called from any thread, and
    // often: it must not wait, and not call hookbox.
    int64_t (*now_ms)(void *context);
    // Ends the context; may be NULL.
    hookbox_destroy destroy;
} hookbox_clock;

#if defined(HOOKBOX_TESTING)
// Makes a fresh, empty place for a store; NULL when it cannot.
typedef void *(*hookbox_testing_make_place)(void *user_data);
#endif

#if defined(HOOKBOX_TESTING)
// Opens the store in a place: fills the table, struct_size and all. Called again, it gives another handle
// on the same data.
typedef hookbox_status (*hookbox_testing_open_kv)(void *place,
                                                  struct hookbox_kv *out_kv,
                                                  hookbox_error **error);
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Gives the value that was read, which is copied.
void hookbox_value_set(struct hookbox_value *value, hookbox_str read);

// Visits a key and its value, which are valid during the call only. Returns whether to go on.
bool hookbox_visit(struct hookbox_visitor *visitor, hookbox_str key, hookbox_str value);

// Opens a box in a key-value store of the host's; makes one where the store is empty. The table is
// copied. Its destroy runs exactly once: when the box is closed, and also when this fails, unless the
// table itself cannot be read (NULL, a wrong struct_size).
//
// Errors: as hookbox_open(); HOOKBOX_STORAGE_CORRUPT for a store that holds something else.
hookbox_status hookbox_open_kv(const struct hookbox_kv *kv,
                               const hookbox_options *options,
                               hookbox_box **out_box,
                               hookbox_error **error);

// Says what came of a request. The last call counts.
//
// Errors: HOOKBOX_INVALID_ARGUMENT, HOOKBOX_INVALID_REQUEST: nothing was said.
hookbox_status hookbox_reply_set(struct hookbox_reply *reply,
                                 const hookbox_outcome *outcome,
                                 hookbox_error **error);

// Sends with the host's own HTTP client. The table is copied. Its destroy runs exactly once: also when
// this fails, unless the table itself cannot be read (NULL, a wrong struct_size).
hookbox_status hookbox_options_set_transport(hookbox_options *options,
                                             const struct hookbox_transport *transport,
                                             hookbox_error **error);

// As hookbox_key_rotate(), for a key whose private part stays with the host: `public_jwk` (JSON, with a
// kid) is published, and `signer` signs. Register the signer again after each opening with
// hookbox_key_register_signer(). The table is copied; its destroy runs exactly once: also when this fails,
// unless the table itself cannot be read, or the box is closed. `out_key` may be NULL.
//
// Errors: HOOKBOX_APP_NOT_FOUND, HOOKBOX_INVALID_KEY.
hookbox_status hookbox_key_rotate_to_signer(hookbox_box *hooks,
                                            hookbox_str app,
                                            hookbox_str public_jwk,
                                            const struct hookbox_signer *signer,
                                            uint64_t lead_ms,
                                            hookbox_key **out_key,
                                            hookbox_error **error);

// Signs with the host's signer for a key that was added by hookbox_key_rotate_to_signer(). Until it is
// registered, deliveries of that app wait. The table is copied; its destroy as there.
//
// Errors: HOOKBOX_APP_NOT_FOUND when the text cannot be an app's id; HOOKBOX_INVALID_KEY. Whether there is
// such an app, with such a key, is not looked up.
hookbox_status hookbox_key_register_signer(hookbox_box *hooks,
                                           hookbox_str app,
                                           hookbox_str kid,
                                           const struct hookbox_signer *signer,
                                           hookbox_error **error);

// Takes the time from here. The table is copied. Its destroy runs exactly once: also when this fails,
// unless the table itself cannot be read (NULL, a wrong struct_size).
hookbox_status hookbox_options_set_clock(hookbox_options *options,
                                         const struct hookbox_clock *clock,
                                         hookbox_error **error);

#if defined(HOOKBOX_TESTING)
// Runs hookbox's conformance suite over a key-value store: every promise of a storage, each in a place of
// its own. `forgets`: the data ends with its handle. `one_at_a_time`: only one handle can be open at a
// time. `out_failures` gets a sentence for each promise that was broken, `out_checks`, which may be NULL, how
// many were checked. Only in a library built with the feature `testing`.
hookbox_status hookbox_testing_kv_conformance(hookbox_testing_make_place make_place,
                                              hookbox_testing_open_kv open,
                                              hookbox_destroy destroy_place,
                                              void *user_data,
                                              bool forgets,
                                              bool one_at_a_time,
                                              size_t *out_checks,
                                              hookbox_texts **out_failures,
                                              hookbox_error **error);
#endif

#ifdef __cplusplus
#define HOOKBOX_KV_INIT ([] { hookbox_kv it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_KV_INIT {.struct_size = sizeof(hookbox_kv)}
#endif
#ifdef __cplusplus
#define HOOKBOX_TRANSPORT_INIT ([] { hookbox_transport it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_TRANSPORT_INIT {.struct_size = sizeof(hookbox_transport)}
#endif
#ifdef __cplusplus
#define HOOKBOX_SIGNER_INIT ([] { hookbox_signer it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_SIGNER_INIT {.struct_size = sizeof(hookbox_signer)}
#endif
#ifdef __cplusplus
#define HOOKBOX_CLOCK_INIT ([] { hookbox_clock it{}; it.struct_size = sizeof it; return it; }())
#else
#define HOOKBOX_CLOCK_INIT {.struct_size = sizeof(hookbox_clock)}
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* HOOKBOX_SYS_H */
