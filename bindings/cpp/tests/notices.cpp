// Goal: the host hears of what its operators want to hear, from hookbox's threads, whatever it does then. Method: an
// endpoint that has gone; a callback that throws.

#include "scenarios.hpp"

#include <thread>

void notices() {
    Signal told;
    std::mutex mutex;
    std::vector<hookbox::Notice> heard;
    std::thread::id thread;
    auto counted = std::make_shared<int>(0);
    std::weak_ptr<int> watched = counted;

    Stage stage;
    stage.options.on_notice([&, counted](const hookbox::Notice &notice) {
        {
            std::lock_guard<std::mutex> lock(mutex);
            heard.push_back(notice);
            thread = std::this_thread::get_id();
        }
        if (notice.kind == "webhook_deactivated") {
            told.give();
        }
#if defined(__cpp_exceptions)
        throw std::runtime_error("the host's own trouble");
#endif
    });
    counted.reset();
    {
        hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
        std::string webhook = active_webhook(box);
        stage.transport->answer(hookbox::Outcome::answered(410));
        must(box.start());
        must(box.emit("a", "user.created", "{}"));
        check(told.wait());
        must(box.stop(std::chrono::seconds(5)));
        std::lock_guard<std::mutex> lock(mutex);
        check(thread != std::this_thread::get_id());
        const hookbox::Notice *gone = nullptr;
        for (const hookbox::Notice &notice : heard) {
            if (notice.kind == "webhook_deactivated") {
                gone = &notice;
            }
        }
        check(gone != nullptr && gone->app_id == "a" && gone->webhook_id == webhook);
        check(holds(gone->json, "\"notice\":\"webhook_deactivated\""));
        check(!must(box.webhook("a", webhook)).active);
        must(box.close());
    }
    // The callback is freed with the last that has it: the options.
    check(!watched.expired());
    stage.options = hookbox::Options();
    check(watched.expired());
}
