// Goal: keys take over, retire, are published and sealed as asked. Method: a hand-set clock, and what is delivered.

#include "scenarios.hpp"

namespace {

// Signs with bytes that everybody knows, or not at all.
class TestSigner : public hookbox::Signer {
  public:
    enum class Mood { signs, refuses, throws };
    std::atomic<Mood> mood{Mood::refuses};

    hookbox::Result<std::vector<std::uint8_t>> sign(const hookbox::Sha256 &digest) override {
        check(digest != hookbox::Sha256{});
        if (mood == Mood::refuses) {
            return hookbox::Error(hookbox::Status::key_unavailable, "the vault is shut");
        }
#if defined(__cpp_exceptions)
        if (mood == Mood::throws) {
            throw std::runtime_error("the vault is on fire");
        }
#endif
        return std::vector<std::uint8_t>(256, 7);
    }
};

const hookbox::Key &find(const std::vector<hookbox::Key> &keys, const std::string &kid) {
    for (const hookbox::Key &key : keys) {
        if (key.kid == kid) {
            return key;
        }
    }
    check(false);
    return keys.front();
}

void rotation(hookbox::Box &box, HandClock &clock) {
    using hookbox::KeyPhase;
    std::vector<hookbox::Key> keys = must(box.keys("a"));
    same(keys.size(), 1u);
    std::string first = keys[0].kid;
    check(keys[0].phase == KeyPhase::active && keys[0].has_private_part && !keys[0].signs_until);
    check(holds(must(box.jwks("a")), first.c_str()) && holds(keys[0].public_jwk, "\"n\""));

    hookbox::Key second =
        must(box.rotate_key("a", {0, vector_file("rsa2048_pkcs8_test_only.pem"), "second"}, std::chrono::hours(1)));
    same(second.kid, "second");
    check(second.phase == KeyPhase::next && second.signs_from == clock.now() + std::chrono::hours(1));
    clock.advance(std::chrono::hours(1));
    keys = must(box.keys("a"));
    check(find(keys, "second").phase == KeyPhase::active);
    check(find(keys, first).phase == KeyPhase::retired && find(keys, first).published_until.has_value());
    check(holds(must(box.jwks("a")), first.c_str()));

    // Revoked: published no more.
    must(box.retire_key("a", first, {}));
    check(find(must(box.keys("a")), first).phase == KeyPhase::gone);
    check(!holds(must(box.jwks("a")), first.c_str()));
    refused(box.retire_key("a", "second", {}), hookbox::Status::invalid_request);
    refused(box.rotate_key("a", {0, "no key", {}}), hookbox::Status::invalid_key);
    refused(box.rotate_key("a", {0, {}, "third"}), hookbox::Status::invalid_request);
    refused(box.rotate_key("a", {}, std::chrono::hours(-1)), hookbox::Status::invalid_argument);
}

void host_signs(hookbox::Box &box, Stage &stage) {
    hookbox::Box other = must(hookbox::Box::open_in_memory());
    must(other.create_app({"b"}));
    hookbox::Key theirs = must(other.keys("b")).front();

    auto signer = std::make_shared<TestSigner>();
    std::weak_ptr<TestSigner> watched = signer;
    hookbox::Key key = must(box.rotate_key_to_signer("a", theirs.public_jwk, signer));
    check(!key.has_private_part && key.kid == theirs.kid);
    std::size_t before = stage.transport->requests().size();
    must(box.emit("a", "user.created", "{}"));
    must(box.poll());
    same(stage.transport->requests().size(), before);
    signer->mood = TestSigner::Mood::throws;
    stage.clock->advance(std::chrono::minutes(2));
    must(box.poll());
#if defined(__cpp_exceptions)
    same(stage.transport->requests().size(), before);
#endif
    // Another takes its place, and the first one is let go.
    auto next = std::make_shared<TestSigner>();
    next->mood = TestSigner::Mood::signs;
    must(box.register_signer("a", key.kid, next));
    signer.reset();
    check(watched.expired());
    stage.clock->advance(std::chrono::minutes(2));
    must(box.poll());
    same(stage.transport->requests().size(), before + 1);
    refused(box.register_signer("not an id", key.kid, next), hookbox::Status::app_not_found);
    refused(box.register_signer("a", key.kid, nullptr), hookbox::Status::invalid_argument);
    refused(box.rotate_key_to_signer("a", "no key", next), hookbox::Status::invalid_key);
}

void sealing() {
    hookbox::SealKey old = {1};
    hookbox::SealKey current = {2};
    std::string path = fresh_path("sealed.db");
    must(must(hookbox::Box::open(path, hookbox::Options().key_encryption_key(old))).create_app({"a"}));
    {
        hookbox::Box box = must(hookbox::Box::open(path, hookbox::Options().key_encryption_key(current, {old})));
        check(must(box.reseal_keys()) > 0);
        same(must(box.reseal_keys()), 0u);
    }
    hookbox::Box wrong = must(hookbox::Box::open(path, hookbox::Options().key_encryption_key(old)));
    refused(wrong.reseal_keys(), hookbox::Status::seal_broken);
    hookbox::Options back;
    back.key_encryption_key({}, {current}).key_rotation(std::chrono::hours(2), std::chrono::hours(48));
    check(must(must(hookbox::Box::open(path, back)).reseal_keys()) > 0);
}

} // namespace

void keys() {
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    active_webhook(box);
    rotation(box, *stage.clock);
    host_signs(box, stage);
    sealing();
}
