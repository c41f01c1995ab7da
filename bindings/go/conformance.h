// The conformance suite of stores, in libraries that were built with the feature `testing`.
#ifndef HOOKBOX_GO_CONFORMANCE_H
#define HOOKBOX_GO_CONFORMANCE_H

#include "callbacks.h"

hookbox_status hookbox_go_conformance(uintptr_t handle, bool forgets, bool one_at_a_time, size_t *out_checks,
                                      hookbox_texts **out_failures, hookbox_error **error);

#endif
