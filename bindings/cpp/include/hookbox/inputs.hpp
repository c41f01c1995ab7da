// What a program fills in: apps, webhooks, events.

#ifndef HOOKBOX_INPUTS_HPP
#define HOOKBOX_INPUTS_HPP

#include "call.hpp"

namespace hookbox {

/// What may be created as an app.
struct NewApp {
    /// 1 to 64 characters of A-Z a-z 0-9 . _ -, the first one alphanumeric.
    std::string id = {};
    /// Which wire contract its webhooks follow: "prelude" (if empty), "fingerprint", "standard_webhooks", or a
    /// profile of the host's own as a JSON object: take the one of profile() and change it.
    std::string profile = {};
    /// Bits of the RSA signing key that hookbox makes: 2048, 3072 or 4096; 0 means 2048.
    std::uint32_t key_bits = 0;
    /// A signing key of the host's own (PEM); empty: hookbox makes one.
    std::string key_pem = {};
    /// The id of that key (kid); empty: a random UUID. Not without key_pem.
    std::string key_id = {};
};

/// Which event types a webhook hears.
class Events {
  public:
    /// As the profile has it: all, or none.
    Events() = default;
    /// Every event of the app.
    static Events all() { return Events(HOOKBOX_EVENTS_ALL, {}); }
    /// These types only; none at all is allowed and hears nothing.
    static Events only(std::vector<std::string> types) { return Events(HOOKBOX_EVENTS_ONLY, std::move(types)); }

    /// HOOKBOX_EVENTS_DEFAULT, _ALL or _ONLY.
    std::int32_t kind() const noexcept { return kind_; }
    /// The types of only().
    const std::vector<std::string> &types() const noexcept { return types_; }

  private:
    Events(std::int32_t kind, std::vector<std::string> types) : kind_(kind), types_(std::move(types)) {}

