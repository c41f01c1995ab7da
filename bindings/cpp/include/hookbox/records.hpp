// What a box gives out, as values: copies that own their texts. A view over the C structures would save the copy,
// and dangle whenever a page is freed before what was taken out of it.

#ifndef HOOKBOX_RECORDS_HPP
#define HOOKBOX_RECORDS_HPP

#include <hookbox.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hookbox {

/// A moment, to the millisecond.
using Time = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// A name and a value. Values may be secret.
struct Header {
    std::string name = {};
    std::string value = {};
};

/// One page of a listing.
template <class T> struct Page {
    /// What was found, in order.
    std::vector<T> items = {};
    /// For the next call; empty on the last page.
    std::string next_cursor = {};
};

/// A tenant: it owns signing keys, webhooks and events.
struct App {
    std::string id = {};
    /// Whether it takes events and changes.
    bool enabled = false;
    Time created_at = {};
    std::string profile_name = {};
    /// The whole profile as JSON.
    std::string profile = {};
};

/// One registered URL of an app. Its secrets are never shown.
struct Webhook {
    /// "web_...", or "wh_..." under the Fingerprint profile.
    std::string id = {};
    std::string app_id = {};
    std::string url = {};
    /// Whether it hears every event type; else event_types has them.
    bool all_events = false;
    std::vector<std::string> event_types = {};
    /// Whether the endpoint passed its challenge.
    bool verified = false;
    /// The operator's switch.
    bool enabled = false;
    /// Verified and enabled: it is owed what is emitted now.
    bool active = false;
    bool has_basic_auth = false;
    /// The status of the last delivery that was answered; 0 before the first.
    std::uint16_t last_http_code = 0;
    std::optional<Time> last_http_code_at = {};
    std::string description = {};
    /// Only events of this environment are owed; empty: all.
    std::string environment = {};
    /// Its own settings, as in WebhookConfig.
    std::string overrides = {};
    std::vector<std::string> header_names = {};
    Time created_at = {};
    Time updated_at = {};
    std::optional<Time> last_enabled_at = {};
    std::optional<Time> last_disabled_at = {};
};

/// An event as stored.
struct Event {
    /// "evt_...". Receivers deduplicate on it.
    std::string id = {};
    /// Its place in the log, counted from 1.
    std::int64_t position = 0;
    std::string app_id = {};
    std::string event_type = {};
    /// The JSON text as emitted.
    std::string payload = {};
    Time created_at = {};
    /// Empty for none.
    std::string idempotency_key = {};
    /// Empty for none.
    std::string environment = {};
    bool at_most_once = false;
};

/// What a signing key is for now.
enum class KeyPhase : std::int32_t {
    /// Published, not yet signing.
    next = HOOKBOX_KEY_NEXT,
    /// Published and signing.
    active = HOOKBOX_KEY_ACTIVE,
    /// Published, no longer signing.
    retired = HOOKBOX_KEY_RETIRED,
    /// No longer published.
    gone = HOOKBOX_KEY_GONE,
};

/// A signing key of an app, without its private part.
struct Key {
    std::string kid = {};
    /// Its public part as a JSON Web Key.
    std::string public_jwk = {};
    KeyPhase phase = KeyPhase::next;
    /// Whether the private part is in the box; else the host signs (Box::register_signer()).
    bool has_private_part = false;
    Time created_at = {};
    Time signs_from = {};
    /// None when no key takes over yet.
    std::optional<Time> signs_until = {};
    /// None when that is not known yet.
    std::optional<Time> published_until = {};
};

/// Where a batch stands.
enum class BatchStatus : std::int32_t {
    /// In listings: of any status.
    any = HOOKBOX_BATCH_ANY,
    /// Waits for its next attempt to be due.
    waiting = HOOKBOX_BATCH_WAITING,
    /// Is being sent.
    leased = HOOKBOX_BATCH_LEASED,
    /// The endpoint accepted it.
    delivered = HOOKBOX_BATCH_DELIVERED,
    /// Ran past its retry window; resendable.
    exhausted = HOOKBOX_BATCH_EXHAUSTED,
    /// Its webhook is inactive; it waits for re-activation.
    parked = HOOKBOX_BATCH_PARKED,
    /// Ended by the host, by the receiver, or by being split.
    cancelled = HOOKBOX_BATCH_CANCELLED,
};

