// The box: a webhook outbox. (The bodies of its calls are in box_calls.hpp and api_calls.hpp.)

#ifndef HOOKBOX_BOX_HPP
#define HOOKBOX_BOX_HPP

#include "api.hpp"
#include "inputs.hpp"
#include "options.hpp"
#include "store.hpp"
#include "version.hpp"

// SQLite's connection, for Box::emit_in().
struct sqlite3;

namespace hookbox {

/// Which webhooks to list.
struct WebhookQuery {
    /// Only those that are enabled (true) or not (false).
    std::optional<bool> enabled = {};
    /// Only those of this environment; empty: any.
    std::string environment = {};
    /// Page::next_cursor of the page before; empty: from the first on.
    std::string cursor = {};
    /// At most so many: 1 to 1000; 0 means 100.
    std::size_t limit = 0;
};

/// Which events to list.
struct EventQuery {
    /// Only those of this type; empty: all.
    std::string event_type = {};
    /// As in WebhookQuery.
    std::string cursor = {};
    /// As in WebhookQuery.
    std::size_t limit = 0;
};

/// Which batches to list.
struct BatchQuery {
    /// Only those of this webhook; empty: all.
    std::string webhook = {};
    /// Only those of this status.
    BatchStatus status = BatchStatus::any;
    /// As in WebhookQuery.
    std::string cursor = {};
    /// As in WebhookQuery.
    std::size_t limit = 0;
};

/// Which attempts to list.
struct AttemptQuery {
    /// Only those of this webhook; empty: all.
    std::string webhook = {};
    /// Only those of this batch; empty: all.
    std::string batch = {};
    /// As in WebhookQuery.
    std::string cursor = {};
    /// As in WebhookQuery.
    std::size_t limit = 0;
};

/// The key that takes over signing.
struct NewKey {
    /// Bits of the RSA key that hookbox makes: 2048, 3072 or 4096; 0 means 2048.
    std::uint32_t bits = 0;
    /// The host's own instead (PEM); empty: hookbox makes one.
    std::string pem = {};
    /// The id of that key; empty: a random UUID. Not without pem: invalid_request.
    std::string kid = {};
};

/// What a poll did.
struct Polled {
    /// Requests made.
    std::size_t attempts = 0;
    /// When to poll again at the latest; none when nothing waits for a time.
    std::optional<Time> next_due = {};
};

/// A batch that was claimed: its request, and until when the right to send it lasts. Copies share one claim.
class Delivery {
  public:
    /// The batch.
    std::string batch_id() const { return detail::text(capi()->batch_id); }
    /// Settle it before this time, or the batch goes to somebody else.
    Time lease_until() const noexcept { return detail::time(capi()->lease_until_ms); }
    /// The request.
    Request request() const { return detail::read(capi()->request); }
    /// The C object; it stays ours.
    const hookbox_delivery *capi() const noexcept { return list_->items[at_]; }

  private:
    friend class Box;
    Delivery(std::shared_ptr<const hookbox_delivery_list> list, std::size_t at) : list_(std::move(list)), at_(at) {}

    std::shared_ptr<const hookbox_delivery_list> list_;
    std::size_t at_;
};

/// A webhook outbox. Any number of threads may call it at once. It belongs to the process that opened it: in a child
/// of fork() every call gives Status::forked. Apps, webhooks, batches and keys are named by their ids.
///
/// Movable. Its destructor closes it without patience where it is open; no other thread may be in a call then. Under
/// each function: the errors that a program may want to tell apart, besides those of the storage.
class Box {
  public:
    // Opening and closing.

    /// Opens a box in an SQLite file, which is created where it is missing; or in the PostgreSQL database of a URL
    /// ("postgres://user:password@host/database"), where the library was built with it.
    /// Errors: the first of the options; invalid_request; unsupported.
    static Result<Box> open(std::string_view path, const Options &options = Options());
    /// Opens a box for looking only. Errors: as open(); also when there is no box.
    static Result<Box> open_read_only(std::string_view path, const Options &options = Options());
    /// Opens a new box in memory: for tests, and for events that may be lost.
    static Result<Box> open_in_memory(const Options &options = Options());
    /// Opens a box in a key-value store of the host's. Errors: as open(); storage_corrupt for a store that holds
    /// something else.
    static Result<Box> open_store(std::shared_ptr<KeyValueStore> store, const Options &options = Options());

