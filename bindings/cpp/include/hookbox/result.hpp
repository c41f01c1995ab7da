// What a call came to: a value, or an error.

#ifndef HOOKBOX_RESULT_HPP
#define HOOKBOX_RESULT_HPP

#include <hookbox.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#if __cplusplus > 202002L && defined(__has_include)
#if __has_include(<expected>)
#include <expected>
#endif
#endif

namespace hookbox {

/// What went wrong, for programs: the statuses of <hookbox.h>. Later versions may have more.
enum class Status : hookbox_status {
    ok = HOOKBOX_OK,
    invalid_request = HOOKBOX_INVALID_REQUEST,
    invalid_webhook_event = HOOKBOX_INVALID_WEBHOOK_EVENT,
    webhook_invalid_url = HOOKBOX_WEBHOOK_INVALID_URL,
    webhook_activation_failed = HOOKBOX_WEBHOOK_ACTIVATION_FAILED,
    session_disabled = HOOKBOX_SESSION_DISABLED,
    app_not_found = HOOKBOX_APP_NOT_FOUND,
    app_exists = HOOKBOX_APP_EXISTS,
    webhook_not_found = HOOKBOX_WEBHOOK_NOT_FOUND,
    event_not_found = HOOKBOX_EVENT_NOT_FOUND,
    batch_not_found = HOOKBOX_BATCH_NOT_FOUND,
    key_not_found = HOOKBOX_KEY_NOT_FOUND,
    api_key_not_found = HOOKBOX_API_KEY_NOT_FOUND,
    invalid_payload = HOOKBOX_INVALID_PAYLOAD,
    payload_too_large = HOOKBOX_PAYLOAD_TOO_LARGE,
    batch_conflict = HOOKBOX_BATCH_CONFLICT,
    lease_lost = HOOKBOX_LEASE_LOST,
    invalid_key = HOOKBOX_INVALID_KEY,
    read_only = HOOKBOX_READ_ONLY,
    unsupported = HOOKBOX_UNSUPPORTED,
    invalid_argument = HOOKBOX_INVALID_ARGUMENT,
    invalid_utf8 = HOOKBOX_INVALID_UTF8,
    closed = HOOKBOX_CLOSED,
    forked = HOOKBOX_FORKED,
    storage_busy = HOOKBOX_STORAGE_BUSY,
    storage_full = HOOKBOX_STORAGE_FULL,
    storage_read_only = HOOKBOX_STORAGE_READ_ONLY,
    storage_corrupt = HOOKBOX_STORAGE_CORRUPT,
    storage_newer_schema = HOOKBOX_STORAGE_NEWER_SCHEMA,
    storage_unsupported_engine = HOOKBOX_STORAGE_UNSUPPORTED_ENGINE,
    storage_commit_unknown = HOOKBOX_STORAGE_COMMIT_UNKNOWN,
    storage_bad_row = HOOKBOX_STORAGE_BAD_ROW,
    storage_io = HOOKBOX_STORAGE_IO,
    key_unavailable = HOOKBOX_KEY_UNAVAILABLE,
    seal_broken = HOOKBOX_SEAL_BROKEN,
    not_authentic = HOOKBOX_NOT_AUTHENTIC,
    unknown_key = HOOKBOX_UNKNOWN_KEY,
    internal = HOOKBOX_INTERNAL,
    panic = HOOKBOX_PANIC,
};

/// An error. It holds no secret.
struct Error {
    /// What went wrong.
    Status status = Status::internal;
    /// The HTTP status that the management API answers with: 400 to 503.
    std::uint16_t http_status = 500;
    /// Whether the same call may succeed later without any change by the caller.
    bool retryable = false;
    /// The stable code: the vendor's own where the vendor has one ("webhook_invalid_url").
    std::string code;
    /// What happened and what to do, for people: one line.
    std::string message;

    Error() = default;
    /// An error of the host's own, for what it brings itself (a Signer, a KeyValueStore).
    Error(Status what, std::string why) : status(what), message(std::move(why)) {}
};

/// What Result::value() throws where there is no value.
class Exception : public std::exception {
  public:
    explicit Exception(const Error &error)
        : error_(std::make_shared<const Error>(error)),
          text_(std::make_shared<const std::string>(error.code + ": " + error.message)) {}

    /// What went wrong.
    const Error &error() const noexcept { return *error_; }
    /// The code and the message.
    const char *what() const noexcept override { return text_->c_str(); }

  private:
    // Shared, because exceptions are copied where nothing may be thrown.
    std::shared_ptr<const Error> error_;
    std::shared_ptr<const std::string> text_;
};

namespace detail {

// Throws, or ends a program that has no exceptions.
[[noreturn]] inline void raise(const Error &error) {
#if defined(__cpp_exceptions)
    throw Exception(error);
#else
    std::fprintf(stderr, "hookbox: the value of a failed call was taken: %s: %s\n", error.code.c_str(),
                 error.message.c_str());
    std::abort();
#endif
}

} // namespace detail

/// A value, or the error because of which there is none. Its members are those of std::expected, which it is not:
/// that exists in C++23 only, so objects compiled for C++17 and for C++23 could not be linked together, and its
/// value() throws something else. to_expected() makes one. And out of a temporary value() moves the value instead of
/// referring to it, and -> is not there, so that `for (auto &x : box.keys(app).value())` does not dangle.
template <class T> class [[nodiscard]] Result {
  public:
    using value_type = T;
    using error_type = Error;

    Result(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}

    bool has_value() const noexcept { return held_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /// The value; where there is none, throws hookbox::Exception, or aborts under -fno-exceptions.
    T &value() & { return checked(), *std::get_if<0>(&held_); }
    const T &value() const & { return checked(), *std::get_if<0>(&held_); }
    T value() && { return checked(), std::move(*std::get_if<0>(&held_)); }

    /// As value().
    T &operator*() & { return value(); }
    const T &operator*() const & { return value(); }
    T operator*() && { return std::move(*this).value(); }
    T *operator->() & { return &value(); }
    const T *operator->() const & { return &value(); }
    T *operator->() && = delete;
    const T *operator->() const && = delete;

    /// The value, or another.
    template <class U> T value_or(U &&other) const & {
        return has_value() ? *std::get_if<0>(&held_) : static_cast<T>(std::forward<U>(other));
    }

    /// The error. Of a success, that is a bug: throws std::bad_variant_access, or aborts.
    const Error &error() const & { return std::get<1>(held_); }
    Error error() && { return std::move(std::get<1>(held_)); }

  private:
    void checked() const {
        if (const Error *error = std::get_if<1>(&held_)) {
            detail::raise(*error);
        }
    }

    std::variant<T, Error> held_;
};

/// Nothing, or an error.
template <> class [[nodiscard]] Result<void> {
  public:
    using value_type = void;
    using error_type = Error;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool has_value() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }

    /// Nothing; after a failure, throws hookbox::Exception, or aborts under -fno-exceptions.
    void value() const {
        if (error_) {
            detail::raise(*error_);
        }
    }

    /// The error. Of a success, that is a bug: throws std::bad_optional_access, or aborts.
    const Error &error() const & { return error_.value(); }
    Error error() && { return std::move(error_.value()); }

  private:
    std::optional<Error> error_;
};

#if defined(__cpp_lib_expected)
/// The same as a std::expected.
template <class T> [[nodiscard]] std::expected<T, Error> to_expected(Result<T> result) {
    if (!result) {
        return std::unexpected(std::move(result).error());
    }
    if constexpr (std::is_void_v<T>) {
        return {};
    } else {
        return std::move(result).value();
    }
}
#endif

} // namespace hookbox

#endif
