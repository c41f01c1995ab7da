// Apps, webhooks and event types: creating, listing with paging, changing each field, deleting.
#include "scenarios.h"
#include "world.h"

static void apps(hookbox_box *box) {
    hookbox_error *error = NULL;
    hookbox_new_app new_app = HOOKBOX_NEW_APP_INIT;
    new_app.profile = S("standard_webhooks");
    const char *ids[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++) {
        new_app.id = hookbox_cstr(ids[i]);
        hookbox_app *made = NULL;
        OK(hookbox_app_create(box, &new_app, &made, &error));
        CHECK(same(made->id, ids[i]) && made->enabled && made->created_at_ms == START_MS);
        CHECK(same(made->profile_name, "standard_webhooks") && made->profile.len > 100);
        hookbox_app_free(made);
    }
    FAILS(hookbox_app_create(box, &new_app, NULL, &error), HOOKBOX_APP_EXISTS);
    size_t seen = 0;
    hookbox_app_page *page = NULL;
    hookbox_app_page *before = NULL;
    do {
        hookbox_str cursor = before != NULL ? before->next_cursor : hookbox_cstr(NULL);
        OK(hookbox_app_list(box, cursor, 2, &page, &error));
        for (size_t i = 0; i < page->count; i++) CHECK(same(page->items[i]->id, ids[seen++]));
        hookbox_app_page_free(before);
        before = page;
    } while (page->next_cursor.len > 0);
    hookbox_app_page_free(page);
    CHECK(seen == 5);
    OK(hookbox_app_disable(box, S("c"), &error));
    hookbox_app *app = NULL;
    OK(hookbox_app_get(box, S("c"), &app, &error));
    CHECK(!app->enabled);
    hookbox_app_free(app);
    OK(hookbox_app_enable(box, S("c"), &error));
    for (size_t i = 0; i < 5; i++) OK(hookbox_app_delete(box, hookbox_cstr(ids[i]), &error));
    FAILS(hookbox_app_delete(box, S("a"), &error), HOOKBOX_APP_NOT_FOUND);

    // A profile of the program's own.
    hookbox_texts *profile = NULL;
    OK(hookbox_profile(S("prelude"), &profile, &error));
    CHECK(profile->count == 1 && contains(profile->items[0], "\"name\":\"prelude\""));
    new_app.id = S("own");
    new_app.profile = profile->items[0];
    new_app.key_bits = 2048;
    OK(hookbox_app_create(box, &new_app, NULL, &error));
    OK(hookbox_app_delete(box, S("own"), &error));
    new_app.key_bits = 1024;
    FAILS(hookbox_app_create(box, &new_app, NULL, &error), HOOKBOX_INVALID_KEY);
    hookbox_texts_free(profile);
    FAILS(hookbox_profile(S("no such"), &profile, &error), HOOKBOX_INVALID_REQUEST);
}

static void event_types(hookbox_box *box) {
    hookbox_error *error = NULL;
    hookbox_texts *types = NULL;
    OK(hookbox_event_types_list(box, &types, &error));
    CHECK(types->count == 7);
    hookbox_texts_free(types);
    const hookbox_str more[] = {S("order.paid"), S("order/refunded:v2")};
    OK(hookbox_event_types_add(box, more, 2, &error));
    OK(hookbox_event_types_list(box, &types, &error));
    CHECK(types->count == 9 && one_contains(types->items, types->count, "order/refunded:v2"));
    hookbox_texts_free(types);
    const hookbox_str bad[] = {S("white space")};
    FAILS(hookbox_event_types_add(box, bad, 1, &error), HOOKBOX_INVALID_WEBHOOK_EVENT);
    const hookbox_str all[] = {TYPE, S("user.deleted"), S("order.paid")};
    OK(hookbox_event_types_replace(box, all, 3, &error));
    OK(hookbox_event_types_list(box, &types, &error));
    CHECK(types->count == 3 && same(types->items[0], "order.paid"));
    hookbox_texts_free(types);
}

static hookbox_webhook *updated(hookbox_box *box, hookbox_str id, uint32_t fields,
                                const hookbox_webhook_config *config) {
    hookbox_error *error = NULL;
    hookbox_webhook *webhook = NULL;
    OK(hookbox_webhook_update(box, APP, id, fields, config, &webhook, &error));
    return webhook;
}