    /// Closes the box: stops its threads as stop() does, and waits for calls that other threads have under way. From
    /// then on every call gives Status::closed, and no callback is called. Closing twice is no error.
    /// Errors: unsupported from inside a callback: the box stays open; storage_io: it is closed all the same.
    Result<void> close(std::chrono::milliseconds drain = {});

    // Delivering.

    /// Starts the threads that deliver. Starting twice changes nothing. Errors: read_only; unsupported from inside a
    /// callback.
    Result<void> start();
    /// Stops the threads: claims nothing more, waits up to `drain` for requests in flight, breaks them then, and
    /// stores every result. May be started again. Errors: storage_io; unsupported from inside a callback.
    Result<void> stop(std::chrono::milliseconds drain = {});
    /// Tells the threads that something may be due: after a commit of the program's own that emitted.
    Result<void> wake();
    /// Delivers on the calling thread what is due. `now` is the box's clock by default.
    Result<Polled> poll(std::optional<Time> now = {});
    /// Makes calls of poll() and wait_idle() that other threads have under way return soon: poll() after the request
    /// at hand, wait_idle() at once. In C++20 a std::stop_callback that calls it ties them to a std::stop_token.
    Result<void> interrupt();
    /// Waits until the threads have nothing to do; false when they still have, or are not running.
    Result<bool> wait_idle(std::chrono::milliseconds patience);
    /// Claims up to `max` batches (1 to 1000) for the program to send with its own HTTP client. Settle each before
    /// its lease ends. Empty when nothing is due.
    Result<std::vector<Delivery>> claim(std::size_t max);
    /// Records what came of a claimed delivery. Errors: lease_lost when it came too late: do not settle it again.
    Result<void> settle(const Delivery &delivery, const Outcome &outcome);

    // Apps and event types.

    /// Creates an app. Errors: app_exists; app_not_found when the text cannot be an app's id; invalid_request for a
    /// profile; invalid_key.
    Result<App> create_app(const NewApp &app);
    /// Reads an app. Errors: app_not_found.
    Result<App> app(std::string_view app) const;
    /// Lists apps in order of id, after the page that gave `cursor`: at most `limit` (1 to 1000; 0 means 100).
    Result<Page<App>> apps(std::string_view cursor = {}, std::size_t limit = 0) const;
    /// Lets an app take events and changes again. Errors: app_not_found.
    Result<void> enable_app(std::string_view app);
    /// Emits and changes are refused (session_disabled) from now on; deliveries wait. Errors: app_not_found.
    Result<void> disable_app(std::string_view app);
    /// Deletes an app with everything of its. Errors: app_not_found.
    Result<void> delete_app(std::string_view app);

    /// The catalogue of event types, in order of name.
    Result<std::vector<std::string>> event_types() const;
    /// Adds event types: 1 to 128 characters of A-Z a-z 0-9 . _ - / : each. Errors: invalid_webhook_event.
    Result<void> add_event_types(const std::vector<std::string> &types);
    /// Makes these the whole catalogue. Errors: invalid_webhook_event.
    Result<void> replace_event_types(const std::vector<std::string> &types);

    // Webhooks.

