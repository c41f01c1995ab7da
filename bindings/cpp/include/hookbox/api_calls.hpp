// The bodies of Box's calls for the management API. Nothing here is for users.

#ifndef HOOKBOX_API_CALLS_HPP
#define HOOKBOX_API_CALLS_HPP

#include "box.hpp"

namespace hookbox {

inline Result<NewlyMadeApiKey> Box::create_api_key(const NewApiKey &key) {
    if (key.expires_at && *key.expires_at <= Time()) {
        // To C it would never expire.
        return Error(Status::invalid_argument, "the API key is to expire in 1970 or before");
    }
    hookbox_new_api_key given = HOOKBOX_NEW_API_KEY_INIT;
    given.name = detail::str(key.name);
    given.app = detail::str(key.app);
    given.read_only = key.read_only;
    given.expires_at_ms = detail::unix_ms(key.expires_at);
    given.requests_per_second = key.requests_per_second;
    hookbox_api_key *record = nullptr;
    Result<std::string> secret = detail::fetch_text([&](hookbox_texts **out, hookbox_error **error) {
        return hookbox_api_key_create(capi(), &given, out, &record, error);
    });
    detail::Owned<hookbox_api_key> owned(record);
    if (!secret) {
        return std::move(secret).error();
    }
    return NewlyMadeApiKey{detail::read(*owned), std::move(*secret)};
}

inline Result<Page<ApiKey>> Box::api_keys(const ApiKeyQuery &query) const {
    return detail::fetch<hookbox_api_key_page>([&](hookbox_api_key_page **out, hookbox_error **error) {
        return hookbox_api_key_list(capi(), detail::str(query.app), detail::str(query.cursor), query.limit, out, error);
    });
}

inline Result<void> Box::revoke_api_key(std::string_view key) {
    return detail::call([&](hookbox_error **error) { return hookbox_api_key_revoke(capi(), detail::str(key), error); });
}

inline Result<ApiResponse> Box::handle(Dialect dialect, const ApiRequest &request) {
    return handle_for(dialect, nullptr, request);
}

inline Result<ApiResponse> Box::handle(Dialect dialect, const ApiRequest &request, const Grant &grant) {
    Result<hookbox_grant> given = grant.capi();
    if (!given) {
        return std::move(given).error();
    }
    return handle_for(dialect, &*given, request);
}

inline Result<ApiResponse> Box::handle_for(Dialect dialect, const hookbox_grant *grant, const ApiRequest &request) {
    std::vector<hookbox_pair> headers = detail::pairs(request.headers);
    hookbox_api_request given = HOOKBOX_API_REQUEST_INIT;
    given.method = detail::str(request.method);
    given.target = detail::str(request.target);
    given.headers = headers.data();
    given.header_count = headers.size();
    given.body = detail::str(request.body);
    return detail::fetch<hookbox_api_response>([&](hookbox_api_response **out, hookbox_error **error) {
        return hookbox_api_handle(capi(), static_cast<std::int32_t>(dialect), grant, &given, out, error);
    });
}

} // namespace hookbox

#endif
