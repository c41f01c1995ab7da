// Goal: a closed box says so, whenever and however often it is closed. Method: after, twice, amid calls of other
// threads, and from inside a callback.

#include "scenarios.hpp"

#include <thread>

namespace {

using hookbox::Status;

void after_and_twice() {
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    active_webhook(box);
    must(box.start());
    must(box.close(std::chrono::seconds(1)));
    must(box.close());
    hookbox::Error closed = refused(box.emit("a", "user.created", "{}"), Status::closed);
    check(!closed.retryable);
    refused(box.apps(), Status::closed);
    refused(box.start(), Status::closed);
    refused(box.poll(), Status::closed);
    refused(box.claim(1), Status::closed);
    refused(box.close(std::chrono::milliseconds(-1)), Status::invalid_argument);
}

void amid_calls() {
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    active_webhook(box);
    must(box.start());
    Signal running;
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back([&box, &running] {
            for (;;) {
                hookbox::Result<std::string> id = box.emit("a", "user.created", "{}");
                if (!id) {
                    refused(id, Status::closed);
                    return;
                }
                running.give();
            }
        });
    }
    check(running.wait());
    must(box.close(std::chrono::seconds(1)));
    for (std::thread &thread : threads) {
        thread.join();
    }
}

void inside_a_callback() {
    Stage stage;
    Signal told;
    hookbox::Box *inside = nullptr;
    hookbox::Box other = must(hookbox::Box::open_in_memory());
    stage.options.on_notice([&](const hookbox::Notice &) {
        refused(inside->close(), Status::unsupported);
        refused(inside->stop(), Status::unsupported);
        refused(inside->start(), Status::unsupported);
        refused(other.start(), Status::unsupported);
        must(inside->app("a"));
        told.give();
    });
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    inside = &box;
    active_webhook(box);
    stage.transport->answer(hookbox::Outcome::answered(410));
    must(box.start());
    must(box.emit("a", "user.created", "{}"));
    check(told.wait());
    must(box.close(std::chrono::seconds(1)));
}

// What a host brought is let go of with the last that has it.
void lets_go() {
    std::weak_ptr<HandClock> clock;
    std::weak_ptr<ScriptedTransport> transport;
    {
        Stage stage;
        clock = stage.clock;
        transport = stage.transport;
        hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
        stage.options = hookbox::Options();
        stage.clock.reset();
        stage.transport.reset();
        check(!clock.expired() && !transport.expired());
        hookbox::Box other = std::move(box);
        box = must(hookbox::Box::open_in_memory());
    }
    check(clock.expired() && transport.expired());
}

} // namespace

void closing() {
    after_and_twice();
    amid_calls();
    inside_a_callback();
    lets_go();
}
