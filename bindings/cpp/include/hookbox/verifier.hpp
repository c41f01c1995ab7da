// For receivers: verifying requests, and answering the activation challenge.

#ifndef HOOKBOX_VERIFIER_HPP
#define HOOKBOX_VERIFIER_HPP

#include "call.hpp"
#include "version.hpp"

namespace hookbox {

/// How a receiver verifies.
struct VerifyOptions {
    /// Prelude: also demand X-Webhook-Signature-V2, which covers id and time.
    bool replay_protection = false;
    /// RSA: accept salts of any length, not of 32 bytes only.
    bool any_salt = false;
    /// How far the sender's clock may be off; 0 means 5 minutes.
    std::chrono::milliseconds tolerance = {};
    /// The largest body that is looked at, in bytes; 0 means 4 MiB.
    std::size_t body_bytes_max = 0;
};

/// What a receiver verifies with. Immutable: any number of threads may use it at once. Movable.
class Verifier {
  public:
    /// RSA-PSS with the sender's JWK set, fetched from an address that was configured, never from one that a request
    /// names: the Prelude profile. Errors: invalid_key.
    static Result<Verifier> prelude(std::string_view jwks, const VerifyOptions &options = {}) {
        return make(HOOKBOX_VERIFY_PRELUDE, {std::string(jwks)}, options);
    }

    /// HMAC with the webhook's secrets: the Fingerprint profile. Errors: invalid_key.
    static Result<Verifier> fingerprint(const std::vector<std::string> &secrets, const VerifyOptions &options = {}) {
        return make(HOOKBOX_VERIFY_FINGERPRINT, secrets, options);
    }

    /// HMAC or Ed25519 with the webhook's secrets ("whsec_...", "whpk_..."): the Standard Webhooks profile.
    /// Errors: invalid_key.
    static Result<Verifier> standard(const std::vector<std::string> &secrets, const VerifyOptions &options = {}) {
        return make(HOOKBOX_VERIFY_STANDARD, secrets, options);
    }

    /// Verifies a request and reads its events. Give all of its headers, and the body exactly as it came, before any
    /// JSON parser touched it; `now` is the system's time by default. Events may come more than once: remember their
    /// ids. Errors: not_authentic; unknown_key: fetch the JWK set anew, at most once a minute.
    Result<std::vector<ReceivedEvent>> verify(const std::vector<Header> &headers, std::string_view body,
                                              std::optional<Time> now = {}) const {
        std::vector<hookbox_pair> pairs = detail::pairs(headers);
        return detail::fetch<hookbox_received>([&](hookbox_received **out, hookbox_error **error) {
            return hookbox_verify(capi(), pairs.data(), pairs.size(), detail::str(body), detail::unix_ms(now), out,
                                  error);
        });
    }

    /// The C object; it stays ours.
    hookbox_verifier *capi() const noexcept { return raw_.get(); }
    /// The C object, which is the caller's from now on.
    [[nodiscard]] hookbox_verifier *capi_release() noexcept { return raw_.release(); }

  private:
    explicit Verifier(detail::Owned<hookbox_verifier> raw) : raw_(std::move(raw)) {}

    static Result<Verifier> make(std::int32_t scheme, const std::vector<std::string> &keys,
                                 const VerifyOptions &options) {
        if (Result<void> fits = check_version(); !fits) {
            return std::move(fits).error();
        }
        Result<std::uint64_t> tolerance = detail::span(options.tolerance);
        if (!tolerance) {
            return std::move(tolerance).error();
        }
        std::vector<hookbox_str> texts = detail::strs(keys);
        hookbox_verify_options given = HOOKBOX_VERIFY_OPTIONS_INIT;
        given.replay_protection = options.replay_protection;
        given.any_salt = options.any_salt;
        given.tolerance_ms = *tolerance;
        given.body_bytes_max = options.body_bytes_max;
        auto made = detail::own<hookbox_verifier>([&](hookbox_verifier **out, hookbox_error **error) {
            return hookbox_verifier_new(scheme, texts.data(), texts.size(), &given, out, error);
        });
        if (!made) {
            return std::move(made).error();
        }
        return Verifier(std::move(*made));
    }

    detail::Owned<hookbox_verifier> raw_;
};

/// Answers the activation challenge that came as a GET with this query (what stands after the question mark), if it
/// carries the verification token given at the registration. Errors: not_authentic.
inline Result<ChallengeAnswer> answer_challenge(std::string_view query, std::string_view verification_token) {
    return detail::fetch<hookbox_challenge_answer>([&](hookbox_challenge_answer **out, hookbox_error **error) {
        return hookbox_answer_challenge(detail::str(query), detail::str(verification_token), out, error);
    });
}

} // namespace hookbox

#endif
