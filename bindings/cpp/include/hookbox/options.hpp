// How a box is to be opened.

#ifndef HOOKBOX_OPTIONS_HPP
#define HOOKBOX_OPTIONS_HPP

#include "host.hpp"

namespace hookbox {

/// A key that seals secrets at rest: 32 bytes.
using SealKey = std::array<std::uint8_t, 32>;

/// Is told of notices. It runs on hookbox's threads, and on those that call Box::poll() and the like; several at
/// once. It may call anything but Box::start(), stop() and close(), of any box (Status::unsupported), and a box's
/// destructor. What it throws is caught, and dropped: catch what you want to know of.
using OnNotice = std::function<void(const Notice &)>;

/// How a box is to be opened. Everything has a sound default. The setters can be chained; the first error of any of
/// them is kept, and opening a box with these options gives it. May be used for several boxes, and need not outlive
/// them. Movable between threads, not shareable. Ranges are checked when a box is opened.
class Options {
  public:
    Options() {
        hookbox_options *raw = nullptr;
        note(detail::call([&](hookbox_error **error) { return hookbox_options_new(&raw, error); }));
        raw_.reset(raw);
    }

    /// Bytes of a payload at most: 1 byte to 64 MiB. The file keeps what was set last; 256 KiB at first.
    Options &payload_bytes_max(std::size_t bytes) {
        return set([&](hookbox_options *it, hookbox_error **error) {
            return hookbox_options_set_payload_bytes_max(it, bytes, error);
        });
    }

    /// Requests that the threads of Box::start() send at once to webhooks that answer: 1 to 1024; 16 by default.
    /// Webhooks that were not tried yet get as many beside them, and those that failed last a quarter of it.
    Options &workers(std::size_t count) {
        return set(
            [&](hookbox_options *it, hookbox_error **error) { return hookbox_options_set_workers(it, count, error); });
    }

    /// Requests that may be out beside those because their endpoint has not answered for more than 250 ms: 0 to
    /// 4096; 1024 by default.
    Options &slow_requests_max(std::size_t requests) {
        return set([&](hookbox_options *it, hookbox_error **error) {
            return hookbox_options_set_slow_requests_max(it, requests, error);
        });
    }

    /// How long ended batches, their attempts and events are kept: a minute at least; 30 days by default; 0 keeps
    /// them for good.
    Options &retention(std::chrono::milliseconds kept) {
        return set_spans(kept, {}, [](hookbox_options *it, std::uint64_t ms, std::uint64_t, hookbox_error **error) {
            return hookbox_options_set_retention_ms(it, ms, error);
        });
    }

    /// How long a new signing key is published before it signs (an hour by default), and how long an old one stays
    /// published after it signed (15 days).
    Options &key_rotation(std::chrono::milliseconds lead, std::chrono::milliseconds overlap) {
        return set_spans(lead, overlap, hookbox_options_set_key_rotation_ms);
    }

    /// Seals private keys, tokens and other secrets in the box. `older` keys still open what they sealed; without
    /// `current` they are the way back. What was stored before stays as it was until Box::reseal_keys().
    Options &key_encryption_key(const std::optional<SealKey> &current, const std::vector<SealKey> &older = {}) {
        static_assert(sizeof(SealKey) == 32, "the older keys lie one after the other");
        return set([&](hookbox_options *it, hookbox_error **error) {
            const std::uint8_t *rest = older.empty() ? nullptr : older.front().data();
            return hookbox_options_set_key_encryption_key(it, current ? current->data() : nullptr, rest, older.size(),
                                                          error);
        });
    }

    /// Allows http:// URLs as well as https://. Off by default.
    Options &allow_http(bool allow = true) {
        return set([&](hookbox_options *it, hookbox_error **error) {
            return hookbox_options_set_allow_http(it, allow, error);
        });
    }

    /// Allows endpoints in a network ("10.0.0.0/8") although it is not public. May be called several times.
    Options &allow_network(std::string_view network) { return set_text(network, hookbox_options_allow_network); }

