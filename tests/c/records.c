// What is kept, and what an operator does with it: events, batches, attempts, backlog, explanations, resend,
// cancel, replay, prune, check, backup, stats.
#include "scenarios.h"
#include "world.h"

static hookbox_str copy(char *to, size_t room, hookbox_str text) {
    CHECK(text.len < room);
    memcpy(to, text.ptr, text.len + 1);
    return hookbox_cstr(to);
}

static void read_only(const char *path, world *w) {
    hookbox_error *error = NULL;
    hookbox_options *options = world_options(w);
    hookbox_box *box = NULL;
    OK(hookbox_open_read_only(hookbox_cstr(path), options, &box, &error));
    hookbox_app *app = NULL;
    OK(hookbox_app_get(box, APP, &app, &error));
    hookbox_app_free(app);
    FAILS(hookbox_emit(box, APP, TYPE, S("1"), NULL, &error), HOOKBOX_READ_ONLY);
    FAILS(hookbox_box_start(box, &error), HOOKBOX_READ_ONLY);
    close_box(box);
    hookbox_options_free(options);
}

void records(void) {
    hookbox_error *error = NULL;
    world w;
    world_start(&w);
    hookbox_options *options = world_options(&w);
    hookbox_box *box = box_with_app(options, "standard_webhooks");
    hookbox_id id = active_webhook(box, "http://127.0.0.1:9999/hooks");
    hookbox_str webhook = hookbox_id_str(&id);
    hookbox_id events[5];
    for (int i = 0; i < 5; i++) {
        OK(hookbox_emit(box, APP, i % 2 ? S("user.deleted") : TYPE, S("{\"n\":1}"), &events[i], &error));
    }
    world_set(&w, START_MS, 500);
    world_poll(box, NULL);

    // Events, by pages, and of one type.
    size_t seen = 0;
    hookbox_event_page *page = NULL;
    hookbox_event_page *before = NULL;
    do {
        hookbox_str cursor = before != NULL ? before->next_cursor : hookbox_cstr(NULL);
        OK(hookbox_event_list(box, APP, S(""), cursor, 2, &page, &error));
        for (size_t i = 0; i < page->count; i++) CHECK(same(page->items[i]->id, events[4 - seen++].text));
        hookbox_event_page_free(before);
        before = page;
    } while (page->next_cursor.len > 0);
    hookbox_event_page_free(page);
    CHECK(seen == 5);
    OK(hookbox_event_list(box, APP, S("user.deleted"), S(""), 0, &page, &error));
    CHECK(page->count == 2);
    hookbox_event_page_free(page);

    // Batches and attempts.
    hookbox_batch_page *batches = NULL;
    OK(hookbox_batch_list(box, APP, webhook, HOOKBOX_BATCH_WAITING, S(""), 0, &batches, &error));
    CHECK(batches->count >= 1);
    const hookbox_batch *one = batches->items[batches->count - 1];
    CHECK(one->event_count == 1 && one->first_position == 1 && one->failures == 1 && one->parent_id.len == 0);
    CHECK(same(one->webhook_id, id.text) && one->created_at_ms == START_MS && !one->at_most_once);
    char batch_text[64];
    hookbox_str batch = copy(batch_text, sizeof batch_text, one->id);
    hookbox_batch_page_free(batches);
    hookbox_attempt_page *attempts = NULL;
    OK(hookbox_attempt_list(box, APP, webhook, batch, S(""), 0, &attempts, &error));
    CHECK(attempts->count == 1 && attempts->items[0]->http_status == 500 && attempts->items[0]->number == 1);
    CHECK(same(attempts->items[0]->excerpt, "as told") && attempts->items[0]->failure.len == 0);
    hookbox_attempt_page_free(attempts);

    // Where the webhook stands, and the stories.
    hookbox_backlog *backlog = NULL;
    OK(hookbox_backlog_get(box, APP, webhook, &backlog, &error));
    CHECK(backlog->batches_waiting >= 1 && backlog->consecutive_failures >= 1);
    CHECK(backlog->failing_since_ms == START_MS && backlog->last_success_at_ms == 0);
    CHECK(backlog->events_owed + backlog->batches_waiting == 5 && backlog->next_due_ms > START_MS);
    hookbox_backlog_free(backlog);
    hookbox_batch_story *story = NULL;
    OK(hookbox_batch_explain(box, batch, &story, &error));
    CHECK(same(story->batch->id, batch.ptr) && story->attempt_count == 1 && story->sentence_count >= 1);
    hookbox_batch_story_free(story);
    hookbox_event_story *event_story = NULL;
    OK(hookbox_event_explain(box, hookbox_id_str(&events[0]), &event_story, &error));
    CHECK(event_story->batch_count == 1 && same(event_story->batches[0]->batch->id, batch.ptr));
    CHECK(event_story->batches[0]->attempt_count == 1 && event_story->sentence_count >= 1);
    CHECK(same(event_story->event->id, events[0].text));
    hookbox_event_story_free(event_story);

    // Cancel, resend, replay.
    hookbox_batch *changed = NULL;
    FAILS(hookbox_batch_resend(box, APP, batch, NULL, &error), HOOKBOX_BATCH_CONFLICT);
    OK(hookbox_batch_cancel(box, APP, batch, &changed, &error));
    CHECK(changed->status == HOOKBOX_BATCH_CANCELLED && changed->end_reason.len > 0);
    hookbox_batch_free(changed);
    FAILS(hookbox_batch_cancel(box, APP, batch, NULL, &error), HOOKBOX_BATCH_CONFLICT);
    OK(hookbox_batch_resend(box, APP, batch, &changed, &error));
    CHECK(changed->status == HOOKBOX_BATCH_WAITING && changed->failures == 0);
    hookbox_batch_free(changed);
    int64_t next = START_MS;
    while (next > 0) {
        world_set(&w, next, 200);
        world_poll(box, &next);
    }
    OK(hookbox_batch_list(box, APP, S(""), HOOKBOX_BATCH_DELIVERED, S(""), 0, &batches, &error));
    CHECK(batches->count == 5);
    hookbox_batch_page_free(batches);
    size_t sent = w.deliveries;
    uint64_t positions = 0;
    OK(hookbox_webhook_replay(box, APP, webhook, START_MS, &positions, &error));
    CHECK(positions == 5);
    world_poll(box, NULL);
    CHECK(w.deliveries == sent + 5);

    // Sizes, a copy, and the past.
    hookbox_stats *stats = NULL;
    OK(hookbox_box_stats(box, &stats, &error));
    CHECK(stats->last_position == 5 && stats->bytes > 0);
    hookbox_stats_free(stats);
    char path[128];
    snprintf(path, sizeof path, "%s", fresh_path("copy.db"));
    OK(hookbox_box_backup(box, hookbox_cstr(path), &error));
    FAILS(hookbox_box_backup(box, hookbox_cstr(path), &error), HOOKBOX_INVALID_REQUEST);
    read_only(path, &w);
    OK(hookbox_box_prune(box, w.now_ms + 1, &error));
    OK(hookbox_event_list(box, APP, S(""), S(""), 0, &page, &error));
    CHECK(page->count == 0);
    hookbox_event_page_free(page);
    hookbox_event *gone = NULL;
    FAILS(hookbox_event_get(box, hookbox_id_str(&events[0]), &gone, &error), HOOKBOX_EVENT_NOT_FOUND);
    close_box(box);
    hookbox_options_free(options);
    world_end(&w);
}
