// What the C tests share: checks that say what failed and where, and folders that come and go.
#ifndef HARNESS_H
#define HARNESS_H

#include <hookbox.h>
#include <hookbox/sys.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Ends the program with a message when `what` does not hold.
#define CHECK(what) check((what), #what, __FILE__, __LINE__)

// A call that must succeed. It is given `&error`, a local hookbox_error *; so is the next one.
#define OK(call) check_status((call), HOOKBOX_OK, &error, #call, __FILE__, __LINE__)

// A call that must fail with `status`, and give an error object that says the same.
#define FAILS(call, status) check_status((call), (status), &error, #call, __FILE__, __LINE__)

#define S(literal) HOOKBOX_STR(literal)

// The app and the event type of most tests.
#define APP S("54e9ujn")
#define TYPE S("user.created")

// 2025-03-15T10:30:00Z.
#define START_MS INT64_C(1742034600000)

void check(bool holds, const char *what, const char *file, int line);
void check_status(hookbox_status got, hookbox_status expected, hookbox_error **error, const char *what,
                  const char *file, int line);

// Whether a text is exactly this; it must end with a NUL as well.
bool same(hookbox_str text, const char *expected);

// Whether a text contains this.
bool contains(hookbox_str text, const char *part);

// Whether one of the texts contains this.
bool one_contains(const hookbox_str *texts, size_t count, const char *part);

// The path of a file in a new folder. folders_remove() removes all such folders.
const char *fresh_path(const char *file);
void folders_remove(void);

// Options for tests: http and loopback are allowed. Free them with hookbox_options_free().
hookbox_options *test_options(void);

// A box in a new SQLite file, with an app of this profile ("" for Prelude's).
hookbox_box *box_with_app(const hookbox_options *options, const char *profile);

// Creates an app as most tests want it.
void create_app(hookbox_box *box, const char *profile);

// Registers a webhook for every event, and activates it.
hookbox_id active_webhook(hookbox_box *box, const char *url);

// Closes a box that must have no faults, and frees it.
void close_box(hookbox_box *box);

// The whole of a file; free() it.
char *read_file(const char *path, size_t *out_bytes);

#endif