    /// Registers a webhook. It is inactive until activate_webhook() (except under a profile without verification).
    /// Errors: app_not_found, session_disabled, invalid_request, invalid_webhook_event, webhook_invalid_url.
    Result<Webhook> create_webhook(std::string_view app, const WebhookConfig &config);
    /// Reads a webhook. Errors: app_not_found, webhook_not_found.
    Result<Webhook> webhook(std::string_view app, std::string_view webhook) const;
    /// Lists an app's webhooks in order of registration. Errors: app_not_found.
    Result<Page<Webhook>> webhooks(std::string_view app, const WebhookQuery &query = {}) const;
    /// Changes a webhook. What it was owed before stays owed. Errors: as create_webhook(); webhook_not_found.
    Result<Webhook> update_webhook(std::string_view app, std::string_view webhook, const WebhookUpdate &update);
    /// Deletes a webhook with its batches and attempts. Errors: app_not_found, session_disabled, webhook_not_found.
    Result<void> delete_webhook(std::string_view app, std::string_view webhook);
    /// Subscribes a webhook to one more event type. Errors: as update_webhook().
    Result<Webhook> add_event_type(std::string_view app, std::string_view webhook, std::string_view event_type);
    /// Unsubscribes a webhook. Errors: as update_webhook(); invalid_request for one that hears all types.
    Result<Webhook> remove_event_type(std::string_view app, std::string_view webhook, std::string_view event_type);
    /// Asks the endpoint to prove its ownership, and makes the webhook verified and enabled. Takes as long as the
    /// endpoint does. Errors: webhook_activation_failed: its message says what the endpoint did, nothing is changed.
    Result<Webhook> activate_webhook(std::string_view app, std::string_view webhook);
    /// As activate_webhook(), but leaves the operator's switch as it is.
    Result<Webhook> verify_webhook(std::string_view app, std::string_view webhook);
    /// Switches a webhook off. What it was owed waits. Errors: app_not_found, session_disabled, webhook_not_found.
    Result<Webhook> deactivate_webhook(std::string_view app, std::string_view webhook);
    /// The secrets deliveries are signed with, the current one first; for the receiver's owner only. None where the
    /// app's key signs. Errors: webhook_not_found, seal_broken.
    Result<std::vector<std::string>> signing_secrets(std::string_view app, std::string_view webhook) const;
    /// Makes a signing secret the current one (empty: hookbox makes one), and gives it. With `keep_previous`
    /// deliveries carry a signature of each until the next call. Errors: invalid_key; unsupported.
    Result<std::string> roll_signing_secret(std::string_view app, std::string_view webhook,
                                            std::string_view secret = {}, bool keep_previous = false);

    // Events.

    /// Emits one event, and gives its id. When this succeeds, the event survives power loss. Errors: app_not_found,
    /// session_disabled, invalid_webhook_event, invalid_payload, payload_too_large: nothing is stored then.
    Result<std::string> emit(std::string_view app, std::string_view event_type, std::string_view payload);
    /// Emits one event with everything that can be said of it. With an idempotency key that was used before it gives
    /// the first event's id, and nothing is stored. Errors: as above.
    Result<std::string> emit(std::string_view app, const NewEvent &event);
    /// Emits up to HOOKBOX_EMIT_EVENTS_MAX events in one commit, all or none. Errors: as emit(); invalid_request.
    Result<std::vector<std::string>> emit_many(std::string_view app, const std::vector<NewEvent> &events);
    /// Emits inside a transaction of the program's own, on its own connection to the box's file: they are emitted if
    /// and only if it commits. Call wake() after the commit. Only where library and program share one copy of SQLite.
    /// Errors: as emit(); unsupported where sqlite_is_bundled(); invalid_request where no transaction was begun.
    Result<std::vector<std::string>> emit_in(::sqlite3 *connection, std::string_view app,
                                             const std::vector<NewEvent> &events);
    /// Reads an event. Errors: event_not_found.
    Result<Event> event(std::string_view event) const;
    /// Lists an app's events, the newest first. Errors: app_not_found.
    Result<Page<Event>> events(std::string_view app, const EventQuery &query = {}) const;

    // Signing keys.

    /// Publishes a new key, which takes over signing after `lead` (0: at once). Errors: app_not_found, invalid_key.
    Result<Key> rotate_key(std::string_view app, const NewKey &key = {}, std::chrono::milliseconds lead = {});
    /// As rotate_key(), for a key whose private part stays with the host: `public_jwk` (JSON, with a kid) is
    /// published, and `signer` signs. Errors: app_not_found, invalid_key.
    Result<Key> rotate_key_to_signer(std::string_view app, std::string_view public_jwk, std::shared_ptr<Signer> signer,
                                     std::chrono::milliseconds lead = {});
    /// Signs with the host's signer: after each opening, for a key of rotate_key_to_signer(). Until then deliveries
    /// of that app wait. Errors: app_not_found when the text cannot be an app's id; invalid_key.
    Result<void> register_signer(std::string_view app, std::string_view kid, std::shared_ptr<Signer> signer);
    /// Retires a key: it signs no more, and is published for `overlap` more; with 0 it is revoked.
    /// Errors: key_not_found; invalid_request when no other key could sign.
    Result<Key> retire_key(std::string_view app, std::string_view kid, std::chrono::milliseconds overlap);
    /// Lists an app's keys, the oldest first. Errors: app_not_found.
    Result<std::vector<Key>> keys(std::string_view app) const;
    /// The JWK set to publish for an app's receivers, as JSON. Errors: app_not_found.
    Result<std::string> jwks(std::string_view app) const;
    /// Seals every secret anew that is not sealed with the current key-encryption key; gives how many. Errors:
    /// seal_broken.
    Result<std::size_t> reseal_keys();

