// Goal: a box lives in a key-value store of the host's, and its failures come back as they are. Method: a std::map
// under a lock, which can be told to fail; then hookbox's conformance suite over it.

// The suite is in libraries that were built with the feature `testing`.
#define HOOKBOX_TESTING

#include "scenarios.hpp"

#include <map>

namespace {

using hookbox::Error;
using hookbox::Result;
using hookbox::Status;

enum class Trouble { none, full, throws };

using Rows = std::map<std::string, std::string, std::less<>>;

// Readers keep the rows of when they began; one writer at a time changes a copy.
class MapStore : public hookbox::KeyValueStore {
  public:
    std::mutex writer;
    std::atomic<Trouble> trouble{Trouble::none};
    std::atomic<int> open{0};

    Result<std::unique_ptr<hookbox::KeyValueTransaction>> begin(bool write) override;

    std::shared_ptr<const Rows> rows() {
        std::lock_guard<std::mutex> lock(guard_);
        return rows_;
    }

    void replace(Rows rows) {
        std::lock_guard<std::mutex> lock(guard_);
        rows_ = std::make_shared<const Rows>(std::move(rows));
    }

  private:
    std::mutex guard_;
    std::shared_ptr<const Rows> rows_ = std::make_shared<const Rows>();
};

class MapTransaction : public hookbox::KeyValueTransaction {
  public:
    MapTransaction(MapStore &store, bool write) : store_(store), write_(write) {
        if (write_) {
            store_.writer.lock();
        }
        seen_ = store_.rows();
        if (write_) {
            changed_ = *seen_;
        }
        ++store_.open;
    }

    ~MapTransaction() override {
        --store_.open;
        if (write_) {
            store_.writer.unlock();
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
        if (write_) {
            store_.replace(std::move(changed_));
        }
        return {};
    }

    void rollback() noexcept override {}

  private:
    const Rows &rows() const {
        return write_ ? changed_ : *seen_;
    }

    MapStore &store_;
    bool write_;
    std::shared_ptr<const Rows> seen_;
    Rows changed_;
};

Result<std::unique_ptr<hookbox::KeyValueTransaction>> MapStore::begin(bool write) {
    return std::unique_ptr<hookbox::KeyValueTransaction>(std::make_unique<MapTransaction>(*this, write));
}

// hookbox's own suite: every promise of a storage, over the binding's border and back.
void conformance() {
    auto make_place = [](void *) -> void * { return new std::shared_ptr<MapStore>(std::make_shared<MapStore>()); };
    auto open = [](void *place, hookbox_kv *out, hookbox_error **) -> hookbox_status {
        *out = hookbox::detail::to_c(
            std::shared_ptr<hookbox::KeyValueStore>(*static_cast<std::shared_ptr<MapStore> *>(place)));
        return HOOKBOX_OK;
    };
    auto destroy_place = [](void *place) { delete static_cast<std::shared_ptr<MapStore> *>(place); };
    std::size_t promises = 0;
    std::vector<std::string> broken =
        must(hookbox::detail::fetch<hookbox_texts>([&](hookbox_texts **out, hookbox_error **error) {
            return hookbox_testing_kv_conformance(make_place, open, destroy_place, nullptr, false, true, &promises, out,
                                                  error);
        }));
    for (const std::string &promise : broken) {
        std::fprintf(stderr, "broken: %s\n", promise.c_str());
    }
    same(broken.size(), 0u);
    check(promises > 50);
    std::printf("  (%zu promises of a storage)\n", promises);
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
    conformance();
}