static void each_field(hookbox_box *box, hookbox_str id) {
    hookbox_error *error = NULL;
    const hookbox_str types[] = {TYPE, S("order.paid")};
    const hookbox_pair headers[] = {{S("X-One"), S("secret 1")}, {S("X-Two"), S("secret 2")}};
    hookbox_webhook_config to = HOOKBOX_WEBHOOK_CONFIG_INIT;
    to.url = S("http://127.0.0.1:9999/new");
    to.verification_token = S("other");
    to.events = HOOKBOX_EVENTS_ONLY;
    to.event_types = types;
    to.event_type_count = 2;
    to.description = S("for people");
    to.disabled = true;
    to.environment = S("staging");
    to.headers = headers;
    to.header_count = 2;
    to.username = S("user");
    to.password = S("pass");
    to.overrides = S("{\"timeout\":5000,\"concurrency\":3}");

    hookbox_webhook *now = updated(box, id, 0, &to); // Nothing is named: nothing changes.
    CHECK(now->all_events && now->enabled && now->description.len == 0 && now->header_name_count == 0);
    hookbox_webhook_free(now);
    now = updated(box, id, HOOKBOX_WEBHOOK_EVENTS, &to);
    CHECK(!now->all_events && now->event_type_count == 2);
    CHECK(one_contains(now->event_types, 2, "order.paid") && now->verified);
    hookbox_webhook_free(now);
    now = updated(box, id, HOOKBOX_WEBHOOK_DESCRIPTION | HOOKBOX_WEBHOOK_ENVIRONMENT, &to);
    CHECK(same(now->description, "for people") && same(now->environment, "staging"));
    hookbox_webhook_free(now);
    now = updated(box, id, HOOKBOX_WEBHOOK_HEADERS, &to);
    CHECK(now->header_name_count == 2 && one_contains(now->header_names, 2, "-Two"));
    hookbox_webhook_free(now);
    now = updated(box, id, HOOKBOX_WEBHOOK_BASIC_AUTH, &to);
    CHECK(now->has_basic_auth);
    hookbox_webhook_free(now);
    now = updated(box, id, HOOKBOX_WEBHOOK_OVERRIDES, &to);
    CHECK(contains(now->overrides, "5000"));
    hookbox_webhook_free(now);
    now = updated(box, id, HOOKBOX_WEBHOOK_ENABLED, &to);
    CHECK(!now->enabled && !now->active && now->last_disabled_at_ms == START_MS);
    hookbox_webhook_free(now);
    now = updated(box, id, HOOKBOX_WEBHOOK_TOKEN, &to);
    hookbox_webhook_free(now);
    now = updated(box, id, HOOKBOX_WEBHOOK_URL, &to);
    CHECK(same(now->url, "http://127.0.0.1:9999/new") && !now->verified);
    hookbox_webhook_free(now);
    // The endpoint answers for "token" only.
    CHECK(hookbox_webhook_get(box, APP, id, &now, &error) == HOOKBOX_OK && now->updated_at_ms == START_MS);
    hookbox_webhook_free(now);

    to.username = to.password = to.overrides = to.environment = S("");
    to.header_count = 0;
    to.disabled = false;
    to.verification_token = S("token");
    now = updated(box, id, 511, &to);
    CHECK(!now->has_basic_auth && now->header_name_count == 0 && now->environment.len == 0 && now->enabled);
    hookbox_webhook_free(now);
    FAILS(hookbox_webhook_update(box, APP, id, 512, &to, NULL, &error), HOOKBOX_INVALID_ARGUMENT);

    OK(hookbox_webhook_remove_event_type(box, APP, id, TYPE, &now, &error));
    CHECK(now->event_type_count == 1);
    hookbox_webhook_free(now);
    OK(hookbox_webhook_add_event_type(box, APP, id, S("user.deleted"), &now, &error));
    CHECK(now->event_type_count == 2);
    hookbox_webhook_free(now);
    OK(hookbox_webhook_verify(box, APP, id, &now, &error));
    CHECK(now->verified && now->active);
    hookbox_webhook_free(now);
    OK(hookbox_webhook_deactivate(box, APP, id, &now, &error));
    CHECK(!now->active && now->verified && !now->enabled);
    hookbox_webhook_free(now);
    OK(hookbox_webhook_activate(box, APP, id, NULL, &error));
}

static void webhooks(hookbox_box *box) {
    hookbox_error *error = NULL;
    hookbox_id first = active_webhook(box, "http://127.0.0.1:9999/1");
    each_field(box, hookbox_id_str(&first));
    hookbox_webhook_config config = HOOKBOX_WEBHOOK_CONFIG_INIT;
    config.url = S("http://127.0.0.1:9999/x");
    config.verification_token = S("token");
    config.disabled = true;
    for (int i = 0; i < 4; i++) OK(hookbox_webhook_create(box, APP, &config, NULL, &error));
    size_t seen = 0;
    hookbox_webhook_page *page = NULL;
    hookbox_webhook_page *before = NULL;
    do {
        hookbox_str cursor = before != NULL ? before->next_cursor : hookbox_cstr(NULL);
        OK(hookbox_webhook_list(box, APP, HOOKBOX_ANY, S(""), cursor, 2, &page, &error));
        seen += page->count;
        hookbox_webhook_page_free(before);
        before = page;
    } while (page->next_cursor.len > 0);
    hookbox_webhook_page_free(page);
    CHECK(seen == 5);
    OK(hookbox_webhook_list(box, APP, HOOKBOX_ENABLED, S(""), S(""), 0, &page, &error));
    CHECK(page->count == 1 && same(page->items[0]->id, first.text));
    hookbox_webhook_page_free(page);
    OK(hookbox_webhook_delete(box, APP, hookbox_id_str(&first), &error));
    FAILS(hookbox_webhook_delete(box, APP, hookbox_id_str(&first), &error), HOOKBOX_WEBHOOK_NOT_FOUND);
    hookbox_webhook *gone = NULL;
    FAILS(hookbox_webhook_get(box, APP, hookbox_id_str(&first), &gone, &error), HOOKBOX_WEBHOOK_NOT_FOUND);
}

void registry(void) {
    world w;
    world_start(&w);
    hookbox_options *options = world_options(&w);
    hookbox_box *box = box_with_app(options, "standard_webhooks");
    hookbox_options_free(options);
    hookbox_error *error = NULL;
    OK(hookbox_app_delete(box, APP, &error));
    apps(box);
    create_app(box, ""); // Its endpoints are challenged.
    event_types(box);
    webhooks(box);
    close_box(box);
    CHECK(w.clock_ends == 1 && w.transport_ends == 1);
    world_end(&w);
}
