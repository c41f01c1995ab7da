#include "callbacks.h"

#include "_cgo_export.h"

// Go's exports know no const, and a handle is a number there: these few lines are all that stands between.

static void destroy(void *context)
{
    hookboxGoDestroy((uintptr_t)context);
}

static void on_notice(void *context, const hookbox_notice *notice)
{
    hookboxGoNotice((uintptr_t)context, (hookbox_notice *)notice);
}

hookbox_status hookbox_go_set_notice(hookbox_options *options, uintptr_t handle, hookbox_error **error)
{
    return hookbox_options_set_on_notice(options, on_notice, (void *)handle, destroy, error);
}

static void send_request(void *context, const hookbox_request *request, hookbox_reply *reply)
{
    hookboxGoSend((uintptr_t)context, (hookbox_request *)request, reply);
}

static void shutdown_sending(void *context)
{
    hookboxGoShutdown((uintptr_t)context);
}

hookbox_status hookbox_go_set_transport(hookbox_options *options, uintptr_t handle, hookbox_error **error)
{
    hookbox_transport table = HOOKBOX_TRANSPORT_INIT;
    table.context = (void *)handle;
    table.send = send_request;
    table.shutdown = shutdown_sending;
    table.destroy = destroy;
    return hookbox_options_set_transport(options, &table, error);
}

static int64_t now_ms(void *context)
{
    return hookboxGoNow((uintptr_t)context);
}

hookbox_status hookbox_go_set_clock(hookbox_options *options, uintptr_t handle, hookbox_error **error)
{
    hookbox_clock table = HOOKBOX_CLOCK_INIT;
    table.context = (void *)handle;
    table.now_ms = now_ms;
    table.destroy = destroy;
    return hookbox_options_set_clock(options, &table, error);
}

static hookbox_status sign(void *context, const uint8_t *sha256, uint8_t *signature, size_t signature_bytes_max,
                           size_t *out_signature_bytes, hookbox_error **error)
{
    return hookboxGoSign((uintptr_t)context, (uint8_t *)sha256, signature, signature_bytes_max,
                         out_signature_bytes, error);
}

static hookbox_signer signer_of(uintptr_t handle)
{
    hookbox_signer table = HOOKBOX_SIGNER_INIT;
    table.context = (void *)handle;
    table.sign = sign;
    table.destroy = destroy;
    return table;
}

// A closed box does not take the table over: its context is ended here then.
static hookbox_status ended_if_refused(hookbox_status status, uintptr_t handle)
{
    if (status == HOOKBOX_CLOSED || status == HOOKBOX_FORKED)
        hookboxGoDestroy(handle);
    return status;
}

hookbox_status hookbox_go_rotate_to_signer(hookbox_box *hooks, hookbox_str app, hookbox_str public_jwk,
                                           uintptr_t handle, uint64_t lead_ms, hookbox_key **out_key,
                                           hookbox_error **error)
{
    hookbox_signer table = signer_of(handle);
    hookbox_status status =
        hookbox_key_rotate_to_signer(hooks, app, public_jwk, &table, lead_ms, out_key, error);
    return ended_if_refused(status, handle);
}

hookbox_status hookbox_go_register_signer(hookbox_box *hooks, hookbox_str app, hookbox_str kid, uintptr_t handle,
                                          hookbox_error **error)
{
    hookbox_signer table = signer_of(handle);
    hookbox_status status = hookbox_key_register_signer(hooks, app, kid, &table, error);
    return ended_if_refused(status, handle);
}

static hookbox_status kv_begin(void *context, bool write, void **out_transaction, hookbox_error **error)
{
    uintptr_t transaction = 0;
    hookbox_status status = hookboxGoKVBegin((uintptr_t)context, write, &transaction, error);
    *out_transaction = (void *)transaction;
    return status;
}

static hookbox_status kv_get(void *transaction, hookbox_str key, hookbox_value *value, hookbox_error **error)
{
    return hookboxGoKVGet((uintptr_t)transaction, key, value, error);
}

static hookbox_status kv_put(void *transaction, hookbox_str key, hookbox_str value, hookbox_error **error)
{
    return hookboxGoKVPut((uintptr_t)transaction, key, value, error);
}

static hookbox_status kv_delete(void *transaction, hookbox_str key, hookbox_error **error)
{
    return hookboxGoKVDelete((uintptr_t)transaction, key, error);
}

static hookbox_status kv_scan(void *transaction, hookbox_str from, hookbox_str to, bool reverse,
                              hookbox_visitor *visitor, hookbox_error **error)
{
    return hookboxGoKVScan((uintptr_t)transaction, from, to, reverse, visitor, error);
}

static hookbox_status kv_commit(void *transaction, hookbox_error **error)
{
    return hookboxGoKVCommit((uintptr_t)transaction, error);
}

static void kv_rollback(void *transaction)
{
    hookboxGoKVRollback((uintptr_t)transaction);
}

hookbox_kv hookbox_go_kv(uintptr_t handle)
{
    hookbox_kv table = HOOKBOX_KV_INIT;
    table.context = (void *)handle;
    table.begin = kv_begin;
    table.get = kv_get;
    table.put = kv_put;
    table.del = kv_delete;
    table.scan = kv_scan;
    table.commit = kv_commit;
    table.rollback = kv_rollback;
    table.destroy = destroy;
    return table;
}

hookbox_status hookbox_go_open_kv(uintptr_t handle, const hookbox_options *options, hookbox_box **out_box,
                                  hookbox_error **error)
{
    hookbox_kv table = hookbox_go_kv(handle);
    return hookbox_open_kv(&table, options, out_box, error);
}
