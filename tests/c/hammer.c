// Eight threads call everything at once, and the box is closed in the middle: `hammer [CALLS]` for each thread.
//
// Every status must be one that the situation explains, nothing hangs, and what was emitted is there.
#include "harness.h"
#include "receiver.h"

#include <pthread.h>
#include <unistd.h>

#define THREADS 8

typedef struct shared {
    hookbox_box *box;
    const char *url;
    hookbox_id webhook;
    size_t calls;
    pthread_mutex_t lock;
    size_t emitted; // Under the lock.
    size_t done;
} shared;

typedef struct worker {
    pthread_t thread;
    shared *with;
    unsigned seed;
} worker;

static unsigned next_number(unsigned *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

// What may come of a call that another thread's call gets in the way of.
static bool explained(hookbox_status status) {
    switch (status) {
    case HOOKBOX_OK:
    case HOOKBOX_CLOSED:
    case HOOKBOX_APP_EXISTS:
    case HOOKBOX_APP_NOT_FOUND:
    case HOOKBOX_SESSION_DISABLED:
    case HOOKBOX_WEBHOOK_NOT_FOUND:
    case HOOKBOX_WEBHOOK_ACTIVATION_FAILED:
    case HOOKBOX_BATCH_NOT_FOUND:
    case HOOKBOX_BATCH_CONFLICT:
    case HOOKBOX_LEASE_LOST:
    case HOOKBOX_INVALID_REQUEST:
        return true;
    default:
        return false;
    }
}

#define CALL(call)                                                                                                \
    do {                                                                                                          \
        status = (call);                                                                                          \
        if (!explained(status)) {                                                                                 \
            fprintf(stderr, "%s: %d %s\n", #call, (int)status, error != NULL ? error->message.ptr : "");          \
            abort();                                                                                              \
        }                                                                                                         \
    } while (0)

static void claim_and_settle(hookbox_box *box) {
    hookbox_error *error = NULL;
    hookbox_status status;
    hookbox_delivery_list *list = NULL;
    CALL(hookbox_claim(box, 3, &list, NULL));
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        hookbox_outcome outcome = HOOKBOX_OUTCOME_INIT;
        outcome.http_status = 200;
        CALL(hookbox_settle(box, list->items[i], &outcome, NULL));
    }
    hookbox_delivery_list_free(list);
}

static void register_one(shared *with, unsigned seed) {
    hookbox_error *error = NULL;
    hookbox_status status;
    hookbox_webhook *webhook = NULL;
    hookbox_webhook_config config = HOOKBOX_WEBHOOK_CONFIG_INIT;
    config.url = hookbox_cstr(with->url);
    config.verification_token = S("token");
    config.events = HOOKBOX_EVENTS_ALL;
    CALL(hookbox_webhook_create(with->box, APP, &config, &webhook, NULL));
    if (webhook == NULL) return;
    if (seed % 2 == 0) CALL(hookbox_webhook_activate(with->box, APP, webhook->id, NULL, NULL));
    config.description = S("changed");
    CALL(hookbox_webhook_update(with->box, APP, webhook->id, HOOKBOX_WEBHOOK_DESCRIPTION, &config, NULL, NULL));
    CALL(hookbox_webhook_deactivate(with->box, APP, webhook->id, NULL, NULL));
    CALL(hookbox_webhook_delete(with->box, APP, webhook->id, NULL));
    hookbox_webhook_free(webhook);
}

static void look(shared *with, unsigned which) {
    hookbox_error *error = NULL;
    hookbox_status status;
    const hookbox_box *box = with->box;
    hookbox_str id = hookbox_id_str(&with->webhook);
    hookbox_event_page *events = NULL;
    hookbox_batch_page *batches = NULL;
    hookbox_attempt_page *attempts = NULL;
    hookbox_backlog *backlog = NULL;
    hookbox_webhook_page *webhooks = NULL;
    hookbox_app_page *apps = NULL;
    hookbox_key_list *keys = NULL;
    hookbox_texts *texts = NULL;
    hookbox_stats *stats = NULL;
    hookbox_event_story *story = NULL;
    switch (which % 10) {
    case 0:
        CALL(hookbox_event_list(box, APP, S(""), S(""), 5, &events, NULL));
        break;
    case 1:
        CALL(hookbox_batch_list(box, APP, id, HOOKBOX_BATCH_ANY, S(""), 5, &batches, NULL));
        break;
    case 2:
        CALL(hookbox_attempt_list(box, APP, id, S(""), S(""), 5, &attempts, NULL));
        break;
    case 3:
        CALL(hookbox_backlog_get(box, APP, id, &backlog, NULL));
        break;
    case 4:
        CALL(hookbox_webhook_list(box, APP, HOOKBOX_ANY, S(""), S(""), 5, &webhooks, NULL));
        break;
    case 5:
        CALL(hookbox_app_list(box, S(""), 5, &apps, NULL));
        break;
    case 6:
        CALL(hookbox_keys(box, APP, &keys, NULL));
        break;
    case 7:
        CALL(hookbox_webhook_signing_secrets(box, APP, id, &texts, NULL));
        break;
    case 8:
        CALL(hookbox_box_stats(box, &stats, NULL));
        break;
    default:
        CALL(hookbox_event_list(box, APP, TYPE, S(""), 1, &events, NULL));
        if (events != NULL && events->count > 0) {
            status = hookbox_event_explain(box, events->items[0]->id, &story, NULL);
            CHECK(explained(status) || status == HOOKBOX_EVENT_NOT_FOUND);
        }
    }
    hookbox_event_page_free(events);
    hookbox_batch_page_free(batches);
    hookbox_attempt_page_free(attempts);
    hookbox_backlog_free(backlog);
    hookbox_webhook_page_free(webhooks);
    hookbox_app_page_free(apps);
    hookbox_key_list_free(keys);
    hookbox_texts_free(texts);
    hookbox_stats_free(stats);
    hookbox_event_story_free(story);
}

static void operate(shared *with, unsigned which) {
    hookbox_error *error = NULL;
    hookbox_status status;
    hookbox_batch_page *page = NULL;
    bool idle;
    switch (which % 6) {
    case 0:
        CALL(hookbox_box_stop(with->box, 100, NULL));
        break;
    case 1:
        CALL(hookbox_box_start(with->box, NULL));
        break;
    case 2:
        CALL(hookbox_box_wait_idle(with->box, 1, &idle, NULL));
        break;
    case 3:
        CALL(hookbox_box_poll(with->box, 0, NULL, NULL, NULL));
        break;
    case 4:
        CALL(hookbox_batch_list(with->box, APP, S(""), HOOKBOX_BATCH_ANY, S(""), 1, &page, NULL));
        if (page != NULL && page->count > 0) {
            CALL(hookbox_batch_resend(with->box, APP, page->items[0]->id, NULL, NULL));
            CALL(hookbox_batch_cancel(with->box, APP, page->items[0]->id, NULL, NULL));
        }
        hookbox_batch_page_free(page);
        break;
    default:
        CALL(hookbox_app_disable(with->box, S("other"), NULL));
        CALL(hookbox_app_enable(with->box, S("other"), NULL));
    }
}

static void *work(void *data) {
    worker *it = data;
    shared *with = it->with;
    hookbox_status status = HOOKBOX_OK;
    size_t emitted = 0, done = 0;
    for (; done < with->calls && status != HOOKBOX_CLOSED; done++) {
        unsigned which = next_number(&it->seed);
        hookbox_error *error = NULL;
        CALL(hookbox_emit(with->box, APP, TYPE, S("{\"n\":1}"), NULL, &error));
        hookbox_error_free(error);
        emitted += status == HOOKBOX_OK;
        switch (which % 8) {
        case 0:
            register_one(with, which);
            break;
        case 1:
            claim_and_settle(with->box);
            break;
        case 2:
            operate(with, which / 8);
            break;
        default:
            look(with, which / 8);
        }
    }
    pthread_mutex_lock(&with->lock);
    with->emitted += emitted;
    with->done += done;
    pthread_mutex_unlock(&with->lock);
    return NULL;
}

int main(int argc, char **argv) {
    hookbox_error *error = NULL;
    alarm(540); // A deadlock shall fail, not hang.
    receiver *endpoint = receiver_start();
    hookbox_options *options = test_options();
    char path[128];
    snprintf(path, sizeof path, "%s", fresh_path("box.db"));
    shared with;
    memset(&with, 0, sizeof with);
    pthread_mutex_init(&with.lock, NULL);
    with.calls = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 200;
    with.url = receiver_url(endpoint);
    OK(hookbox_open(hookbox_cstr(path), options, &with.box, &error));
    create_app(with.box, "standard_webhooks");
    hookbox_new_app other = HOOKBOX_NEW_APP_INIT;
    other.id = S("other");
    other.profile = S("standard_webhooks");
    OK(hookbox_app_create(with.box, &other, NULL, &error));
    with.webhook = active_webhook(with.box, with.url);
    OK(hookbox_box_start(with.box, &error));
    worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].with = &with;
        workers[i].seed = i * 7919 + 1;
        CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    receiver_wait(endpoint, with.calls); // They are in the middle of it: each makes about as many deliveries.
    OK(hookbox_box_close(with.box, 2000, &error));
    for (unsigned i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
    hookbox_box_free(with.box);

    OK(hookbox_open(hookbox_cstr(path), options, &with.box, &error));
    hookbox_options_free(options);
    hookbox_stats *stats = NULL;
    OK(hookbox_box_stats(with.box, &stats, &error));
    CHECK((size_t)stats->last_position == with.emitted);
    hookbox_stats_free(stats);
    close_box(with.box);
    size_t came = receiver_wait(endpoint, 0);
    receiver_stop(endpoint);
    pthread_mutex_destroy(&with.lock);
    folders_remove();
    printf("ok hammer: %d threads, %zu rounds before the close, %zu events, %zu deliveries\n", THREADS, with.done,
           with.emitted, came);
    return 0;
}
