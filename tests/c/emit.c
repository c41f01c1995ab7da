// Emitting: one, many, idempotent, at most once, too large, of an unknown type.
#include "scenarios.h"
#include "world.h"

static hookbox_new_event an_event(void) {
    hookbox_new_event event = HOOKBOX_NEW_EVENT_INIT;
    event.event_type = TYPE;
    event.payload = S("{\"n\":1}");
    return event;
}

static size_t stored(const hookbox_box *box) {
    hookbox_error *error = NULL;
    hookbox_event_page *page = NULL;
    OK(hookbox_event_list(box, APP, S(""), S(""), 1000, &page, &error));
    size_t count = page->count;
    hookbox_event_page_free(page);
    return count;
}

// A later version's structure: longer than the library knows.
typedef struct longer_event {
    hookbox_new_event known;
    char unknown[24];
} longer_event;

void emit(void) {
    hookbox_error *error = NULL;
    world w;
    world_start(&w);
    hookbox_options *options = world_options(&w);
    OK(hookbox_options_set_payload_bytes_max(options, 1000, &error));
    hookbox_box *box = box_with_app(options, "standard_webhooks");
    hookbox_options_free(options);

    // One, with everything that can be said of it.
    hookbox_new_event event = an_event();
    event.payload = S("[1,\"\\u0000\", 2.50]");
    event.idempotency_key = S("order 17");
    event.environment = S("staging");
    event.at_most_once = true;
    hookbox_id id, again;
    OK(hookbox_emit_event(box, APP, &event, &id, &error));
    hookbox_event *read = NULL;
    OK(hookbox_event_get(box, hookbox_id_str(&id), &read, &error));
    CHECK(same(read->id, id.text) && read->position == 1 && same(read->app_id, "54e9ujn"));
    CHECK(same(read->event_type, "user.created") && same(read->payload, "[1,\"\\u0000\", 2.50]"));
    CHECK(same(read->idempotency_key, "order 17") && same(read->environment, "staging"));
    CHECK(read->at_most_once && read->created_at_ms == START_MS);
    hookbox_event_free(read);

    // Idempotent: the first one's id, and nothing more is stored.
    OK(hookbox_emit_event(box, APP, &event, &again, &error));
    CHECK(strcmp(id.text, again.text) == 0 && stored(box) == 1);

    // Without an id, and many: all or none.
    OK(hookbox_emit(box, APP, TYPE, S("null"), NULL, &error));
    hookbox_new_event many[3] = {an_event(), an_event(), an_event()};
    hookbox_id ids[3];
    OK(hookbox_emit_many(box, APP, many, 3, ids, &error));
    CHECK(strcmp(ids[0].text, ids[1].text) != 0 && strcmp(ids[1].text, ids[2].text) != 0);
    OK(hookbox_emit_many(box, APP, many, 3, NULL, &error));
    OK(hookbox_emit_many(box, APP, NULL, 0, NULL, &error));
    CHECK(stored(box) == 8);
    many[2].payload = S("no JSON");
    FAILS(hookbox_emit_many(box, APP, many, 3, ids, &error), HOOKBOX_INVALID_PAYLOAD);
    FAILS(hookbox_emit_many(box, APP, NULL, 3, ids, &error), HOOKBOX_INVALID_ARGUMENT);
    FAILS(hookbox_emit_many(box, APP, many, HOOKBOX_EMIT_EVENTS_MAX + 1, ids, &error), HOOKBOX_INVALID_REQUEST);
    CHECK(stored(box) == 8);

    // Structures of a later version: what they have more is not looked at.
    longer_event later[2];
    memset(later, 0xa5, sizeof later);
    for (int i = 0; i < 2; i++) {
        later[i].known = an_event();
        later[i].known.struct_size = sizeof(longer_event);
    }
    OK(hookbox_emit_many(box, APP, &later[0].known, 2, ids, &error));
    CHECK(stored(box) == 10);

    // Too large, of an unknown type, to nobody, to an app that is disabled.
    char large[1100];
    memset(large, '1', sizeof large);
    hookbox_str too_large = {large, sizeof large};
    FAILS(hookbox_emit(box, APP, TYPE, too_large, NULL, &error), HOOKBOX_PAYLOAD_TOO_LARGE);
    too_large.len = 1000;
    OK(hookbox_emit(box, APP, TYPE, too_large, NULL, &error));
    FAILS(hookbox_emit(box, APP, S("no.such.type"), S("1"), NULL, &error), HOOKBOX_INVALID_WEBHOOK_EVENT);
    FAILS(hookbox_emit(box, S("nobody"), TYPE, S("1"), NULL, &error), HOOKBOX_APP_NOT_FOUND);
    OK(hookbox_app_disable(box, APP, &error));
    FAILS(hookbox_emit(box, APP, TYPE, S("1"), NULL, &error), HOOKBOX_SESSION_DISABLED);
    OK(hookbox_app_enable(box, APP, &error));
    CHECK(stored(box) == 11);

    // At most once: whatever the answer was, it is not sent again.
    active_webhook(box, "http://127.0.0.1:9999/hooks");
    event.idempotency_key = S("");
    OK(hookbox_emit_event(box, APP, &event, &id, &error));
    world_set(&w, START_MS, 0);
    CHECK(world_poll(box, NULL) == 1);
    world_set(&w, START_MS + INT64_C(86400000), 200);
    CHECK(world_poll(box, NULL) == 0);
    close_box(box);
    world_end(&w);
}
