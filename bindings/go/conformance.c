//go:build hookbox_testing

#include "conformance.h"

#include "_cgo_export.h"

static void *make_place(void *user_data)
{
    return (void *)hookboxGoMakePlace((uintptr_t)user_data);
}

static hookbox_status open_store(void *place, hookbox_kv *out_kv, hookbox_error **error)
{
    uintptr_t store = 0;
    hookbox_status status = hookboxGoOpenPlace((uintptr_t)place, &store, error);
    if (status == HOOKBOX_OK)
        *out_kv = hookbox_go_kv(store);
    return status;
}

static void destroy_place(void *place)
{
    hookboxGoDestroy((uintptr_t)place);
}

hookbox_status hookbox_go_conformance(uintptr_t handle, bool forgets, bool one_at_a_time, size_t *out_checks,
                                      hookbox_texts **out_failures, hookbox_error **error)
{
    return hookbox_testing_kv_conformance(make_place, open_store, destroy_place, (void *)handle, forgets, one_at_a_time,
                                          out_checks, out_failures, error);
}
