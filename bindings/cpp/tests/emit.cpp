// Goal: events get into the log as they were given, or not at all. Method: emit in each way, and read back.

#include "scenarios.hpp"

void emit() {
    using hookbox::Status;
    Stage stage;
    stage.options.payload_bytes_max(100);
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    must(box.create_app({"a"}));

    std::string id = must(box.emit("a", "user.created", R"({"a" : 1})"));
    hookbox::Event event = must(box.event(id));
    same(event.id, id);
    same(event.position, 1);
    same(event.app_id, "a");
    same(event.event_type, "user.created");
    same(event.payload, R"({"a" : 1})");
    check(event.created_at == stage.clock->now());
    check(event.idempotency_key.empty() && event.environment.empty() && !event.at_most_once);

    hookbox::NewEvent full = {"user.created", "[2]", "key", "live", true};
    std::string once = must(box.emit("a", full));
    same(must(box.emit("a", full)), once);
    event = must(box.event(once));
    same(event.payload, "[2]");
    same(event.idempotency_key, "key");
    same(event.environment, "live");
    check(event.at_most_once);

    std::vector<std::string> ids = must(box.emit_many("a", {{"user.created", "3"}, {"user.deleted", "4"}}));
    same(ids.size(), 2u);
    same(must(box.event(ids[0])).payload, "3");
    same(must(box.event(ids[1])).event_type, "user.deleted");
    same(must(box.emit_many("a", {})).size(), 0u);

    // All or none.
    refused(box.emit_many("a", {{"user.created", "5"}, {"user.exploded", "6"}}), Status::invalid_webhook_event);
    std::vector<hookbox::NewEvent> too_many(HOOKBOX_EMIT_EVENTS_MAX + 1, {"user.created", "7"});
    refused(box.emit_many("a", too_many), Status::invalid_request);
    refused(box.emit("a", "user.created", '"' + std::string(100, 'x') + '"'), Status::payload_too_large);
    refused(box.emit("a", "user.exploded", "{}"), Status::invalid_webhook_event);
    refused(box.emit("a", "user.created", "no json"), Status::invalid_payload);
    refused(box.emit("b", "user.created", "{}"), Status::app_not_found);
    same(must(box.stats()).last_position, 4);

    // A text may hold whatever JSON may: this one is not cut at its NUL.
    refused(box.emit("a", "user.created", std::string_view("{}\0{}", 5)), Status::invalid_payload);

    // A library with a copy of SQLite of its own does not even look at another one's connection.
    refused(box.emit_in(nullptr, "a", {{"user.created", "8"}}), Status::invalid_argument);
    if (hookbox::sqlite_is_bundled()) {
        std::uint64_t no_connection = 0;
        auto *connection = reinterpret_cast<::sqlite3 *>(&no_connection);
        refused(box.emit_in(connection, "a", {{"user.created", "8"}}), Status::unsupported);
    }
}
