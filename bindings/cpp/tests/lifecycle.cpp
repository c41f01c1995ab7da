// Goal: the whole way of an event over real HTTP. Method: a box in a file, its threads, and a receiver of the test's
// own, which verifies with the binding's verifier.

#include "../../../examples/cpp/receiver.hpp"
#include "scenarios.hpp"

void lifecycle() {
    must(hookbox::check_version());
    same(hookbox::version_number(), static_cast<std::uint32_t>(HOOKBOX_VERSION_NUMBER));
    same(hookbox::version(), std::to_string(HOOKBOX_VERSION_MAJOR) + "." + std::to_string(HOOKBOX_VERSION_MINOR) + "." +
                                 std::to_string(HOOKBOX_VERSION_PATCH));
    check(hookbox::sqlite_version() >= "3.51.3");

    Receiver receiver("token");
    hookbox::Options options;
    options.allow_http().allow_network("127.0.0.0/8").user_agent("test/1").workers(2);
    std::string path = fresh_path("lifecycle.db");
    hookbox::Box box = must(hookbox::Box::open(path, options));
    check(box.capi() != nullptr);

    hookbox::App app = must(box.create_app({"54e9ujn"}));
    same(app.profile_name, "prelude");
    hookbox::Webhook webhook = must(box.create_webhook(app.id, config(receiver.url())));
    check(!webhook.active);
    webhook = must(box.activate_webhook(app.id, webhook.id));
    check(webhook.active && webhook.verified && webhook.enabled);

    must(box.start());
    must(box.start());
    std::string event = must(box.emit(app.id, "user.created", R"({"user_id": 42})"));
    std::optional<Delivered> delivered = receiver.next();
    check(delivered.has_value());
    hookbox::Verifier verifier = must(hookbox::Verifier::prelude(must(box.jwks(app.id))));
    std::vector<hookbox::ReceivedEvent> received = must(verifier.verify(delivered->headers, delivered->body));
    same(received.size(), 1u);
    same(received[0].id, event);
    same(received[0].event_type, "user.created");
    same(received[0].payload, R"({"user_id": 42})");
    check(!received[0].created_at.empty());

    must(box.wake());
    check(must(box.wait_idle(std::chrono::seconds(20))));
    must(box.stop(std::chrono::seconds(5)));
    same(must(box.webhook(app.id, webhook.id)).last_http_code, 200);
    must(box.close());

    // It is in the file, for the next one that looks.
    hookbox::Box reader = must(hookbox::Box::open_read_only(path));
    hookbox::Box moved = std::move(reader);
    same(must(moved.event(event)).payload, R"({"user_id": 42})");
    refused(moved.emit(app.id, "user.created", "{}"), hookbox::Status::read_only);
    refused(reader.emit(app.id, "user.created", "{}"), hookbox::Status::invalid_argument);

    // What is released is freed by hand.
    hookbox_box_free(moved.capi_release());
    check(moved.capi() == nullptr);
    hookbox_options_free(options.capi_release());
    refused(hookbox::Box::open_in_memory(options.workers(1)), hookbox::Status::invalid_argument);
    hookbox_verifier_free(verifier.capi_release());
    refused(verifier.verify({}, ""), hookbox::Status::invalid_argument);
}
