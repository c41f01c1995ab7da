// From the structures of <hookbox.h> to the values of records.hpp. Nothing here is for users.

#ifndef HOOKBOX_RECORDS_READ_HPP
#define HOOKBOX_RECORDS_READ_HPP

#include "records.hpp"

namespace hookbox::detail {

inline std::string text(hookbox_str from) {
    return from.len == 0 ? std::string() : std::string(from.ptr, from.len);
}

inline std::vector<std::string> texts(const hookbox_str *from, std::size_t count) {
    std::vector<std::string> list;
    list.reserve(count);
    for (std::size_t at = 0; at < count; ++at) {
        list.push_back(text(from[at]));
    }
    return list;
}

inline std::vector<Header> headers(const hookbox_pair *from, std::size_t count) {
    std::vector<Header> list;
    list.reserve(count);
    for (std::size_t at = 0; at < count; ++at) {
        list.push_back(Header{text(from[at].name), text(from[at].value)});
    }
    return list;
}

inline Time time(std::int64_t unix_ms) noexcept {
    return Time(std::chrono::milliseconds(unix_ms));
}

// 0 is what C has for none.
inline std::optional<Time> time_or_none(std::int64_t unix_ms) noexcept {
    return unix_ms == 0 ? std::nullopt : std::optional<Time>(time(unix_ms));
}

inline std::vector<std::string> read(const hookbox_texts &from) {
    return texts(from.items, from.count);
}

inline App read(const hookbox_app &from) {
    App app;
    app.id = text(from.id);
    app.enabled = from.enabled;
    app.created_at = time(from.created_at_ms);
    app.profile_name = text(from.profile_name);
    app.profile = text(from.profile);
    return app;
}

inline Webhook read(const hookbox_webhook &from) {
    Webhook webhook;
    webhook.id = text(from.id);
    webhook.app_id = text(from.app_id);
    webhook.url = text(from.url);
    webhook.all_events = from.all_events;
    webhook.event_types = texts(from.event_types, from.event_type_count);
    webhook.verified = from.verified;
    webhook.enabled = from.enabled;
    webhook.active = from.active;
    webhook.has_basic_auth = from.has_basic_auth;
    webhook.last_http_code = from.last_http_code;
    webhook.last_http_code_at = time_or_none(from.last_http_code_at_ms);
    webhook.description = text(from.description);
    webhook.environment = text(from.environment);
    webhook.overrides = text(from.overrides);
    webhook.header_names = texts(from.header_names, from.header_name_count);
    webhook.created_at = time(from.created_at_ms);
    webhook.updated_at = time(from.updated_at_ms);
    webhook.last_enabled_at = time_or_none(from.last_enabled_at_ms);
    webhook.last_disabled_at = time_or_none(from.last_disabled_at_ms);
    return webhook;
}

inline Event read(const hookbox_event &from) {
    Event event;
    event.id = text(from.id);
    event.position = from.position;
    event.app_id = text(from.app_id);
    event.event_type = text(from.event_type);
    event.payload = text(from.payload);
    event.created_at = time(from.created_at_ms);
    event.idempotency_key = text(from.idempotency_key);
    event.environment = text(from.environment);
    event.at_most_once = from.at_most_once;
    return event;
}

inline Key read(const hookbox_key &from) {
    Key key;
    key.kid = text(from.kid);
    key.public_jwk = text(from.public_jwk);
    key.phase = static_cast<KeyPhase>(from.phase);
    key.has_private_part = from.has_private_part;
    key.created_at = time(from.created_at_ms);
    key.signs_from = time(from.signs_from_ms);
    key.signs_until = time_or_none(from.signs_until_ms);
    key.published_until = time_or_none(from.published_until_ms);
    return key;
}

inline Batch read(const hookbox_batch &from) {
    Batch batch;
    batch.id = text(from.id);
    batch.app_id = text(from.app_id);
    batch.webhook_id = text(from.webhook_id);
    batch.parent_id = text(from.parent_id);
    batch.status = static_cast<BatchStatus>(from.status);
    batch.at_most_once = from.at_most_once;
    batch.end_reason = text(from.end_reason);
    batch.event_count = from.event_count;
    batch.first_position = from.first_position;
    batch.last_position = from.last_position;
    batch.attempts = from.attempts;
    batch.failures = from.failures;
    batch.created_at = time(from.created_at_ms);
    batch.due_at = time_or_none(from.due_at_ms);
    batch.ended_at = time_or_none(from.ended_at_ms);
    return batch;
}

inline Attempt read(const hookbox_attempt &from) {
    Attempt attempt;
    attempt.batch_id = text(from.batch_id);
    attempt.webhook_id = text(from.webhook_id);
    attempt.number = from.number;
    attempt.http_status = from.http_status;
    attempt.failure = text(from.failure);
    attempt.started_at = time(from.started_at_ms);
    attempt.duration = std::chrono::milliseconds(from.duration_ms);
    attempt.excerpt = text(from.excerpt);
    return attempt;
}

inline Backlog read(const hookbox_backlog &from) {
    Backlog backlog;
    backlog.events_owed = from.events_owed;
    backlog.oldest_owed_at = time_or_none(from.oldest_owed_at_ms);
    backlog.batches_waiting = from.batches_waiting;
    backlog.batches_leased = from.batches_leased;
    backlog.batches_parked = from.batches_parked;
    backlog.batches_exhausted = from.batches_exhausted;
    backlog.consecutive_failures = from.consecutive_failures;
    backlog.failing_since = time_or_none(from.failing_since_ms);
    backlog.last_success_at = time_or_none(from.last_success_at_ms);
    backlog.paused_until = time_or_none(from.paused_until_ms);
    backlog.next_due = time_or_none(from.next_due_ms);
    return backlog;
}

inline Stats read(const hookbox_stats &from) {
    return Stats{from.last_position, from.bytes, from.wal_bytes};
}

inline Notice read(const hookbox_notice &from) {
    return Notice{text(from.kind), text(from.app_id), text(from.webhook_id), text(from.batch_id), text(from.json)};
}

inline ReceivedEvent read(const hookbox_received_event &from) {
    return ReceivedEvent{text(from.id), text(from.event_type), text(from.payload), text(from.created_at)};
}

inline ChallengeAnswer read(const hookbox_challenge_answer &from) {
    return ChallengeAnswer{from.http_status, from.challenge, text(from.content_type), text(from.body),
                           text(from.app_id)};
}

inline ApiKey read(const hookbox_api_key &from) {
    ApiKey key;
    key.id = text(from.id);
    key.name = text(from.name);
    key.app_id = text(from.app_id);
    key.read_only = from.read_only;
    key.requests_per_second = from.requests_per_second;
    key.created_at = time(from.created_at_ms);
    key.expires_at = time_or_none(from.expires_at_ms);
    key.revoked_at = time_or_none(from.revoked_at_ms);
    key.last_used_at = time_or_none(from.last_used_at_ms);
    return key;
}

inline ApiResponse read(const hookbox_api_response &from) {
    return ApiResponse{from.http_status, headers(from.headers, from.header_count), text(from.body)};
}

// Before items(), which finds only what is declared before it.
inline BatchStory read(const hookbox_batch_story &from);

// A list of C's: pointers, since what they point to may grow.
template <class T, class C> std::vector<T> items(const C *const *from, std::size_t count) {
    std::vector<T> list;
    list.reserve(count);
    for (std::size_t at = 0; at < count; ++at) {
        list.push_back(read(*from[at]));
    }
    return list;
}

inline Page<App> read(const hookbox_app_page &from) {
    return {items<App>(from.items, from.count), text(from.next_cursor)};
}

inline Page<Webhook> read(const hookbox_webhook_page &from) {
    return {items<Webhook>(from.items, from.count), text(from.next_cursor)};
}

inline Page<Event> read(const hookbox_event_page &from) {
    return {items<Event>(from.items, from.count), text(from.next_cursor)};
}

inline Page<Batch> read(const hookbox_batch_page &from) {
    return {items<Batch>(from.items, from.count), text(from.next_cursor)};
}

inline Page<Attempt> read(const hookbox_attempt_page &from) {
    return {items<Attempt>(from.items, from.count), text(from.next_cursor)};
}

inline Page<ApiKey> read(const hookbox_api_key_page &from) {
    return {items<ApiKey>(from.items, from.count), text(from.next_cursor)};
}

inline std::vector<Key> read(const hookbox_key_list &from) {
    return items<Key>(from.items, from.count);
}

inline std::vector<ReceivedEvent> read(const hookbox_received &from) {
    return items<ReceivedEvent>(from.items, from.count);
}

inline BatchStory read(const hookbox_batch_story &from) {
    return {read(*from.batch), items<Attempt>(from.attempts, from.attempt_count),
            texts(from.sentences, from.sentence_count)};
}

inline EventStory read(const hookbox_event_story &from) {
    return {read(*from.event), items<BatchStory>(from.batches, from.batch_count),
            texts(from.sentences, from.sentence_count)};
}

} // namespace hookbox::detail

#endif
