// How C++ and C meet: texts, times, ownership, errors. Nothing here is for users.

#ifndef HOOKBOX_CALL_HPP
#define HOOKBOX_CALL_HPP

#include "records.hpp"
#include "result.hpp"

#include <type_traits>

namespace hookbox::detail {

inline hookbox_str str(std::string_view text) noexcept {
    return hookbox_str{text.data(), text.size()};
}

inline std::vector<hookbox_str> strs(const std::vector<std::string> &texts) {
    std::vector<hookbox_str> list;
    list.reserve(texts.size());
    for (const std::string &text : texts) {
        list.push_back(str(text));
    }
    return list;
}

inline std::vector<hookbox_pair> pairs(const std::vector<Header> &headers) {
    std::vector<hookbox_pair> list;
    list.reserve(headers.size());
    for (const Header &header : headers) {
        list.push_back(hookbox_pair{str(header.name), str(header.value)});
    }
    return list;
}

// 0 is what C has for none.
inline std::int64_t unix_ms(std::optional<Time> time) noexcept {
    return time ? static_cast<std::int64_t>(time->time_since_epoch().count()) : 0;
}

// A span as C has it. C has no negative ones: the largest is refused wherever there is a limit.
inline Result<std::uint64_t> span(std::chrono::milliseconds span) {
    if (span.count() < 0) {
        return Error(Status::invalid_argument, "a span of time is negative");
    }
    return static_cast<std::uint64_t>(span.count());
}

// Ends what the library gave out.
struct Free {
    void operator()(hookbox_error *it) const noexcept { hookbox_error_free(it); }
    void operator()(hookbox_options *it) const noexcept { hookbox_options_free(it); }
    void operator()(hookbox_box *it) const noexcept { hookbox_box_free(it); }
    void operator()(hookbox_verifier *it) const noexcept { hookbox_verifier_free(it); }
    void operator()(hookbox_texts *it) const noexcept { hookbox_texts_free(it); }
    void operator()(hookbox_app *it) const noexcept { hookbox_app_free(it); }
    void operator()(hookbox_app_page *it) const noexcept { hookbox_app_page_free(it); }
    void operator()(hookbox_webhook *it) const noexcept { hookbox_webhook_free(it); }
    void operator()(hookbox_webhook_page *it) const noexcept { hookbox_webhook_page_free(it); }
    void operator()(hookbox_event *it) const noexcept { hookbox_event_free(it); }
    void operator()(hookbox_event_page *it) const noexcept { hookbox_event_page_free(it); }
    void operator()(hookbox_key *it) const noexcept { hookbox_key_free(it); }
    void operator()(hookbox_key_list *it) const noexcept { hookbox_key_list_free(it); }
    void operator()(hookbox_batch *it) const noexcept { hookbox_batch_free(it); }
    void operator()(hookbox_batch_page *it) const noexcept { hookbox_batch_page_free(it); }
    void operator()(hookbox_attempt_page *it) const noexcept { hookbox_attempt_page_free(it); }
    void operator()(hookbox_backlog *it) const noexcept { hookbox_backlog_free(it); }
    void operator()(hookbox_delivery_list *it) const noexcept { hookbox_delivery_list_free(it); }
    void operator()(hookbox_batch_story *it) const noexcept { hookbox_batch_story_free(it); }
    void operator()(hookbox_event_story *it) const noexcept { hookbox_event_story_free(it); }
    void operator()(hookbox_stats *it) const noexcept { hookbox_stats_free(it); }
    void operator()(hookbox_received *it) const noexcept { hookbox_received_free(it); }
    void operator()(hookbox_challenge_answer *it) const noexcept { hookbox_challenge_answer_free(it); }
    void operator()(hookbox_api_key *it) const noexcept { hookbox_api_key_free(it); }
    void operator()(hookbox_api_key_page *it) const noexcept { hookbox_api_key_page_free(it); }
    void operator()(hookbox_api_response *it) const noexcept { hookbox_api_response_free(it); }
};

template <class C> using Owned = std::unique_ptr<C, Free>;

// Turns a failed call's error object into a value.
inline Error take(hookbox_status status, hookbox_error *raw) {
    Owned<hookbox_error> owned(raw);
    Error error;
    error.status = static_cast<Status>(status);
    if (owned) {
        error.http_status = owned->http_status;
        error.retryable = owned->retryable;
        error.code = text(owned->code);
        error.message = text(owned->message);
    }
    return error;
}

// Makes a call that gives nothing.
template <class Call> Result<void> call(Call &&make) {
    hookbox_error *error = nullptr;
    hookbox_status status = make(&error);
    if (status != HOOKBOX_OK) {
        return take(status, error);
    }
    return {};
}

// Makes a call that gives an object, and keeps it.
template <class C, class Call> Result<Owned<C>> own(Call &&make) {
    hookbox_error *error = nullptr;
    C *out = nullptr;
    hookbox_status status = make(&out, &error);
    if (status != HOOKBOX_OK) {
        return take(status, error);
    }
    return Owned<C>(out);
}

// Makes a call that gives an object, and reads it.
template <class C, class Call> auto fetch(Call &&make) -> Result<decltype(read(std::declval<const C &>()))> {
    Result<Owned<C>> out = own<C>(std::forward<Call>(make));
    if (!out) {
        return std::move(out).error();
    }
    return read(**out);
}

// Makes a call that gives one text.
template <class Call> Result<std::string> fetch_text(Call &&make) {
    Result<std::vector<std::string>> texts = fetch<hookbox_texts>(std::forward<Call>(make));
    if (!texts) {
        return std::move(texts).error();
    }
    if (texts->empty()) {
        return Error(Status::internal, "the library gave no text");
    }
    return std::move(texts->front());
}

// Makes a call that gives a number.
template <class T, class Call> Result<T> fetch_number(Call &&make) {
    T out = {};
    Result<void> done = call([&](hookbox_error **error) { return make(&out, error); });
    if (!done) {
        return std::move(done).error();
    }
    return out;
}

// Makes a call that gives an id.
template <class Call> Result<std::string> fetch_id(Call &&make) {
    Result<hookbox_id> id = fetch_number<hookbox_id>(std::forward<Call>(make));
    if (!id) {
        return std::move(id).error();
    }
    return std::string(id->text);
}

// Makes a call that gives as many ids as it is given events.
template <class Call> Result<std::vector<std::string>> fetch_ids(std::size_t count, Call &&make) {
    std::vector<hookbox_id> ids(count);
    Result<void> done = call([&](hookbox_error **error) { return make(ids.data(), error); });
    if (!done) {
        return std::move(done).error();
    }
    std::vector<std::string> list;
    list.reserve(count);
    for (const hookbox_id &id : ids) {
        list.emplace_back(id.text);
    }
    return list;
}

} // namespace hookbox::detail

#endif
