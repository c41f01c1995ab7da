// The management API: keys for it, and requests to it. What it answers: docs/api.md. (The bodies of the box's calls
// for it are in api_calls.hpp.)

#ifndef HOOKBOX_API_HPP
#define HOOKBOX_API_HPP

#include "call.hpp"

namespace hookbox {

/// What may be made as an API key: by default one for every app, for everything, that never expires.
struct NewApiKey {
    /// What it is for: at most 100 characters.
    std::string name = {};
    /// The one app it is for; empty: every app.
    std::string app = {};
    /// Whether it is for looking only.
    bool read_only = false;
    /// From when on it is refused.
    std::optional<Time> expires_at = {};
    /// Requests a second in the long run: 1 to 10 000; 0 means 50. Twice as many may come at once.
    std::uint32_t requests_per_second = 0;
};

/// An API key that was just made.
struct NewlyMadeApiKey {
    /// Its record.
    ApiKey key = {};
    /// The key itself, as it is sent: "Authorization: Bearer ...". The only copy.
    std::string secret = {};
};

/// Which API keys to list.
struct ApiKeyQuery {
    /// Only those of this app; empty: all.
    std::string app = {};
    /// Page::next_cursor of the page before; empty: from the first on.
    std::string cursor = {};
    /// At most so many: 1 to 1000; 0 means 100.
    std::size_t limit = 0;
};

/// Which vendor's API is answered. Ours under /hookbox/v1 and the key sets are beside either.
enum class Dialect : std::int32_t {
    /// Prelude's: /v2/session/apps/{app}/webhooks...
    prelude = HOOKBOX_API_PRELUDE,
    /// Fingerprint's: /webhooks..., for the one app of the key or the grant.
    fingerprint = HOOKBOX_API_FINGERPRINT,
};

/// What the sender of a request may do, said by a program that found it out by itself.
class Grant {
  public:
    /// For one app: the others do not exist for it. An empty text is refused: it is not every app.
    static Grant app(std::string id) { return Grant(std::move(id), false); }
    /// For every app, and what belongs to none.
    static Grant every_app() { return Grant({}, true); }

    /// The same, for looking only.
    [[nodiscard]] Grant read_only() const {
        Grant grant = *this;
        grant.read_only_ = true;
        return grant;
    }

    /// As C has it: it points into this. An error for Grant::app("").
    Result<hookbox_grant> capi() const {
        if (app_.empty() && !every_) {
            return Error(Status::invalid_argument, "the grant is for an app without a name");
        }
        hookbox_grant raw = HOOKBOX_GRANT_INIT;
        raw.app = detail::str(app_);
        raw.read_only = read_only_;
        return raw;
    }

  private:
    Grant(std::string app, bool every) : app_(std::move(app)), every_(every) {}

    std::string app_;
    bool every_;
    bool read_only_ = false;
};

/// A request as a server received it.
struct ApiRequest {
    std::string method = {};
    /// Path and query, as in the request line; still percent-encoded.
    std::string target = {};
    std::vector<Header> headers = {};
    /// Bytes. A server need not read on after 1 MiB and one byte more: that is refused (413).
    std::string body = {};
};

} // namespace hookbox

#endif