    /// Allows exactly these ports. Without it: 443, 80 where http is allowed, and every port from 1024.
    Options &ports(const std::vector<std::uint16_t> &allowed) {
        return set([&](hookbox_options *it, hookbox_error **error) {
            return hookbox_options_set_ports(it, allowed.data(), allowed.size(), error);
        });
    }

    /// Sends through an HTTP proxy ("http://user:password@proxy:3128"); empty for none, as by default.
    Options &proxy(std::string_view url) { return set_text(url, hookbox_options_set_proxy); }

    /// Trusts these certificate authorities (PEM) beside Mozilla's, which are compiled in.
    Options &extra_root_pem(std::string_view pem) { return set_text(pem, hookbox_options_set_extra_root_pem); }

    /// The User-Agent header of requests; "hookbox/" and the version by default.
    Options &user_agent(std::string_view name) { return set_text(name, hookbox_options_set_user_agent); }

    /// Connections to a PostgreSQL server at most, beside the one that listens: 1 to 1000; 8 by default.
    Options &postgres_pool(std::size_t connections) {
        return set([&](hookbox_options *it, hookbox_error **error) {
            return hookbox_options_set_postgres_pool(it, connections, error);
        });
    }

    /// Calls back with operational notices.
    Options &on_notice(OnNotice callback) {
        if (!callback) {
            return note(detail::missing("callback"));
        }
        auto shared = std::make_shared<OnNotice>(std::move(callback));
        return set([&](hookbox_options *it, hookbox_error **error) {
            return hookbox_options_set_on_notice(it, tell, detail::share(shared), detail::unshare<OnNotice>, error);
        });
    }

    /// Sends with the host's own HTTP client.
    Options &transport(std::shared_ptr<Transport> transport) {
        return set_host(std::move(transport), "transport", hookbox_options_set_transport);
    }

    /// Takes the time from here.
    Options &clock(std::shared_ptr<Clock> clock) {
        return set_host(std::move(clock), "clock", hookbox_options_set_clock);
    }

    /// The first error of a setter.
    const std::optional<Error> &error() const noexcept { return error_; }

    /// The C object; it stays ours.
    hookbox_options *capi() const noexcept { return raw_.get(); }
    /// The C object, which is the caller's from now on.
    [[nodiscard]] hookbox_options *capi_release() noexcept { return raw_.release(); }

  private:
    Options &note(Result<void> done) {
        if (!done && !error_) {
            error_ = std::move(done).error();
        }
        return *this;
    }

    template <class Set> Options &set(Set &&setter) {
        return note(detail::call([&](hookbox_error **error) { return setter(raw_.get(), error); }));
    }

    template <class Set> Options &set_text(std::string_view text, Set setter) {
        return set([&](hookbox_options *it, hookbox_error **error) { return setter(it, detail::str(text), error); });
    }

    template <class Set>
    Options &set_spans(std::chrono::milliseconds one, std::chrono::milliseconds other, Set setter) {
        Result<std::uint64_t> first = detail::span(one);
        Result<std::uint64_t> second = detail::span(other);
        if (!first || !second) {
            return note(first ? second.error() : first.error());
        }
        return set([&](hookbox_options *it, hookbox_error **error) { return setter(it, *first, *second, error); });
    }

    template <class T, class Set> Options &set_host(std::shared_ptr<T> it, const char *what, Set setter) {
        if (it == nullptr) {
            return note(detail::missing(what));
        }
        return set([&](hookbox_options *options, hookbox_error **error) {
            auto table = detail::to_c(std::move(it));
            return setter(options, &table, error);
        });
    }

    static void tell(void *context, const hookbox_notice *notice) noexcept {
        detail::contain([&] { detail::shared<OnNotice>(context)(detail::read(*notice)); }, [](const char *) {});
    }

    std::unique_ptr<hookbox_options, detail::Free> raw_;
    std::optional<Error> error_;
};

} // namespace hookbox

#endif
