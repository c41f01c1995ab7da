// Goal: each kind of error that a program acts on arrives whole, as a value and as an exception. Method: provoke each.

#include "scenarios.hpp"

#include <thread>

namespace {

void kind(const hookbox::Error &error, std::uint16_t http_status, const char *code, int line = __builtin_LINE()) {
    same(error.http_status, http_status, __FILE__, line);
    same(error.code, code, __FILE__, line);
    check(!error.retryable, __FILE__, line);
    check(!error.message.empty() && error.message.find('\n') == std::string::npos, __FILE__, line);
}

// A store whose transactions are refused, as another process's lock would.
class BusyStore : public hookbox::KeyValueStore {
  public:
    hookbox::Result<std::unique_ptr<hookbox::KeyValueTransaction>> begin(bool) override {
        return hookbox::Error(hookbox::Status::storage_busy, "somebody else is in it");
    }
};

// Two threads fail at once, each its own way: neither sees the other's error.
void nothing_is_of_a_thread(hookbox::Box &box) {
    auto failing = [&box](const char *app, hookbox::Status status, const char *code) {
        for (int round = 0; round < 200; ++round) {
            same(refused(box.create_app({app}), status).code, code);
        }
    };
    std::thread other(failing, "a", hookbox::Status::app_exists, "app_exists");
    failing("not an id", hookbox::Status::app_not_found, "app_not_found");
    other.join();
}

void as_exceptions(hookbox::Box &box) {
#if defined(__cpp_exceptions)
    bool thrown = false;
    try {
        must(box.app("a"));
        box.app("nobody").value();
    } catch (const hookbox::Exception &exception) {
        thrown = true;
        hookbox::Exception copy = exception;
        same(copy.error().code, "app_not_found");
        check(copy.error().status == hookbox::Status::app_not_found);
        check(std::string(copy.what()).find("app_not_found: ") == 0);
    }
    check(thrown);
    thrown = false;
    try {
        hookbox::Result<void> done = box.disable_app("nobody");
        done.value();
    } catch (const std::exception &) {
        thrown = true;
    }
    check(thrown);
    thrown = false;
    try {
        (void)box.app("a").error();
    } catch (const std::exception &) {
        thrown = true;
    }
    check(thrown);
#else
    static_cast<void>(box);
#endif
}

void as_expected(hookbox::Box &box) {
#if defined(__cpp_lib_expected)
    std::expected<hookbox::App, hookbox::Error> app = hookbox::to_expected(box.app("a"));
    check(app.has_value() && app->id == "a");
    check(hookbox::to_expected(box.app("nobody")).error().status == hookbox::Status::app_not_found);
    check(hookbox::to_expected(box.enable_app("a")).has_value());
    check(!hookbox::to_expected(box.enable_app("nobody")).has_value());
#else
    static_cast<void>(box);
#endif
}

} // namespace

void errors() {
    using hookbox::Status;
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    std::string webhook = active_webhook(box);

    kind(refused(box.create_app({"a"}), Status::app_exists), 409, "app_exists");
    kind(refused(box.app("b"), Status::app_not_found), 404, "app_not_found");
    kind(refused(box.webhook("a", "web_01m8829x0khmz2kk7c6vwrpy6d"), Status::webhook_not_found), 404,
         "webhook_not_found");
    kind(refused(box.event("evt_01m8829x0khmz2kk7c6vwrpy6d"), Status::event_not_found), 404, "event_not_found");
    kind(refused(box.batch("bat_01m8829x0khmz2kk7c6vwrpy6d"), Status::batch_not_found), 404, "batch_not_found");
    kind(refused(box.retire_key("a", "none", {}), Status::key_not_found), 404, "key_not_found");
    kind(refused(box.emit("a", "user.exploded", "{}"), Status::invalid_webhook_event), 400, "invalid_webhook_event");
    kind(refused(box.emit("a", "user.created", "{"), Status::invalid_payload), 400, "invalid_payload");
    kind(refused(box.create_webhook("a", config("ftp://example.com")), Status::webhook_invalid_url), 400,
         "webhook_invalid_url");
    kind(refused(box.create_app({"b", "no profile"}), Status::invalid_request), 400, "invalid_request");
    hookbox::NewApp bad_key = {"b"};
    bad_key.key_pem = "no key";
    kind(refused(box.create_app(bad_key), Status::invalid_key), 400, "invalid_key");
    kind(refused(box.app("\xff"), Status::invalid_utf8), 500, "invalid_utf8");
    refused(box.stop(std::chrono::milliseconds(-1)), Status::invalid_argument);
    must(box.disable_app("a"));
    kind(refused(box.emit("a", "user.created", "{}"), Status::session_disabled), 403, "session_disabled");
    must(box.enable_app("a"));

    // The first error of the options is kept until a box is opened with them.
    hookbox::Options options;
    options.allow_network("no network").workers(1).ports({1, 2}).retention(std::chrono::seconds(-1));
    check(options.error().has_value());
    refused(hookbox::Box::open_in_memory(options), Status::invalid_request);
    hookbox::Options idle;
    refused(hookbox::Box::open_in_memory(idle.workers(0)), Status::invalid_request);
    refused(hookbox::Box::open_in_memory(hookbox::Options().clock(nullptr)), Status::invalid_argument);
    refused(hookbox::Box::open_in_memory(hookbox::Options().on_notice(nullptr)), Status::invalid_argument);
    refused(hookbox::Box::open_store(nullptr), Status::invalid_argument);

    hookbox::Error busy = refused(hookbox::Box::open_store(std::make_shared<BusyStore>()), Status::storage_busy);
    check(busy.retryable);
    same(busy.http_status, 503);

    same(must(hookbox::profile("prelude")).front(), '{');
    refused(hookbox::profile("nobody's"), Status::invalid_request);
    same(box.app("b").value_or(hookbox::App{}).id, "");
    nothing_is_of_a_thread(box);
    as_exceptions(box);
    as_expected(box);
    // A retry by hand, as the text of the error says, goes on to work.
    must(box.emit("a", "user.created", "{}"));
    check(!webhook.empty());
}
