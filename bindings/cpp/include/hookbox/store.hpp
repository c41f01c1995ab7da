// A key-value store of the host's, on which hookbox builds the whole storage. (<hookbox/sys.h>: its promise of
// stability is weaker than the rest's.)

#ifndef HOOKBOX_STORE_HPP
#define HOOKBOX_STORE_HPP

#include "host.hpp"

namespace hookbox {

/// Visits a key and its value, which are valid during the call only. Returns whether to go on.
using Visitor = std::function<bool(std::string_view key, std::string_view value)>;

/// A transaction of a KeyValueStore. It stays on the thread that began it. Keys and values are byte strings. Errors:
/// storage_full, storage_busy, storage_corrupt, storage_read_only, storage_io; an exception counts as the last. After
/// any error the transaction is rolled back.
class KeyValueTransaction {
  public:
    virtual ~KeyValueTransaction() = default;

    /// Reads a value, as written by this transaction or before it.
    virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
    /// Writes a value, in the place of the one that was there.
    virtual Result<void> put(std::string_view key, std::string_view value) = 0;
    /// Removes a key and its value. A key that is not there is no error.
    virtual Result<void> remove(std::string_view key) = 0;
    /// Visits each key from `from` on and before `to`, in ascending order, or with `reverse` in descending order,
    /// until the visitor returns false. What this transaction wrote is among them.
    virtual Result<void> scan(std::string_view from, std::string_view to, bool reverse, const Visitor &visit) = 0;
    /// Commits; it is destroyed after that, whatever this returns. After success everything written survives a power
    /// failure. storage_commit_unknown: it may or may not have been committed; any other error: nothing was.
    virtual Result<void> commit() = 0;
    /// Undoes everything written; it is destroyed after that.
    virtual void rollback() noexcept = 0;
};

/// An ordered, transactional key-value store. It belongs to one box: nobody else writes to it while the box is open.
/// Keys are of 1 to HOOKBOX_KV_KEY_BYTES_MAX bytes, ordered as memcmp() has it, a prefix first.
class KeyValueStore {
  public:
    virtual ~KeyValueStore() = default;

    /// Begins a transaction: with `write`, one that may write; one of these at a time, another waits for it or is
    /// refused with storage_busy. Each sees what was committed when it began, and nothing later.
    virtual Result<std::unique_ptr<KeyValueTransaction>> begin(bool write) = 0;
};

namespace detail {

inline KeyValueTransaction &transaction_of(void *it) noexcept {
    return *static_cast<KeyValueTransaction *>(it);
}

// Makes one call of a store, and gives C its error.
template <class Call> hookbox_status kv_call(hookbox_error **error, Call &&make) noexcept {
    return contain(
        [&]() -> hookbox_status {
            Result<void> done = make();
            return done ? HOOKBOX_OK : refuse(done.error().status, done.error().message, error);
        },
        [&](const char *why) { return refuse(Status::storage_io, why, error); });
}

inline std::string_view view(hookbox_str from) noexcept {
    return from.len == 0 ? std::string_view() : std::string_view(from.ptr, from.len);
}

inline hookbox_status kv_begin(void *context, bool write, void **out, hookbox_error **error) noexcept {
    return kv_call(error, [&]() -> Result<void> {
        Result<std::unique_ptr<KeyValueTransaction>> begun = shared<KeyValueStore>(context).begin(write);
        if (!begun) {
            return std::move(begun).error();
        }
        if (*begun == nullptr) {
            return missing("transaction");
        }
        *out = begun->release();
        return {};
    });
}

inline hookbox_status kv_get(void *it, hookbox_str key, hookbox_value *value, hookbox_error **error) noexcept {
    return kv_call(error, [&]() -> Result<void> {
        Result<std::optional<std::string>> found = transaction_of(it).get(view(key));
        if (!found) {
            return std::move(found).error();
        }
        if (found->has_value()) {
            hookbox_value_set(value, str(**found));
        }
        return {};
    });
}

inline hookbox_status kv_put(void *it, hookbox_str key, hookbox_str value, hookbox_error **error) noexcept {
    return kv_call(error, [&] { return transaction_of(it).put(view(key), view(value)); });
}

inline hookbox_status kv_delete(void *it, hookbox_str key, hookbox_error **error) noexcept {
    return kv_call(error, [&] { return transaction_of(it).remove(view(key)); });
}

inline hookbox_status kv_scan(void *it, hookbox_str from, hookbox_str to, bool reverse, hookbox_visitor *visitor,
                              hookbox_error **error) noexcept {
    return kv_call(error, [&] {
        return transaction_of(it).scan(
            view(from), view(to), reverse,
            [&](std::string_view key, std::string_view value) { return hookbox_visit(visitor, str(key), str(value)); });
    });
}

inline hookbox_status kv_commit(void *it, hookbox_error **error) noexcept {
    std::unique_ptr<KeyValueTransaction> ended(&transaction_of(it));
    return kv_call(error, [&] { return ended->commit(); });
}

inline void kv_rollback(void *it) noexcept {
    std::unique_ptr<KeyValueTransaction> ended(&transaction_of(it));
    ended->rollback();
}

inline hookbox_kv to_c(std::shared_ptr<KeyValueStore> store) {
    hookbox_kv raw = HOOKBOX_KV_INIT;
    raw.context = share(std::move(store));
    raw.begin = kv_begin;
    raw.get = kv_get;
    raw.put = kv_put;
    raw.del = kv_delete;
    raw.scan = kv_scan;
    raw.commit = kv_commit;
    raw.rollback = kv_rollback;
    raw.destroy = unshare<KeyValueStore>;
    return raw;
}

} // namespace detail

} // namespace hookbox

#endif
