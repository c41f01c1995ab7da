// Goal: a box lives in a key-value store of the host's, and its failures come back as they are. Method: a std::map
// under a lock, which can be told to fail; hookbox's conformance suite is run over C stores in tests/c.

#include "scenarios.hpp"

#include <map>
#include <shared_mutex>

namespace {

using hookbox::Error;
using hookbox::Result;
using hookbox::Status;

enum class Trouble { none, full, throws };

class MapStore : public hookbox::KeyValueStore {
  public:
    std::shared_mutex lock;
    std::map<std::string, std::string, std::less<>> rows;
    std::atomic<Trouble> trouble{Trouble::none};
    std::atomic<int> open{0};

    Result<std::unique_ptr<hookbox::KeyValueTransaction>> begin(bool write) override;
};

// Readers share the map, a writer has it alone, and changes a copy.
class MapTransaction : public hookbox::KeyValueTransaction {
  public:
    MapTransaction(MapStore &store, bool write) : store_(store), write_(write) {
        if (write_) {
            store_.lock.lock();
            changed_ = store_.rows;
        } else {
            store_.lock.lock_shared();
        }
        ++store_.open;
    }

    ~MapTransaction() override {
        --store_.open;
        if (write_) {
            store_.lock.unlock();
        } else {
            store_.lock.unlock_shared();
        }
    }

    Result<std::optional<std::string>> get(std::string_view key) override {
        auto found = rows().find(key);
        return found == rows().end() ? std::nullopt : std::optional<std::string>(found->second);
    }

    Result<void> put(std::string_view key, std::string_view value) override {
        if (store_.trouble == Trouble::full) {
            return Error(Status::storage_full, "no room left");
        }
#if defined(__cpp_exceptions)
        if (store_.trouble == Trouble::throws) {
            throw std::runtime_error("the map is torn");
        }
#endif
        changed_.insert_or_assign(std::string(key), std::string(value));
        return {};
    }

    Result<void> remove(std::string_view key) override {
        changed_.erase(std::string(key));
        return {};
    }

    Result<void> scan(std::string_view from, std::string_view to, bool reverse,
                      const hookbox::Visitor &visit) override {
        auto first = rows().lower_bound(from);
        auto last = rows().lower_bound(to);
        while (first != last) {
            auto at = reverse ? --last : first++;
            if (!visit(at->first, at->second)) {
                break;
            }
        }
        return {};
    }

    Result<void> commit() override {
        store_.rows = std::move(changed_);
        return {};
    }

    void rollback() noexcept override {}

  private:
    const std::map<std::string, std::string, std::less<>> &rows() const {
        return write_ ? changed_ : store_.rows;
    }

    MapStore &store_;
    bool write_;
    std::map<std::string, std::string, std::less<>> changed_;
};

Result<std::unique_ptr<hookbox::KeyValueTransaction>> MapStore::begin(bool write) {
    return std::unique_ptr<hookbox::KeyValueTransaction>(std::make_unique<MapTransaction>(*this, write));
}

} // namespace

void store() {
    auto rows = std::make_shared<MapStore>();
    std::string event;
    {
        Stage stage;
        hookbox::Box box = must(hookbox::Box::open_store(rows, stage.options));
        active_webhook(box);
        event = must(box.emit("a", "user.created", R"({"n": 1})"));
        same(must(box.poll()).attempts, 1u);
        check(must(box.check()).empty());

        rows->trouble = Trouble::full;
        Error full = refused(box.emit("a", "user.created", "{}"), Status::storage_full);
        check(holds(full.message, "no room left"));
#if defined(__cpp_exceptions)
        rows->trouble = Trouble::throws;
        Error torn = refused(box.emit("a", "user.created", "{}"), Status::storage_io);
        check(holds(torn.message, "the map is torn"));
#endif
        rows->trouble = Trouble::none;
        must(box.emit("a", "user.created", "{}"));
        refused(box.backup(fresh_path("kv.db")), Status::unsupported);
        must(box.close());
    }
    same(rows->open.load(), 0);
    same(rows.use_count(), 1);
    hookbox::Box again = must(hookbox::Box::open_store(rows));
    same(must(again.event(event)).payload, R"({"n": 1})");
}
