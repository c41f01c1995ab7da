// Closing: calls after it, twice, while other threads call, and (refused, see notices.c) inside a callback.
#include "scenarios.h"
#include "receiver.h"

#include <pthread.h>

#define CALLERS 4

typedef struct caller {
    pthread_t thread;
    hookbox_box *box;
    size_t emitted;
} caller;

static void *call_until_closed(void *data) {
    caller *it = data;
    for (;;) {
        hookbox_status got = hookbox_emit(it->box, APP, TYPE, S("{\"n\":1}"), NULL, NULL);
        if (got == HOOKBOX_CLOSED) return NULL;
        CHECK(got == HOOKBOX_OK);
        it->emitted++;
    }
}

static void *close_too(void *box) {
    CHECK(hookbox_box_close(box, 5000, NULL) == HOOKBOX_OK);
    // Whoever closed, it is closed now.
    CHECK(hookbox_emit(box, APP, TYPE, S("1"), NULL, NULL) == HOOKBOX_CLOSED);
    return NULL;
}

static void while_others_call(void) {
    hookbox_error *error = NULL;
    receiver *endpoint = receiver_start();
    hookbox_options *options = test_options();
    char path[128];
    snprintf(path, sizeof path, "%s", fresh_path("box.db"));
    hookbox_box *box = NULL;
    OK(hookbox_open(hookbox_cstr(path), options, &box, &error));
    create_app(box, "standard_webhooks");
    active_webhook(box, receiver_url(endpoint));
    OK(hookbox_box_start(box, &error));
    caller callers[CALLERS];
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i].box = box;
        callers[i].emitted = 0;
        CHECK(pthread_create(&callers[i].thread, NULL, call_until_closed, &callers[i]) == 0);
    }
    receiver_wait(endpoint, 20);
    pthread_t closers[2];
    for (size_t i = 0; i < 2; i++) CHECK(pthread_create(&closers[i], NULL, close_too, box) == 0);
    size_t emitted = 0;
    for (size_t i = 0; i < 2; i++) pthread_join(closers[i], NULL);
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        emitted += callers[i].emitted;
    }
    hookbox_box_free(box);
    receiver_stop(endpoint);
    // Every event that was said to be emitted is there.
    OK(hookbox_open(hookbox_cstr(path), options, &box, &error));
    hookbox_stats *stats = NULL;
    OK(hookbox_box_stats(box, &stats, &error));
    CHECK((size_t)stats->last_position == emitted);
    hookbox_stats_free(stats);
    close_box(box);
    hookbox_options_free(options);
}

void closing(void) {
    hookbox_error *error = NULL;
    hookbox_box *box = box_with_app(NULL, "standard_webhooks");
    OK(hookbox_box_close(box, 0, &error));
    OK(hookbox_box_close(box, 0, &error));
    FAILS(hookbox_emit(box, APP, TYPE, S("1"), NULL, &error), HOOKBOX_CLOSED);
    FAILS(hookbox_box_start(box, &error), HOOKBOX_CLOSED);
    FAILS(hookbox_box_stop(box, 0, &error), HOOKBOX_CLOSED);
    FAILS(hookbox_box_poll(box, 0, NULL, NULL, &error), HOOKBOX_CLOSED);
    hookbox_stats *stats = NULL;
    FAILS(hookbox_box_stats(box, &stats, &error), HOOKBOX_CLOSED);
    hookbox_box_free(box);
    hookbox_box_free(NULL);
    // Freeing closes.
    box = box_with_app(NULL, "standard_webhooks");
    OK(hookbox_box_start(box, &error));
    hookbox_box_free(box);
    while_others_call();
}
