// What a host may bring itself: an HTTP client, a clock, a signer. (<hookbox/sys.h>; the key-value store is in
// store.hpp.) Its promise of stability is weaker than the rest's.
//
// hookbox shares what it is given and lets go of it when the box or the options are done with it. All functions may
// be called from any thread, several at once. An exception out of one is caught at the border.

#ifndef HOOKBOX_HOST_HPP
#define HOOKBOX_HOST_HPP

#include "call.hpp"

#include <hookbox/sys.h>

#include <array>
#include <cstring>
#include <functional>

namespace hookbox {

/// One HTTP request, to be sent as it is: no redirect followed, no header added but those of HTTP itself.
struct Request {
    /// "POST" for deliveries, "GET" for the activation challenge.
    std::string method = {};
    std::string url = {};
    /// In order. Values may be secret.
    std::vector<Header> headers = {};
    std::string body = {};
    /// One hard deadline over everything.
    std::chrono::milliseconds timeout = {};
};

/// How a request ended.
enum class OutcomeKind : std::int32_t {
    /// The endpoint answered.
    answered = HOOKBOX_ANSWERED,
    /// The name has no address, or the resolver failed.
    dns = HOOKBOX_FAILED_DNS,
    /// An address that the name resolved to is not allowed.
    address_denied = HOOKBOX_FAILED_ADDRESS_DENIED,
    /// No connection.
    connect = HOOKBOX_FAILED_CONNECT,
    /// The TLS handshake or the certificate failed.
    tls = HOOKBOX_FAILED_TLS,
    /// The deadline passed.
    timeout = HOOKBOX_FAILED_TIMEOUT,
    /// The connection broke.
    reset = HOOKBOX_FAILED_RESET,
    /// The answer is not HTTP, or larger than allowed.
    protocol = HOOKBOX_FAILED_PROTOCOL,
    /// A proxy of the host's failed. Never charged to the endpoint.
    proxy = HOOKBOX_FAILED_PROXY,
    /// It was not sent after all (the host stops). Never charged to the endpoint.
    stopped = HOOKBOX_FAILED_STOPPED,
};

/// What came of a request.
struct Outcome {
    OutcomeKind kind = OutcomeKind::answered;
    /// The response's status, 100 to 999, when it was answered.
    std::uint16_t http_status = 0;
    /// The response's; hookbox reads Retry-After and Webhook-Delivery.
    std::vector<Header> headers = {};
    /// The start of the response's body (16 KiB are enough), or the failure in words, for the record.
    std::string body = {};

    /// The endpoint answered.
    static Outcome answered(std::uint16_t http_status, std::vector<Header> headers = {}, std::string body = {}) {
        return Outcome{OutcomeKind::answered, http_status, std::move(headers), std::move(body)};
    }
    /// It did not.
    static Outcome failed(OutcomeKind kind, std::string in_words) { return Outcome{kind, 0, {}, std::move(in_words)}; }
};

/// Sends HTTP requests: the activation challenge, test events and deliveries.
class Transport {
  public:
    virtual ~Transport() = default;

    /// Sends one request. It keeps the request's timeout, follows no redirect, and, unless it has its own way to
    /// the outside, connects only to addresses that it knows to be harmless: hookbox's own address guard sees the
    /// URL only. What it throws counts as OutcomeKind::proxy, with the exception's text: the endpoint is not blamed.
    virtual Outcome send(const Request &request) = 0;
    /// Breaks what is in flight, so that send() returns soon. It must be able to send again afterwards.
    virtual void shutdown() noexcept {}
};

/// Where the time comes from. For tests: two weeks of retries in a second.
class Clock {
  public:
    virtual ~Clock() = default;

    /// The time. It may jump in either direction. Called often: it must not wait, and not call hookbox.
    virtual Time now() noexcept = 0;
};

/// A SHA-256 digest.
using Sha256 = std::array<std::uint8_t, 32>;

/// Signs with a private key that stays with the host.
class Signer {
  public:
    virtual ~Signer() = default;

    /// Signs a digest: RSASSA-PSS (RFC 8017 section 8.1.1), MGF1 with SHA-256, a random salt of 32 bytes; the
    /// digest is not hashed again. When the key cannot be reached now, an error or an exception: the batch is tried
    /// again. It counts against the deadline of an attempt.
    virtual Result<std::vector<std::uint8_t>> sign(const Sha256 &digest) = 0;
};

namespace detail {

inline Request read(const hookbox_request &from) {
    return Request{text(from.method), text(from.url), headers(from.headers, from.header_count), text(from.body),
                   std::chrono::milliseconds(from.timeout_ms)};
}

// An outcome as C has it, and the list that it points to. It points into the Outcome as well.
class OutcomeInC {
  public:
    explicit OutcomeInC(const Outcome &outcome) : headers_(pairs(outcome.headers)) {
        raw_.kind = static_cast<std::int32_t>(outcome.kind);
        raw_.http_status = outcome.http_status;
        raw_.headers = headers_.data();
        raw_.header_count = headers_.size();
        raw_.body = str(outcome.body);
    }
    OutcomeInC(const OutcomeInC &) = delete;
    OutcomeInC &operator=(const OutcomeInC &) = delete;

