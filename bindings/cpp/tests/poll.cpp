// Goal: two weeks of retries in a second. Method: the host's clock and transport; poll when it says so.

#include "scenarios.hpp"

#include <thread>

namespace {

// Keeps a request until it is let go.
class HeldTransport : public ScriptedTransport {
  public:
    Signal sending;
    Signal let_go;

    hookbox::Outcome send(const hookbox::Request &request) override {
        if (request.method == "POST") {
            sending.give();
            check(let_go.wait());
        }
        return ScriptedTransport::send(request);
    }
};

// A poll comes back after the request at hand although another is due; a wait at once.
void interrupted() {
    auto transport = std::make_shared<HeldTransport>();
    auto clock = std::make_shared<HandClock>();
    hookbox::Box box = must(hookbox::Box::open_in_memory(hookbox::Options().clock(clock).transport(transport)));
    std::string first = active_webhook(box);
    hookbox::Webhook second = must(box.create_webhook("a", config("https://example.org/hooks")));
    must(box.activate_webhook("a", second.id));
    must(box.interrupt()); // Nobody polls: nothing comes of it.
    must(box.emit("a", "user.created", "{}"));
    std::size_t attempts = 0;
    std::thread polling([&] { attempts = must(box.poll()).attempts; });
    check(transport->sending.wait());
    must(box.interrupt());
    transport->let_go.give();
    polling.join();
    same(attempts, 1u);
    same(must(box.poll()).attempts, 1u);

    auto other = std::make_shared<HeldTransport>();
    hookbox::Box started = must(hookbox::Box::open_in_memory(hookbox::Options().transport(other)));
    active_webhook(started);
    must(started.emit("a", "user.created", "{}"));
    must(started.start());
    check(other->sending.wait());
    std::atomic<bool> back{false};
    std::thread waiting([&] {
        check(!must(started.wait_idle(std::chrono::minutes(10))));
        back = true;
    });
    bool taken = true;
    while (!back) { // Again and again: the wait may not have begun.
        taken = started.interrupt().has_value() && taken;
        std::this_thread::yield();
    }
    waiting.join();
    check(taken);
    other->let_go.give();
    check(must(started.wait_idle(std::chrono::seconds(20))));
    must(started.close());
}

} // namespace

void poll() {
    interrupted();
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    std::string webhook = active_webhook(box);
    stage.transport->answer(hookbox::Outcome::answered(503, {}, "later"));
    std::string event = must(box.emit("a", "user.created", "{}"));

    hookbox::Time began = stage.clock->now();
    std::size_t attempts = 0;
    std::optional<hookbox::Time> due = began;
    hookbox::BatchQuery open;
    open.status = hookbox::BatchStatus::waiting;
    for (int round = 0; due && (round == 0 || !must(box.batches("a", open)).items.empty()); ++round) {
        check(round < 200);
        stage.clock->set(*due);
        hookbox::Polled polled = must(box.poll());
        attempts += polled.attempts;
        due = polled.next_due;
    }
    check(stage.clock->now() - began > std::chrono::hours(24 * 13));
    check(attempts > 20);
    same(stage.transport->requests().size(), attempts);
    hookbox::Page<hookbox::Batch> batches = must(box.batches("a"));
    same(batches.items.size(), 1u);
    const hookbox::Batch &batch = batches.items[0];
    same(batch.attempts, attempts);
    check(batch.webhook_id == webhook && batch.ended_at.has_value());
    check(batch.status == hookbox::BatchStatus::exhausted || batch.status == hookbox::BatchStatus::parked);

    // A request carries what it should, with the time of the host's clock.
    hookbox::Request request = stage.transport->requests().front();
    same(request.method, "POST");
    same(request.url, "https://example.com/hooks");
    check(request.timeout.count() > 0 && holds(request.body, event.c_str()));

    // The time can be given, too.
    Stage other;
    hookbox::Box second = must(hookbox::Box::open_in_memory(other.options));
    active_webhook(second);
    must(second.emit("a", "user.created", "{}"));
    same(must(second.poll(other.clock->now())).attempts, 1u);
    same(must(second.poll()).attempts, 0u);

#if defined(__cpp_exceptions)
    // A transport that throws is nobody's failure but the host's.
    class Throwing : public hookbox::Transport {
        hookbox::Outcome send(const hookbox::Request &) override { throw std::runtime_error("the wire is cut"); }
    };
    hookbox::Options options;
    options.clock(stage.clock).transport(std::make_shared<Throwing>());
    hookbox::Box third = must(hookbox::Box::open_in_memory(options));
    must(third.create_app({"a", "fingerprint"}));
    hookbox::Webhook unasked = must(third.create_webhook("a", config()));
    hookbox::Error error = refused(third.activate_webhook("a", unasked.id), hookbox::Status::webhook_activation_failed);
    check(!error.message.empty());
#endif
}
