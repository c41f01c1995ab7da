// Notices: a callback from hookbox's threads and from those that call; what it may call, and what not.
//
// A C callback has no exceptions to contain: that part of the scenario is the C++ binding's. Here instead: what a
// callback must not call is refused, and what it may call works.
#include "scenarios.h"
#include "receiver.h"
#include "world.h"

typedef struct listener {
    pthread_mutex_t lock;
    pthread_cond_t heard;
    hookbox_box *box;
    pthread_t main_thread;
    int failing, deactivated, elsewhere, ends;
} listener;

static void on_notice(void *user_data, const hookbox_notice *notice) {
    listener *it = user_data;
    hookbox_error *error = NULL;
    CHECK(notice->json.ptr[0] == '{' && contains(notice->json, notice->kind.ptr));
    // Stopping or closing from in here would wait for itself.
    FAILS(hookbox_box_close(it->box, 0, &error), HOOKBOX_UNSUPPORTED);
    FAILS(hookbox_box_stop(it->box, 0, &error), HOOKBOX_UNSUPPORTED);
    FAILS(hookbox_box_start(it->box, &error), HOOKBOX_UNSUPPORTED);
    // Everything else may be called: no lock is held.
    hookbox_app *app = NULL;
    OK(hookbox_app_get(it->box, APP, &app, &error));
    hookbox_app_free(app);
    OK(hookbox_emit(it->box, APP, TYPE, S("\"from a callback\""), NULL, &error));
    pthread_mutex_lock(&it->lock);
    it->failing += same(notice->kind, "webhook_failing");
    it->deactivated += same(notice->kind, "webhook_deactivated");
    it->elsewhere += !pthread_equal(pthread_self(), it->main_thread);
    CHECK(same(notice->app_id, "54e9ujn") && notice->webhook_id.len > 0);
    pthread_cond_broadcast(&it->heard);
    pthread_mutex_unlock(&it->lock);
}

static void end(void *user_data) {
    ((listener *)user_data)->ends++;
}

static void listen_to(listener *it, hookbox_options *options) {
    hookbox_error *error = NULL;
    memset(it, 0, sizeof *it);
    pthread_mutex_init(&it->lock, NULL);
    pthread_cond_init(&it->heard, NULL);
    it->main_thread = pthread_self();
    OK(hookbox_options_set_on_notice(options, on_notice, it, end, &error));
}

static void end_of(listener *it) {
    CHECK(it->ends == 1);
    pthread_cond_destroy(&it->heard);
    pthread_mutex_destroy(&it->lock);
}

// On the thread that polls.
static void polled(void) {
    hookbox_error *error = NULL;
    world w;
    listener it;
    world_start(&w);
    hookbox_options *options = world_options(&w);
    listen_to(&it, options);
    it.box = box_with_app(options, "");
    hookbox_options_free(options);
    active_webhook(it.box, "http://127.0.0.1:9999/hooks");
    OK(hookbox_emit(it.box, APP, TYPE, S("1"), NULL, &error));
    world_set(&w, START_MS, 410); // Gone: the webhook is deactivated.
    world_poll(it.box, NULL);
    CHECK(it.deactivated == 1 && it.elsewhere == 0);
    close_box(it.box);
    end_of(&it);
    world_end(&w);
}

// On hookbox's own threads.
static void threaded(void) {
    hookbox_error *error = NULL;
    listener it;
    hookbox_options *options = test_options();
    listen_to(&it, options);
    receiver *endpoint = receiver_start();
    it.box = box_with_app(options, "");
    active_webhook(it.box, receiver_url(endpoint));
    receiver_answer(endpoint, 410);
    OK(hookbox_box_start(it.box, &error));
    OK(hookbox_emit(it.box, APP, TYPE, S("1"), NULL, &error));
    pthread_mutex_lock(&it.lock);
    while (it.deactivated == 0) pthread_cond_wait(&it.heard, &it.lock);
    CHECK(it.elsewhere > 0);
    pthread_mutex_unlock(&it.lock);
    close_box(it.box);
    CHECK(it.ends == 0); // The options still have it.
    hookbox_options_free(options);
    end_of(&it);
    receiver_stop(endpoint);
}

void notices(void) {
    polled();
    threaded();
    // Registered again, the one before is let go; and when the call itself fails, too.
    hookbox_error *error = NULL;
    listener it;
    hookbox_options *options = test_options();
    listen_to(&it, options);
    OK(hookbox_options_set_on_notice(options, on_notice, &it, end, &error));
    CHECK(it.ends == 1);
    FAILS(hookbox_options_set_on_notice(NULL, on_notice, &it, end, &error), HOOKBOX_INVALID_ARGUMENT);
    CHECK(it.ends == 2);
    hookbox_options_free(options);
    CHECK(it.ends == 3);
}