    std::int32_t kind_ = HOOKBOX_EVENTS_DEFAULT;
    std::vector<std::string> types_;
};

/// Basic authentication (RFC 7617): a username without colon; empty for none.
struct BasicAuth {
    std::string username = {};
    std::string password = {};
};

/// How a webhook is to be.
struct WebhookConfig {
    /// An absolute URL of at most 2048 characters, inside the box's address policy.
    std::string url = {};
    /// At most 100 characters, sent with the activation challenge, so that the endpoint knows who asks.
    std::string verification_token = {};
    Events events = {};
    /// For people, at most 1024 bytes.
    std::string description = {};
    /// Only events of this environment are owed; empty hears all.
    std::string environment = {};
    /// Sent with every delivery: at most 32, none of those that hookbox or HTTP itself sets. Kept as secrets.
    std::vector<Header> headers = {};
    BasicAuth basic_auth = {};
    /// The secret to sign with, for profiles that sign with one; empty: hookbox makes one.
    std::string signing_secret = {};
    /// Settings that replace those of the app's profile, as a JSON object; empty for none: "timeout" (ms),
    /// "concurrency", "rate_limit" (requests a second), "retry", "ordering" ("none" or "fifo").
    std::string overrides = {};
    /// The operator's switch: false registers it switched off.
    bool enabled = true;
};

/// What is to change of a webhook: what is set becomes so, the rest stays.
struct WebhookUpdate {
    /// A new one un-verifies the webhook.
    std::optional<std::string> url = {};
    std::optional<std::string> verification_token = {};
    std::optional<Events> events = {};
    std::optional<std::string> description = {};
    std::optional<bool> enabled = {};
    /// Empty hears all.
    std::optional<std::string> environment = {};
    /// All of them.
    std::optional<std::vector<Header>> headers = {};
    /// An empty one removes it.
    std::optional<BasicAuth> basic_auth = {};
    /// All of them.
    std::optional<std::string> overrides = {};
};

/// An event to emit.
struct NewEvent {
    /// Of the catalogue.
    std::string event_type = {};
    /// One JSON text, stored and sent verbatim.
    std::string payload = {};
    /// Emitting again with the same key gives the first event's id and stores nothing (at most 255 bytes).
    std::string idempotency_key = {};
    /// The environment it happened in; empty for none.
    std::string environment = {};
    /// Never sent again once any byte of a request may have arrived: the event may be lost. By default it is sent
    /// until it has arrived, and may arrive twice.
    bool at_most_once = false;
};

namespace detail {

inline hookbox_new_app to_c(const NewApp &app) {
    hookbox_new_app raw = HOOKBOX_NEW_APP_INIT;
    raw.id = str(app.id);
    raw.profile = str(app.profile);
    raw.key_bits = app.key_bits;
    raw.key_pem = str(app.key_pem);
    raw.key_id = str(app.key_id);
    return raw;
}

inline hookbox_new_event to_c(const NewEvent &event) {
    hookbox_new_event raw = HOOKBOX_NEW_EVENT_INIT;
    raw.event_type = str(event.event_type);
    raw.payload = str(event.payload);
    raw.idempotency_key = str(event.idempotency_key);
    raw.environment = str(event.environment);
    raw.at_most_once = event.at_most_once;
    return raw;
}

inline std::vector<hookbox_new_event> to_c(const std::vector<NewEvent> &events) {
    std::vector<hookbox_new_event> list;
    list.reserve(events.size());
    for (const NewEvent &event : events) {
        list.push_back(to_c(event));
    }
    return list;
}

// A configuration as C has it, and the lists that it points to. It points into the WebhookConfig as well.
class ConfigInC {
  public:
    explicit ConfigInC(const WebhookConfig &config)
        : types_(strs(config.events.types())), headers_(pairs(config.headers)) {
        raw_.events = config.events.kind();
        raw_.url = str(config.url);
        raw_.verification_token = str(config.verification_token);
        raw_.event_types = types_.data();
        raw_.event_type_count = types_.size();
        raw_.description = str(config.description);
        raw_.environment = str(config.environment);
        raw_.headers = headers_.data();
        raw_.header_count = headers_.size();
        raw_.username = str(config.basic_auth.username);
        raw_.password = str(config.basic_auth.password);
        raw_.signing_secret = str(config.signing_secret);
        raw_.overrides = str(config.overrides);
        raw_.disabled = !config.enabled;
    }
    ConfigInC(const ConfigInC &) = delete;
    ConfigInC &operator=(const ConfigInC &) = delete;

    const hookbox_webhook_config *get() const noexcept { return &raw_; }

  private:
    std::vector<hookbox_str> types_;
    std::vector<hookbox_pair> headers_;
    hookbox_webhook_config raw_ = HOOKBOX_WEBHOOK_CONFIG_INIT;
};

// Puts a field that is to change into the configuration, and says its bit.
template <class T> std::uint32_t change(const std::optional<T> &from, T &to, std::uint32_t bit) {
    if (!from) {
        return 0;
    }
    to = *from;
    return bit;
}

// The configuration that an update makes, and which of its fields count.
inline std::uint32_t fields(const WebhookUpdate &update, WebhookConfig &config) {
    return change(update.url, config.url, HOOKBOX_WEBHOOK_URL) |
           change(update.verification_token, config.verification_token, HOOKBOX_WEBHOOK_TOKEN) |
           change(update.events, config.events, HOOKBOX_WEBHOOK_EVENTS) |
           change(update.description, config.description, HOOKBOX_WEBHOOK_DESCRIPTION) |
           change(update.enabled, config.enabled, HOOKBOX_WEBHOOK_ENABLED) |
           change(update.environment, config.environment, HOOKBOX_WEBHOOK_ENVIRONMENT) |
           change(update.headers, config.headers, HOOKBOX_WEBHOOK_HEADERS) |
           change(update.basic_auth, config.basic_auth, HOOKBOX_WEBHOOK_BASIC_AUTH) |
           change(update.overrides, config.overrides, HOOKBOX_WEBHOOK_OVERRIDES);
}

} // namespace detail

} // namespace hookbox

#endif
