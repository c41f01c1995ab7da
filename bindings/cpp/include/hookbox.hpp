// hookbox for C++17: everything, header only, over <hookbox.h>.
//
// SQLite, first of all: inside one process a file may be opened by one copy of SQLite only, since two copies drop
// each other's locks and corrupt it. A library with its own copy (hookbox::sqlite_is_bundled()) keeps its file to
// itself; one that is built on the system's SQLite shares it, and Box::emit_in() works. See <hookbox.h>.
//
// What can fail returns a hookbox::Result, with and without exceptions: ask it, or take its value() and have a
// hookbox::Exception thrown (or the program ended, under -fno-exceptions). Compile a whole program one way.
//
// Records (App, Webhook, Event, Batch ...) are plain values that own their texts: they outlive the box, and nothing
// in them can dangle. Box, Options and Verifier own their C objects, move, and do not copy; capi() lends the C
// object, capi_release() gives it away.

#ifndef HOOKBOX_HPP
#define HOOKBOX_HPP

#include "hookbox/api.hpp"
#include "hookbox/box.hpp"
#include "hookbox/host.hpp"
#include "hookbox/inputs.hpp"
#include "hookbox/options.hpp"
#include "hookbox/records.hpp"
#include "hookbox/result.hpp"
#include "hookbox/store.hpp"
#include "hookbox/verifier.hpp"
#include "hookbox/version.hpp"

#endif
