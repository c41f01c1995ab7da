// A box on a clock set by hand, with a transport that answers as it is told: no socket, no sleep.

#ifndef HOOKBOX_TESTS_STAGE_HPP
#define HOOKBOX_TESTS_STAGE_HPP

#include "check.hpp"

#include <condition_variable>
#include <mutex>

/// Stands still until it is moved.
class HandClock : public hookbox::Clock {
  public:
    hookbox::Time now() noexcept override { return hookbox::Time(std::chrono::milliseconds(now_ms_.load())); }
    void advance(std::chrono::milliseconds by) { now_ms_ += by.count(); }
    void set(hookbox::Time to) { now_ms_ = to.time_since_epoch().count(); }

  private:
    std::atomic<std::int64_t> now_ms_{1'800'000'000'000};
};

/// Answers challenges as an endpoint does, and deliveries as it is told; keeps the deliveries.
class ScriptedTransport : public hookbox::Transport {
  public:
    hookbox::Outcome send(const hookbox::Request &request) override {
        if (request.method == "GET") {
            std::string query = request.url.substr(request.url.find('?') + 1);
            hookbox::ChallengeAnswer answer = must(hookbox::answer_challenge(query, "token"));
            return hookbox::Outcome::answered(answer.http_status, {{"content-type", answer.content_type}}, answer.body);
        }
        std::lock_guard<std::mutex> lock(mutex_);
        requests_.push_back(request);
        return outcome_;
    }

    /// What deliveries come to from now on.
    void answer(hookbox::Outcome outcome) {
        std::lock_guard<std::mutex> lock(mutex_);
        outcome_ = std::move(outcome);
    }

    std::vector<hookbox::Request> requests() {
        std::lock_guard<std::mutex> lock(mutex_);
        return requests_;
    }

  private:
    std::mutex mutex_;
    hookbox::Outcome outcome_ = hookbox::Outcome::answered(200);
    std::vector<hookbox::Request> requests_;
};

/// Something that a thread waits for.
class Signal {
  public:
    void give() {
        std::lock_guard<std::mutex> lock(mutex_);
        given_ = true;
        changed_.notify_all();
    }
    /// Whether it came within 20 seconds.
    bool wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return given_; });
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool given_ = false;
};

/// Clock and transport, and options that have them.
struct Stage {
    std::shared_ptr<HandClock> clock = std::make_shared<HandClock>();
    std::shared_ptr<ScriptedTransport> transport = std::make_shared<ScriptedTransport>();
    hookbox::Options options = {};

    Stage() { options.clock(clock).transport(transport); }
};

inline hookbox::WebhookConfig config(std::string url = "https://example.com/hooks") {
    hookbox::WebhookConfig config;
    config.url = std::move(url);
    config.verification_token = "token";
    config.events = hookbox::Events::all();
    return config;
}

/// An app "a" with an active webhook; gives its id.
inline std::string active_webhook(hookbox::Box &box, const std::string &profile = "") {
    must(box.create_app({"a", profile}));
    hookbox::Webhook webhook = must(box.create_webhook("a", config()));
    if (!webhook.active) {
        webhook = must(box.activate_webhook("a", webhook.id));
    }
    check(webhook.active);
    return webhook.id;
}

#endif
