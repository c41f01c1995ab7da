// Which library this program runs with.

#ifndef HOOKBOX_VERSION_HPP
#define HOOKBOX_VERSION_HPP

#include "call.hpp"

namespace hookbox {

/// The library's version, as "0.1.0".
inline std::string version() {
    return hookbox_version();
}

/// The library's version as a number, to be compared with HOOKBOX_VERSION_NUMBER.
inline std::uint32_t version_number() noexcept {
    return hookbox_version_number();
}

/// Checks that the library serves a program compiled with these headers. Opening a box and making a verifier
/// do so by themselves. Errors: unsupported.
inline Result<void> check_version() {
    return detail::call([](hookbox_error **error) { return hookbox_version_check(HOOKBOX_VERSION_NUMBER, error); });
}

/// The version of the copy of SQLite that the library runs on, as "3.51.3".
inline std::string sqlite_version() {
    return hookbox_sqlite_version();
}

/// Whether the library runs on a copy of SQLite of its own. If so, nobody else in this process may open a box's
/// file with another copy; if not, Box::emit_in() works.
inline bool sqlite_is_bundled() noexcept {
    return hookbox_sqlite_is_bundled() != 0;
}

/// A built-in profile as JSON, to be changed and given to Box::create_app(): "prelude", "fingerprint" or
/// "standard_webhooks". Errors: invalid_request for another name.
inline Result<std::string> profile(std::string_view name) {
    return detail::fetch_text(
        [&](hookbox_texts **out, hookbox_error **error) { return hookbox_profile(detail::str(name), out, error); });
}

} // namespace hookbox

#endif
