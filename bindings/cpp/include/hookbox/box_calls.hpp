// The bodies of Box's calls: each is one call of <hookbox.h>. Nothing here is for users.

#ifndef HOOKBOX_BOX_CALLS_HPP
#define HOOKBOX_BOX_CALLS_HPP

#include "box.hpp"

namespace hookbox {

// Opening and closing.

template <class Open> Result<Box> Box::open_by(const Options &options, Open &&open) {
    if (Result<void> fits = check_version(); !fits) {
        return std::move(fits).error();
    }
    if (options.error()) {
        return *options.error();
    }
    auto opened = detail::own<hookbox_box>(std::forward<Open>(open));
    if (!opened) {
        return std::move(opened).error();
    }
    return Box(std::move(*opened));
}

inline Result<Box> Box::open(std::string_view path, const Options &options) {
    return open_by(options, [&](hookbox_box **out, hookbox_error **error) {
        return hookbox_open(detail::str(path), options.capi(), out, error);
    });
}

inline Result<Box> Box::open_read_only(std::string_view path, const Options &options) {
    return open_by(options, [&](hookbox_box **out, hookbox_error **error) {
        return hookbox_open_read_only(detail::str(path), options.capi(), out, error);
    });
}

inline Result<Box> Box::open_in_memory(const Options &options) {
    return open_by(options, [&](hookbox_box **out, hookbox_error **error) {
        return hookbox_open_in_memory(options.capi(), out, error);
    });
}

inline Result<Box> Box::open_store(std::shared_ptr<KeyValueStore> store, const Options &options) {
    if (store == nullptr) {
        return detail::missing("store");
    }
    return open_by(options, [&](hookbox_box **out, hookbox_error **error) {
        hookbox_kv table = detail::to_c(std::move(store));
        return hookbox_open_kv(&table, options.capi(), out, error);
    });
}

inline Result<void> Box::close(std::chrono::milliseconds drain) {
    Result<std::uint64_t> ms = detail::span(drain);
    if (!ms) {
        return std::move(ms).error();
    }
    return detail::call([&](hookbox_error **error) { return hookbox_box_close(capi(), *ms, error); });
}

// Delivering.

inline Result<void> Box::start() {
    return detail::call([&](hookbox_error **error) { return hookbox_box_start(capi(), error); });
}

inline Result<void> Box::stop(std::chrono::milliseconds drain) {
    Result<std::uint64_t> ms = detail::span(drain);
    if (!ms) {
        return std::move(ms).error();
    }
    return detail::call([&](hookbox_error **error) { return hookbox_box_stop(capi(), *ms, error); });
}

inline Result<void> Box::wake() {
    return detail::call([&](hookbox_error **error) { return hookbox_box_wake(capi(), error); });
}

inline Result<Polled> Box::poll(std::optional<Time> now) {
    Polled polled;
    std::int64_t next_due_ms = 0;
    Result<void> done = detail::call([&](hookbox_error **error) {
        return hookbox_box_poll(capi(), detail::unix_ms(now), &polled.attempts, &next_due_ms, error);
    });
    if (!done) {
        return std::move(done).error();
    }
    polled.next_due = detail::time_or_none(next_due_ms);
    return polled;
}

inline Result<void> Box::interrupt() {
    return detail::call([&](hookbox_error **error) { return hookbox_box_interrupt(capi(), error); });
}

inline Result<bool> Box::wait_idle(std::chrono::milliseconds patience) {
    Result<std::uint64_t> ms = detail::span(patience);
    if (!ms) {
        return std::move(ms).error();
    }
    return detail::fetch_number<bool>(
        [&](bool *out, hookbox_error **error) { return hookbox_box_wait_idle(capi(), *ms, out, error); });
}

inline Result<std::vector<Delivery>> Box::claim(std::size_t max) {
    auto claimed = detail::own<hookbox_delivery_list>(
        [&](hookbox_delivery_list **out, hookbox_error **error) { return hookbox_claim(capi(), max, out, error); });
    if (!claimed) {
        return std::move(claimed).error();
    }
    std::shared_ptr<const hookbox_delivery_list> list(std::move(*claimed));
    std::vector<Delivery> deliveries;
    deliveries.reserve(list->count);
    for (std::size_t at = 0; at < list->count; ++at) {
        deliveries.push_back(Delivery(list, at));
    }
    return deliveries;
}

inline Result<void> Box::settle(const Delivery &delivery, const Outcome &outcome) {
    detail::OutcomeInC given(outcome);
    return detail::call(
        [&](hookbox_error **error) { return hookbox_settle(capi(), delivery.capi(), given.get(), error); });
}

// Apps and event types.

inline Result<App> Box::create_app(const NewApp &app) {
    hookbox_new_app given = detail::to_c(app);
    return detail::fetch<hookbox_app>(
        [&](hookbox_app **out, hookbox_error **error) { return hookbox_app_create(capi(), &given, out, error); });
}

inline Result<App> Box::app(std::string_view app) const {
    return detail::fetch<hookbox_app>([&](hookbox_app **out, hookbox_error **error) {
        return hookbox_app_get(capi(), detail::str(app), out, error);
    });
}

inline Result<Page<App>> Box::apps(std::string_view cursor, std::size_t limit) const {
    return detail::fetch<hookbox_app_page>([&](hookbox_app_page **out, hookbox_error **error) {
        return hookbox_app_list(capi(), detail::str(cursor), limit, out, error);
    });
}

inline Result<void> Box::enable_app(std::string_view app) {
    return detail::call([&](hookbox_error **error) { return hookbox_app_enable(capi(), detail::str(app), error); });
}

inline Result<void> Box::disable_app(std::string_view app) {
    return detail::call([&](hookbox_error **error) { return hookbox_app_disable(capi(), detail::str(app), error); });
}

inline Result<void> Box::delete_app(std::string_view app) {
    return detail::call([&](hookbox_error **error) { return hookbox_app_delete(capi(), detail::str(app), error); });
}

inline Result<std::vector<std::string>> Box::event_types() const {
    return detail::fetch<hookbox_texts>(
        [&](hookbox_texts **out, hookbox_error **error) { return hookbox_event_types_list(capi(), out, error); });
}

inline Result<void> Box::add_event_types(const std::vector<std::string> &types) {
    std::vector<hookbox_str> given = detail::strs(types);
    return detail::call(
        [&](hookbox_error **error) { return hookbox_event_types_add(capi(), given.data(), given.size(), error); });
}

inline Result<void> Box::replace_event_types(const std::vector<std::string> &types) {
    std::vector<hookbox_str> given = detail::strs(types);
    return detail::call(
        [&](hookbox_error **error) { return hookbox_event_types_replace(capi(), given.data(), given.size(), error); });
}

// Webhooks.

inline Result<Webhook> Box::create_webhook(std::string_view app, const WebhookConfig &config) {
    detail::ConfigInC given(config);
    return detail::fetch<hookbox_webhook>([&](hookbox_webhook **out, hookbox_error **error) {
        return hookbox_webhook_create(capi(), detail::str(app), given.get(), out, error);
    });
}

inline Result<Webhook> Box::webhook(std::string_view app, std::string_view webhook) const {
    return detail::fetch<hookbox_webhook>([&](hookbox_webhook **out, hookbox_error **error) {
        return hookbox_webhook_get(capi(), detail::str(app), detail::str(webhook), out, error);
    });
}

inline Result<Page<Webhook>> Box::webhooks(std::string_view app, const WebhookQuery &query) const {
    std::int32_t enabled = !query.enabled ? HOOKBOX_ANY : *query.enabled ? HOOKBOX_ENABLED : HOOKBOX_DISABLED;
    return detail::fetch<hookbox_webhook_page>([&](hookbox_webhook_page **out, hookbox_error **error) {
        return hookbox_webhook_list(capi(), detail::str(app), enabled, detail::str(query.environment),
                                    detail::str(query.cursor), query.limit, out, error);
    });
}

inline Result<Webhook> Box::update_webhook(std::string_view app, std::string_view webhook,
                                           const WebhookUpdate &update) {
    WebhookConfig config;
    std::uint32_t fields = detail::fields(update, config);
    detail::ConfigInC given(config);
    return detail::fetch<hookbox_webhook>([&](hookbox_webhook **out, hookbox_error **error) {
        return hookbox_webhook_update(capi(), detail::str(app), detail::str(webhook), fields, given.get(), out, error);
    });
}

inline Result<void> Box::delete_webhook(std::string_view app, std::string_view webhook) {
    return detail::call([&](hookbox_error **error) {
        return hookbox_webhook_delete(capi(), detail::str(app), detail::str(webhook), error);
    });
}

inline Result<Webhook> Box::add_event_type(std::string_view app, std::string_view webhook,
                                           std::string_view event_type) {
    return detail::fetch<hookbox_webhook>([&](hookbox_webhook **out, hookbox_error **error) {
        return hookbox_webhook_add_event_type(capi(), detail::str(app), detail::str(webhook), detail::str(event_type),
                                              out, error);
    });
}

inline Result<Webhook> Box::remove_event_type(std::string_view app, std::string_view webhook,
                                              std::string_view event_type) {
    return detail::fetch<hookbox_webhook>([&](hookbox_webhook **out, hookbox_error **error) {
        return hookbox_webhook_remove_event_type(capi(), detail::str(app), detail::str(webhook),
                                                 detail::str(event_type), out, error);
    });
}

inline Result<Webhook> Box::activate_webhook(std::string_view app, std::string_view webhook) {
    return detail::fetch<hookbox_webhook>([&](hookbox_webhook **out, hookbox_error **error) {
        return hookbox_webhook_activate(capi(), detail::str(app), detail::str(webhook), out, error);
    });
}

inline Result<Webhook> Box::verify_webhook(std::string_view app, std::string_view webhook) {
    return detail::fetch<hookbox_webhook>([&](hookbox_webhook **out, hookbox_error **error) {
        return hookbox_webhook_verify(capi(), detail::str(app), detail::str(webhook), out, error);
    });
}

inline Result<Webhook> Box::deactivate_webhook(std::string_view app, std::string_view webhook) {
    return detail::fetch<hookbox_webhook>([&](hookbox_webhook **out, hookbox_error **error) {
        return hookbox_webhook_deactivate(capi(), detail::str(app), detail::str(webhook), out, error);
    });
}

inline Result<std::vector<std::string>> Box::signing_secrets(std::string_view app, std::string_view webhook) const {
    return detail::fetch<hookbox_texts>([&](hookbox_texts **out, hookbox_error **error) {
        return hookbox_webhook_signing_secrets(capi(), detail::str(app), detail::str(webhook), out, error);
    });
}

inline Result<std::string> Box::roll_signing_secret(std::string_view app, std::string_view webhook,
                                                    std::string_view secret, bool keep_previous) {
    return detail::fetch_text([&](hookbox_texts **out, hookbox_error **error) {
        return hookbox_webhook_roll_signing_secret(capi(), detail::str(app), detail::str(webhook), detail::str(secret),
                                                   keep_previous, out, error);
    });
}

// Events.

inline Result<std::string> Box::emit(std::string_view app, std::string_view event_type, std::string_view payload) {
    return detail::fetch_id([&](hookbox_id *out, hookbox_error **error) {
        return hookbox_emit(capi(), detail::str(app), detail::str(event_type), detail::str(payload), out, error);
    });
}

inline Result<std::string> Box::emit(std::string_view app, const NewEvent &event) {
    hookbox_new_event given = detail::to_c(event);
    return detail::fetch_id([&](hookbox_id *out, hookbox_error **error) {
        return hookbox_emit_event(capi(), detail::str(app), &given, out, error);
    });
}

inline Result<std::vector<std::string>> Box::emit_many(std::string_view app, const std::vector<NewEvent> &events) {
    std::vector<hookbox_new_event> given = detail::to_c(events);
    return detail::fetch_ids(given.size(), [&](hookbox_id *out, hookbox_error **error) {
        return hookbox_emit_many(capi(), detail::str(app), given.data(), given.size(), out, error);
    });
}

inline Result<std::vector<std::string>> Box::emit_in(::sqlite3 *connection, std::string_view app,
                                                     const std::vector<NewEvent> &events) {
    std::vector<hookbox_new_event> given = detail::to_c(events);
    return detail::fetch_ids(given.size(), [&](hookbox_id *out, hookbox_error **error) {
        return hookbox_emit_in(capi(), connection, detail::str(app), given.data(), given.size(), out, error);
    });
}

inline Result<Event> Box::event(std::string_view event) const {
    return detail::fetch<hookbox_event>([&](hookbox_event **out, hookbox_error **error) {
        return hookbox_event_get(capi(), detail::str(event), out, error);
    });
}

inline Result<Page<Event>> Box::events(std::string_view app, const EventQuery &query) const {
    return detail::fetch<hookbox_event_page>([&](hookbox_event_page **out, hookbox_error **error) {
        return hookbox_event_list(capi(), detail::str(app), detail::str(query.event_type), detail::str(query.cursor),
                                  query.limit, out, error);
    });
}

// Signing keys.

inline Result<Key> Box::rotate_key(std::string_view app, const NewKey &key, std::chrono::milliseconds lead) {
    Result<std::uint64_t> ms = detail::span(lead);
    if (!ms) {
        return std::move(ms).error();
    }
    return detail::fetch<hookbox_key>([&](hookbox_key **out, hookbox_error **error) {
        return hookbox_key_rotate(capi(), detail::str(app), key.bits, detail::str(key.pem), detail::str(key.kid), *ms,
                                  out, error);
    });
}

inline Result<Key> Box::rotate_key_to_signer(std::string_view app, std::string_view public_jwk,
                                             std::shared_ptr<Signer> signer, std::chrono::milliseconds lead) {
    if (signer == nullptr) {
        return detail::missing("signer");
    }
    Result<std::uint64_t> ms = detail::span(lead);
    if (!ms) {
        return std::move(ms).error();
    }
    return detail::fetch<hookbox_key>([&](hookbox_key **out, hookbox_error **error) {
        hookbox_signer table = detail::to_c(std::move(signer));
        return hookbox_key_rotate_to_signer(capi(), detail::str(app), detail::str(public_jwk), &table, *ms, out, error);
    });
}

inline Result<void> Box::register_signer(std::string_view app, std::string_view kid, std::shared_ptr<Signer> signer) {
    if (signer == nullptr) {
        return detail::missing("signer");
    }
    return detail::call([&](hookbox_error **error) {
        hookbox_signer table = detail::to_c(std::move(signer));
        return hookbox_key_register_signer(capi(), detail::str(app), detail::str(kid), &table, error);
    });
}

inline Result<Key> Box::retire_key(std::string_view app, std::string_view kid, std::chrono::milliseconds overlap) {
    Result<std::uint64_t> ms = detail::span(overlap);
    if (!ms) {
        return std::move(ms).error();
    }
    return detail::fetch<hookbox_key>([&](hookbox_key **out, hookbox_error **error) {
        return hookbox_key_retire(capi(), detail::str(app), detail::str(kid), *ms, out, error);
    });
}

inline Result<std::vector<Key>> Box::keys(std::string_view app) const {
    return detail::fetch<hookbox_key_list>([&](hookbox_key_list **out, hookbox_error **error) {
        return hookbox_keys(capi(), detail::str(app), out, error);
    });
}

inline Result<std::string> Box::jwks(std::string_view app) const {
    return detail::fetch_text(
        [&](hookbox_texts **out, hookbox_error **error) { return hookbox_jwks(capi(), detail::str(app), out, error); });
}

inline Result<std::size_t> Box::reseal_keys() {
    return detail::fetch_number<std::size_t>(
        [&](std::size_t *out, hookbox_error **error) { return hookbox_keys_reseal(capi(), out, error); });
}

// Records.

inline Result<Batch> Box::batch(std::string_view batch) const {
    return detail::fetch<hookbox_batch>([&](hookbox_batch **out, hookbox_error **error) {
        return hookbox_batch_get(capi(), detail::str(batch), out, error);
    });
}

inline Result<Page<Batch>> Box::batches(std::string_view app, const BatchQuery &query) const {
    return detail::fetch<hookbox_batch_page>([&](hookbox_batch_page **out, hookbox_error **error) {
        return hookbox_batch_list(capi(), detail::str(app), detail::str(query.webhook),
                                  static_cast<std::int32_t>(query.status), detail::str(query.cursor), query.limit, out,
                                  error);
    });
}

inline Result<Page<Attempt>> Box::attempts(std::string_view app, const AttemptQuery &query) const {
    return detail::fetch<hookbox_attempt_page>([&](hookbox_attempt_page **out, hookbox_error **error) {
        return hookbox_attempt_list(capi(), detail::str(app), detail::str(query.webhook), detail::str(query.batch),
                                    detail::str(query.cursor), query.limit, out, error);
    });
}

inline Result<Backlog> Box::backlog(std::string_view app, std::string_view webhook) const {
    return detail::fetch<hookbox_backlog>([&](hookbox_backlog **out, hookbox_error **error) {
        return hookbox_backlog_get(capi(), detail::str(app), detail::str(webhook), out, error);
    });
}

inline Result<BatchStory> Box::explain_batch(std::string_view batch) const {
    return detail::fetch<hookbox_batch_story>([&](hookbox_batch_story **out, hookbox_error **error) {
        return hookbox_batch_explain(capi(), detail::str(batch), out, error);
    });
}

inline Result<EventStory> Box::explain_event(std::string_view event) const {
    return detail::fetch<hookbox_event_story>([&](hookbox_event_story **out, hookbox_error **error) {
        return hookbox_event_explain(capi(), detail::str(event), out, error);
    });
}

inline Result<Batch> Box::resend_batch(std::string_view app, std::string_view batch) {
    return detail::fetch<hookbox_batch>([&](hookbox_batch **out, hookbox_error **error) {
        return hookbox_batch_resend(capi(), detail::str(app), detail::str(batch), out, error);
    });
}

inline Result<Batch> Box::cancel_batch(std::string_view app, std::string_view batch) {
    return detail::fetch<hookbox_batch>([&](hookbox_batch **out, hookbox_error **error) {
        return hookbox_batch_cancel(capi(), detail::str(app), detail::str(batch), out, error);
    });
}

inline Result<std::uint64_t> Box::replay_webhook(std::string_view app, std::string_view webhook, Time since) {
    return detail::fetch_number<std::uint64_t>([&](std::uint64_t *out, hookbox_error **error) {
        return hookbox_webhook_replay(capi(), detail::str(app), detail::str(webhook), detail::unix_ms(since), out,
                                      error);
    });
}

// Upkeep.

inline Result<void> Box::prune(Time before) {
    return detail::call(
        [&](hookbox_error **error) { return hookbox_box_prune(capi(), detail::unix_ms(before), error); });
}

inline Result<std::vector<std::string>> Box::check() const {
    return detail::fetch<hookbox_texts>(
        [&](hookbox_texts **out, hookbox_error **error) { return hookbox_box_check(capi(), out, error); });
}

inline Result<void> Box::backup(std::string_view to_path) const {
    return detail::call([&](hookbox_error **error) { return hookbox_box_backup(capi(), detail::str(to_path), error); });
}

inline Result<Stats> Box::stats() const {
    return detail::fetch<hookbox_stats>(
        [&](hookbox_stats **out, hookbox_error **error) { return hookbox_box_stats(capi(), out, error); });
}

} // namespace hookbox

#endif