/// A frozen list of events for one webhook: the unit of delivery, retry and resend.
struct Batch {
    /// "bat_...": stable over attempts and resends.
    std::string id = {};
    std::string app_id = {};
    std::string webhook_id = {};
    /// The batch it was split from; empty for none.
    std::string parent_id = {};
    BatchStatus status = BatchStatus::any;
    bool at_most_once = false;
    /// Why it ended otherwise than delivered; else empty.
    std::string end_reason = {};
    std::uint64_t event_count = 0;
    std::int64_t first_position = 0;
    std::int64_t last_position = 0;
    /// Requests begun so far.
    std::uint32_t attempts = 0;
    /// Failed attempts in the current budget.
    std::uint32_t failures = 0;
    Time created_at = {};
    /// When it is due (waiting), or when its lease ends (leased).
    std::optional<Time> due_at = {};
    std::optional<Time> ended_at = {};
};

/// One HTTP request for a batch, and what came of it.
struct Attempt {
    std::string batch_id = {};
    std::string webhook_id = {};
    /// Counted from 1 within the batch.
    std::uint32_t number = 0;
    /// The status that was answered; 0 when there was no answer.
    std::uint16_t http_status = 0;
    /// Why there was no answer ("timeout", "dns" ...); else empty.
    std::string failure = {};
    Time started_at = {};
    std::chrono::milliseconds duration = {};
    /// The start of the response's body, or the failure in words: at most 1024 bytes.
    std::string excerpt = {};
};

/// Where a webhook stands.
struct Backlog {
    /// Events owed that are in no batch yet; counted up to 100 000.
    std::uint64_t events_owed = 0;
    std::optional<Time> oldest_owed_at = {};
    std::uint64_t batches_waiting = 0;
    std::uint64_t batches_leased = 0;
    std::uint64_t batches_parked = 0;
    std::uint64_t batches_exhausted = 0;
    /// Failed attempts since the last success.
    std::uint32_t consecutive_failures = 0;
    std::optional<Time> failing_since = {};
    std::optional<Time> last_success_at = {};
    /// Nothing is sent before, as the endpoint asked (Retry-After).
    std::optional<Time> paused_until = {};
    /// When its next request is due, as far as it is known.
    std::optional<Time> next_due = {};
};

/// The story of one batch.
struct BatchStory {
    Batch batch = {};
    /// Oldest first; the last hundred.
    std::vector<Attempt> attempts = {};
    /// What happened and what comes next.
    std::vector<std::string> sentences = {};
};

/// The story of one event.
struct EventStory {
    Event event = {};
    /// The story of each batch that holds it.
    std::vector<BatchStory> batches = {};
    /// What happened and what comes next.
    std::vector<std::string> sentences = {};
};

/// The sizes of a box.
struct Stats {
    /// The last log position given.
    std::int64_t last_position = 0;
    std::uint64_t bytes = 0;
    /// Bytes of the write-ahead log, where there is one.
    std::uint64_t wal_bytes = 0;
};

/// Something that a host's operators may want to hear of, after it was stored.
struct Notice {
    /// "webhook_failing", "webhook_deactivated", "webhook_recovered", "batch_exhausted", "batch_split",
    /// "key_rotated", "delivery_fault", "bad_row", "engine_failed", "storage_stalled", "storage_resumed"; later
    /// versions may have more.
    std::string kind = {};
    /// Empty where none is concerned.
    std::string app_id = {};
    std::string webhook_id = {};
    std::string batch_id = {};
    /// All of it as a JSON object.
    std::string json = {};
};

/// One event out of a received request.
struct ReceivedEvent {
    /// The same at every attempt: remember it to tell repetitions. Empty under the Fingerprint profile.
    std::string id = {};
    /// Empty under the Fingerprint profile.
    std::string event_type = {};
    /// JSON text, exactly as it came.
    std::string payload = {};
    /// RFC 3339 as it came; may be empty.
    std::string created_at = {};
};

/// The answer to an activation challenge, to be sent as it is.
struct ChallengeAnswer {
    std::uint16_t http_status = 0;
    /// The number that was asked back.
    std::uint64_t challenge = 0;
    std::string content_type = {};
    std::string body = {};
    /// Which app asks; empty when it does not say.
    std::string app_id = {};
};

/// A key of the management API, without its secret part.
struct ApiKey {
    /// "hbk_...": the public beginning of the key itself.
    std::string id = {};
    /// What it is for.
    std::string name = {};
    /// The one app it is for; empty: every app.
    std::string app_id = {};
    /// Whether it is for looking only.
    bool read_only = false;
    /// Requests a second in the long run.
    std::uint32_t requests_per_second = 0;
    Time created_at = {};
    /// From when on it is refused; none: never.
    std::optional<Time> expires_at = {};
    std::optional<Time> revoked_at = {};
    /// To the minute.
    std::optional<Time> last_used_at = {};
};

/// What the management API answers: send it as it is.
struct ApiResponse {
    std::uint16_t http_status = 0;
    /// Date and Content-Length (but for a 204 and for HEAD) are the server's to add.
    std::vector<Header> headers = {};
    /// Bytes.
    std::string body = {};
};

} // namespace hookbox

#include "records_read.hpp"

#endif