    const hookbox_outcome *get() const noexcept { return &raw_; }

  private:
    std::vector<hookbox_pair> headers_;
    hookbox_outcome raw_ = HOOKBOX_OUTCOME_INIT;
};

// Calls what a host brought, so that no exception gets into C: `otherwise` is told of it in words.
template <class Call, class Otherwise> auto contain(Call &&call, Otherwise &&otherwise) noexcept {
#if defined(__cpp_exceptions)
    try {
        return call();
    } catch (const std::exception &thrown) {
        return otherwise(thrown.what());
    } catch (...) {
        return otherwise("the host threw something that is no std::exception");
    }
#else
    static_cast<void>(otherwise);
    return call();
#endif
}

// Gives an error of the host's to the library.
inline hookbox_status refuse(Status status, std::string_view message, hookbox_error **error) noexcept {
    hookbox_status raw = static_cast<hookbox_status>(status);
    if (error != nullptr) {
        *error = hookbox_error_new(raw, str(message));
    }
    return raw;
}

// What C keeps of something that a host brought: a share of it, on the heap.
template <class T> void *share(std::shared_ptr<T> it) {
    return new std::shared_ptr<T>(std::move(it));
}

template <class T> T &shared(void *context) noexcept {
    return **static_cast<std::shared_ptr<T> *>(context);
}

template <class T> void unshare(void *context) noexcept {
    delete static_cast<std::shared_ptr<T> *>(context);
}

inline void say(hookbox_reply *reply, const Outcome &outcome) {
    // A refused outcome says nothing, and then the library blames the host's transport.
    hookbox_reply_set(reply, OutcomeInC(outcome).get(), nullptr);
}

inline void transport_send(void *context, const hookbox_request *request, hookbox_reply *reply) noexcept {
    contain([&] { say(reply, shared<Transport>(context).send(read(*request))); },
            [&](const char *why) {
                hookbox_outcome outcome = HOOKBOX_OUTCOME_INIT;
                outcome.kind = HOOKBOX_FAILED_PROXY;
                outcome.body = hookbox_cstr(why);
                hookbox_reply_set(reply, &outcome, nullptr);
            });
}

inline void transport_shutdown(void *context) noexcept {
    shared<Transport>(context).shutdown();
}

inline hookbox_transport to_c(std::shared_ptr<Transport> transport) {
    hookbox_transport raw = HOOKBOX_TRANSPORT_INIT;
    raw.context = share(std::move(transport));
    raw.send = transport_send;
    raw.shutdown = transport_shutdown;
    raw.destroy = unshare<Transport>;
    return raw;
}

inline std::int64_t clock_now(void *context) noexcept {
    return unix_ms(shared<Clock>(context).now());
}

inline hookbox_clock to_c(std::shared_ptr<Clock> clock) {
    hookbox_clock raw = HOOKBOX_CLOCK_INIT;
    raw.context = share(std::move(clock));
    raw.now_ms = clock_now;
    raw.destroy = unshare<Clock>;
    return raw;
}

inline hookbox_status signer_sign(void *context, const std::uint8_t *sha256, std::uint8_t *signature,
                                  std::size_t signature_bytes_max, std::size_t *out_signature_bytes,
                                  hookbox_error **error) noexcept {
    return contain(
        [&]() -> hookbox_status {
            Sha256 digest;
            std::memcpy(digest.data(), sha256, digest.size());
            Result<std::vector<std::uint8_t>> signed_ = shared<Signer>(context).sign(digest);
            if (!signed_) {
                return refuse(Status::key_unavailable, signed_.error().message, error);
            }
            if (signed_->size() > signature_bytes_max) {
                return refuse(Status::key_unavailable, "the host's signature is too long", error);
            }
            std::memcpy(signature, signed_->data(), signed_->size());
            *out_signature_bytes = signed_->size();
            return HOOKBOX_OK;
        },
        [&](const char *why) { return refuse(Status::key_unavailable, why, error); });
}

inline hookbox_signer to_c(std::shared_ptr<Signer> signer) {
    hookbox_signer raw = HOOKBOX_SIGNER_INIT;
    raw.context = share(std::move(signer));
    raw.sign = signer_sign;
    raw.destroy = unshare<Signer>;
    return raw;
}

// An error for a null pointer where a host's object belongs.
inline Error missing(const char *what) {
    return Error(Status::invalid_argument, std::string("there is no ") + what);
}

} // namespace detail

} // namespace hookbox

#endif
