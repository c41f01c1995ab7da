// What C calls Go with. The tables of <hookbox/sys.h> are filled in callbacks.c; their context is a
// runtime/cgo.Handle, which the destroy of each table deletes.
#ifndef HOOKBOX_GO_CALLBACKS_H
#define HOOKBOX_GO_CALLBACKS_H

#include "hookbox/sys.h"

hookbox_status hookbox_go_set_notice(hookbox_options *options, uintptr_t handle, hookbox_error **error);
hookbox_status hookbox_go_set_transport(hookbox_options *options, uintptr_t handle, hookbox_error **error);
hookbox_status hookbox_go_set_clock(hookbox_options *options, uintptr_t handle, hookbox_error **error);
hookbox_status hookbox_go_rotate_to_signer(hookbox_box *hooks, hookbox_str app, hookbox_str public_jwk,
                                           uintptr_t handle, uint64_t lead_ms, hookbox_key **out_key,
                                           hookbox_error **error);
hookbox_status hookbox_go_register_signer(hookbox_box *hooks, hookbox_str app, hookbox_str kid,
                                          uintptr_t handle, hookbox_error **error);
hookbox_kv hookbox_go_kv(uintptr_t handle);
hookbox_status hookbox_go_open_kv(uintptr_t handle, const hookbox_options *options, hookbox_box **out_box,
                                  hookbox_error **error);

#endif
