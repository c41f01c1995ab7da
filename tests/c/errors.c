// Each kind of error a program acts on: code, status, retryable, message; and nothing belongs to a thread.
#include "scenarios.h"

#include <pthread.h>

typedef struct expected {
    hookbox_status status;
    uint16_t http_status;
    bool retryable;
    const char *code;
    const char *part; // Of the message.
} expected;

static void is(hookbox_status got, hookbox_error *error, expected want) {
    CHECK(got == want.status && error != NULL && error->status == want.status);
    if (!same(error->code, want.code) || error->http_status != want.http_status ||
        error->retryable != want.retryable || !contains(error->message, want.part)) {
        fprintf(stderr, "%d %d %d %s: %s\n", error->status, error->http_status, error->retryable, error->code.ptr,
                error->message.ptr);
        CHECK(false);
    }
    CHECK(strchr(error->message.ptr, '\n') == NULL);
    hookbox_error_free(error);
}

static void *free_elsewhere(void *error) {
    CHECK(same(((hookbox_error *)error)->code, "app_not_found"));
    hookbox_error_free(error);
    return NULL;
}

void errors(void) {
    hookbox_error *error = NULL;
    hookbox_box *box = box_with_app(NULL, "standard_webhooks");
    hookbox_status got;
    hookbox_app *app = NULL;
    got = hookbox_app_get(box, S("nobody"), &app, &error);
    is(got, error, (expected){HOOKBOX_APP_NOT_FOUND, 404, false, "app_not_found", "nobody"});
    got = hookbox_emit(box, APP, S("no.such"), S("1"), NULL, &error);
    is(got, error, (expected){HOOKBOX_INVALID_WEBHOOK_EVENT, 400, false, "invalid_webhook_event", "no.such"});
    got = hookbox_emit(box, APP, TYPE, S("{"), NULL, &error);
    is(got, error, (expected){HOOKBOX_INVALID_PAYLOAD, 400, false, "invalid_payload", "JSON"});
    hookbox_webhook_config config = HOOKBOX_WEBHOOK_CONFIG_INIT;
    config.url = S("http://127.0.0.1/");
    got = hookbox_webhook_create(box, APP, &config, NULL, &error);
    is(got, error, (expected){HOOKBOX_WEBHOOK_INVALID_URL, 400, false, "webhook_invalid_url", "http"});
    hookbox_batch *batch = NULL;
    got = hookbox_batch_get(box, S("bat_01jqebhswje1ka1z7ahr9rfsgt"), &batch, &error);
    is(got, error, (expected){HOOKBOX_BATCH_NOT_FOUND, 404, false, "batch_not_found", "bat_01j"});
    CHECK(app == NULL && batch == NULL); // Outputs are written on success only.

    // What the calling program does wrong.
    FAILS(hookbox_emit(NULL, APP, TYPE, S("1"), NULL, &error), HOOKBOX_INVALID_ARGUMENT);
    FAILS(hookbox_emit(box, APP, TYPE, S("\"\xff\""), NULL, &error), HOOKBOX_INVALID_UTF8);
    FAILS(hookbox_app_get(box, APP, NULL, &error), HOOKBOX_INVALID_ARGUMENT);
    FAILS(hookbox_webhook_create(box, APP, NULL, NULL, &error), HOOKBOX_INVALID_ARGUMENT);
    hookbox_str null = {NULL, 5};
    FAILS(hookbox_app_get(box, null, &app, &error), HOOKBOX_INVALID_ARGUMENT);
    null.len = 0;
    FAILS(hookbox_app_get(box, null, &app, &error), HOOKBOX_APP_NOT_FOUND);
    hookbox_new_app unstamped = HOOKBOX_NEW_APP_INIT;
    unstamped.struct_size = 0;
    FAILS(hookbox_app_create(box, &unstamped, NULL, &error), HOOKBOX_INVALID_ARGUMENT);
    unstamped.struct_size = 7;
    FAILS(hookbox_app_create(box, &unstamped, NULL, &error), HOOKBOX_INVALID_ARGUMENT);
    config.events = 99;
    FAILS(hookbox_webhook_create(box, APP, &config, NULL, &error), HOOKBOX_INVALID_ARGUMENT);
    hookbox_batch_page *page = NULL;
    FAILS(hookbox_batch_list(box, APP, S(""), -3, S(""), 0, &page, &error), HOOKBOX_INVALID_ARGUMENT);
    FAILS(hookbox_batch_list(box, APP, S(""), 0, S(""), 1001, &page, &error), HOOKBOX_INVALID_REQUEST);
    FAILS(hookbox_batch_list(box, APP, S(""), 0, S("no cursor"), 0, &page, &error), HOOKBOX_INVALID_REQUEST);
    // The error itself may be left out.
    CHECK(hookbox_app_get(box, S("nobody"), &app, NULL) == HOOKBOX_APP_NOT_FOUND);

    // A library with its own SQLite emits in nobody's transaction.
    hookbox_new_event event = HOOKBOX_NEW_EVENT_INIT;
    event.event_type = TYPE;
    event.payload = S("1");
    if (hookbox_sqlite_is_bundled()) {
        FAILS(hookbox_emit_in(box, box, APP, &event, 1, NULL, &error), HOOKBOX_UNSUPPORTED);
    }

    // An error is an object: another thread may read and free it, whatever this one does meanwhile.
    hookbox_error *mine = NULL;
    CHECK(hookbox_app_get(box, S("nobody"), &app, &mine) == HOOKBOX_APP_NOT_FOUND);
    FAILS(hookbox_emit(box, APP, TYPE, S("{"), NULL, &error), HOOKBOX_INVALID_PAYLOAD);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, free_elsewhere, mine) == 0);
    pthread_join(thread, NULL);
    close_box(box);

    // Files: what is no database, a folder that is not there, options out of range.
    const char *path = fresh_path("text.db");
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    for (int i = 0; i < 1000; i++) fputs("no database\n", file);
    fclose(file);
    got = hookbox_open(hookbox_cstr(path), NULL, &box, &error);
    is(got, error, (expected){HOOKBOX_STORAGE_CORRUPT, 500, false, "storage_corrupt", "database"});
    error = NULL;
    CHECK(hookbox_open(S("/nowhere/at/all/box.db"), NULL, &box, &error) >= HOOKBOX_STORAGE_BUSY);
    hookbox_error_free(error);
    error = NULL;
    FAILS(hookbox_open(S("\xff.db"), NULL, &box, &error), HOOKBOX_INVALID_UTF8);
    hookbox_options *options = test_options();
    OK(hookbox_options_set_workers(options, 100000, &error));
    FAILS(hookbox_open_in_memory(options, &box, &error), HOOKBOX_INVALID_REQUEST);
    hookbox_options_free(options);

    // Versions.
    OK(hookbox_version_check(HOOKBOX_VERSION_NUMBER, &error));
    FAILS(hookbox_version_check(HOOKBOX_VERSION_NUMBER + 1, &error), HOOKBOX_UNSUPPORTED);
    FAILS(hookbox_version_check(HOOKBOX_VERSION_NUMBER + 1000, &error), HOOKBOX_UNSUPPORTED);
    // What a callback fails with.
    CHECK(hookbox_error_new(HOOKBOX_STORAGE_IO, S("\xff")) == NULL);
    hookbox_error_free(hookbox_error_new(HOOKBOX_STORAGE_IO, S("why")));
}