    // Records.

    /// Reads a batch. Errors: batch_not_found.
    Result<Batch> batch(std::string_view batch) const;
    /// Lists an app's batches, the newest first. Errors: app_not_found.
    Result<Page<Batch>> batches(std::string_view app, const BatchQuery &query = {}) const;
    /// Lists an app's attempts, the newest first. Errors: app_not_found.
    Result<Page<Attempt>> attempts(std::string_view app, const AttemptQuery &query = {}) const;
    /// Where a webhook stands. Errors: app_not_found, webhook_not_found.
    Result<Backlog> backlog(std::string_view app, std::string_view webhook) const;
    /// What happened to a batch, what comes next, and when. Errors: batch_not_found.
    Result<BatchStory> explain_batch(std::string_view batch) const;
    /// What happened to an event, for each webhook. Errors: event_not_found.
    Result<EventStory> explain_event(std::string_view event) const;
    /// Sends an ended batch again: the same bytes under the same id, with a new budget of attempts.
    /// Errors: batch_not_found; batch_conflict for one that has not ended, or was split.
    Result<Batch> resend_batch(std::string_view app, std::string_view batch);
    /// Gives up a batch that has not ended. One that is being sent may still arrive. Errors: as resend_batch().
    Result<Batch> cancel_batch(std::string_view app, std::string_view batch);
    /// Owes a webhook once more every event emitted from `since` on that it is subscribed to now; gives how many log
    /// positions will be looked at. Errors: app_not_found, webhook_not_found.
    Result<std::uint64_t> replay_webhook(std::string_view app, std::string_view webhook, Time since);

    // Upkeep.

    /// Deletes everything that ended before this time and is owed to nobody. The threads do so by themselves.
    Result<void> prune(Time before);
    /// Checks the box's integrity: what is wrong, in sentences; none, as a rule.
    Result<std::vector<std::string>> check() const;
    /// Writes a compact copy of the box to a new file. Errors: invalid_request when it exists; unsupported.
    Result<void> backup(std::string_view to_path) const;
    /// The box's sizes.
    Result<Stats> stats() const;

    // The management API.

    /// Makes an API key, and gives it this once: the box keeps a digest. Errors: app_not_found; invalid_request.
    Result<NewlyMadeApiKey> create_api_key(const NewApiKey &key);
    /// Lists API keys, the oldest first, revoked and expired ones too.
    Result<Page<ApiKey>> api_keys(const ApiKeyQuery &query = {}) const;
    /// Revokes an API key, for good; twice is no error. Errors: api_key_not_found.
    Result<void> revoke_api_key(std::string_view key);
    /// Answers a request to the management API, sent with one of the box's API keys: a vendor's API, ours under
    /// /hookbox/v1, and the public key sets. Mount it in any server: give what came, send what is given back,
    /// whatever its status. It waits for the storage; when a webhook is activated, for the endpoint (10 s by default).
    /// Errors: of the call itself only: invalid_utf8 in method, target or a header's name.
    Result<ApiResponse> handle(Dialect dialect, const ApiRequest &request);
    /// As above, for a program that found out by itself what the sender may do: no API key is looked at. Errors: as
    /// above; invalid_argument for Grant::app(""); app_not_found when its text cannot be an app's id.
    Result<ApiResponse> handle(Dialect dialect, const ApiRequest &request, const Grant &grant);

    /// The C object; it stays ours. Null when it was moved or released; calls give invalid_argument then.
    hookbox_box *capi() const noexcept { return raw_.get(); }
    /// The C object, which is the caller's from now on.
    [[nodiscard]] hookbox_box *capi_release() noexcept { return raw_.release(); }

  private:
    explicit Box(detail::Owned<hookbox_box> raw) : raw_(std::move(raw)) {}

    Result<ApiResponse> handle_for(Dialect dialect, const hookbox_grant *grant, const ApiRequest &request);
    template <class Open> static Result<Box> open_by(const Options &options, Open &&open);

    detail::Owned<hookbox_box> raw_;
};

} // namespace hookbox

#include "api_calls.hpp"
#include "box_calls.hpp"

#endif
