// Goal: apps, webhooks and event types, each field there and back. Method: create, list with paging, change, delete.

#include "scenarios.hpp"

namespace {

void apps(hookbox::Box &box) {
    for (const char *id : {"c", "a", "b"}) {
        same(must(box.create_app({id})).id, id);
    }
    hookbox::Page<hookbox::App> page = must(box.apps({}, 2));
    same(page.items.size(), 2u);
    same(page.items[0].id, "a");
    same(page.items[1].id, "b");
    page = must(box.apps(page.next_cursor, 2));
    same(page.items.size(), 1u);
    check(page.next_cursor.empty());
    must(box.disable_app("c"));
    check(!must(box.app("c")).enabled);
    must(box.enable_app("c"));
    hookbox::App app = must(box.app("c"));
    check(app.enabled && app.created_at.time_since_epoch().count() > 0);
    check(holds(app.profile, "prelude"));
    must(box.delete_app("c"));
    refused(box.app("c"), hookbox::Status::app_not_found);

    hookbox::NewApp own = {"d", must(hookbox::profile("fingerprint")), 3072, {}, "kid"};
    refused(box.create_app(own), hookbox::Status::invalid_request); // An id without its key.
    own.key_id.clear();
    same(must(box.create_app(own)).profile_name, "fingerprint");
}

void event_types(hookbox::Box &box) {
    same(must(box.event_types()).size(), 7u);
    must(box.add_event_types({"order.paid", "order.sent"}));
    same(must(box.event_types()).size(), 9u);
    must(box.replace_event_types({"b", "a"}));
    check(must(box.event_types()) == std::vector<std::string>{"a", "b"});
    refused(box.add_event_types({"no good"}), hookbox::Status::invalid_webhook_event);
}

void webhooks(hookbox::Box &box) {
    hookbox::WebhookConfig all = config();
    all.events = hookbox::Events::only({"a"});
    all.description = "for people";
    all.environment = "live";
    all.headers = {{"X-One", "1"}, {"X-Two", "2"}};
    all.basic_auth = {"user", "password"};
    all.overrides = R"({"timeout": 5000})";
    all.enabled = false;
    hookbox::Webhook webhook = must(box.create_webhook("a", all));
    same(webhook.app_id, "a");
    same(webhook.url, all.url);
    check(!webhook.all_events && webhook.event_types == std::vector<std::string>{"a"});
    same(webhook.description, "for people");
    same(webhook.environment, "live");
    check(webhook.header_names == std::vector<std::string>{"X-One", "X-Two"});
    check(webhook.has_basic_auth && !webhook.enabled && !webhook.verified && !webhook.active);
    check(holds(webhook.overrides, "5000"));
    check(webhook.last_http_code == 0 && !webhook.last_http_code_at && !webhook.last_enabled_at);
    check(webhook.created_at == webhook.updated_at);

    // Each field by itself; the others stay.
    hookbox::WebhookUpdate update;
    update.description = "";
    same(must(box.update_webhook("a", webhook.id, update)).description, "");
    update = {};
    update.events = hookbox::Events::all();
    hookbox::Webhook changed = must(box.update_webhook("a", webhook.id, update));
    check(changed.all_events && changed.environment == "live" && changed.has_basic_auth);
    update = {};
    update.environment = "test";
    same(must(box.update_webhook("a", webhook.id, update)).environment, "test");
    update = {};
    update.headers = std::vector<hookbox::Header>{{"X-Three", "3"}};
    check(must(box.update_webhook("a", webhook.id, update)).header_names == std::vector<std::string>{"X-Three"});
    update = {};
    update.basic_auth = hookbox::BasicAuth{};
    check(!must(box.update_webhook("a", webhook.id, update)).has_basic_auth);
    update = {};
    update.overrides = R"({"timeout": 6000})";
    check(holds(must(box.update_webhook("a", webhook.id, update)).overrides, "6000"));
    update = {};
    update.enabled = true;
    check(must(box.update_webhook("a", webhook.id, update)).enabled);
    must(box.activate_webhook("a", webhook.id));
    update = {};
    update.url = "https://example.org/other";
    update.verification_token = "token";
    changed = must(box.update_webhook("a", webhook.id, update));
    check(changed.url == "https://example.org/other" && !changed.verified);
    changed = must(box.verify_webhook("a", webhook.id));
    check(changed.verified && changed.active);
    changed = must(box.deactivate_webhook("a", webhook.id));
    check(!changed.enabled && changed.last_disabled_at.has_value());

    update = {};
    update.events = hookbox::Events::only({});
    check(must(box.update_webhook("a", webhook.id, update)).event_types.empty());
    check(must(box.add_event_type("a", webhook.id, "b")).event_types == std::vector<std::string>{"b"});
    check(must(box.remove_event_type("a", webhook.id, "b")).event_types.empty());

    std::string second = must(box.create_webhook("a", config())).id;
    hookbox::WebhookQuery query;
    query.limit = 1;
    hookbox::Page<hookbox::Webhook> page = must(box.webhooks("a", query));
    same(page.items.size(), 1u);
    same(page.items[0].id, webhook.id);
    query.cursor = page.next_cursor;
    page = must(box.webhooks("a", query));
    same(page.items[0].id, second);
    check(page.next_cursor.empty());
    query = {};
    query.enabled = false;
    same(must(box.webhooks("a", query)).items.size(), 1u);
    query = {};
    query.environment = "test";
    same(must(box.webhooks("a", query)).items.front().id, webhook.id);
    must(box.delete_webhook("a", webhook.id));
    refused(box.webhook("a", webhook.id), hookbox::Status::webhook_not_found);
}

} // namespace

void registry() {
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    apps(box);
    event_types(box);
    webhooks(box);
}
