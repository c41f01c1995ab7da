// Goal: what the box sends verifies under all three schemes, what OpenSSL signed too, and nothing else. Method: a
// delivery of each profile, whole, tampered with, and against another key; tests/vectors.

#include "scenarios.hpp"

namespace {

using hookbox::Status;

std::string base64(const std::string &bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t three = 0;
        for (std::size_t byte = 0; byte < 3; ++byte) {
            three = three << 8 | (at + byte < bytes.size() ? static_cast<std::uint8_t>(bytes[at + byte]) : 0u);
        }
        for (std::size_t digit = 0; digit < 4; ++digit) {
            text += at + digit <= bytes.size() ? digits[three >> (18 - 6 * digit) & 63] : '=';
        }
    }
    return text;
}

// Delivers one event under a profile; gives the request, and what to verify it with.
struct Sent {
    hookbox::Request request;
    std::string jwks;
    std::vector<std::string> secrets;
    std::string event;
    hookbox::Time at;
};

Sent send(const std::string &profile) {
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    std::string webhook = active_webhook(box, profile);
    std::string event = must(box.emit("a", "user.created", R"({"n": 1})"));
    must(box.poll());
    hookbox::Request request = stage.transport->requests().back();
    return {request, must(box.jwks("a")), must(box.signing_secrets("a", webhook)), event, stage.clock->now()};
}

void genuine_only(const hookbox::Verifier &verifier, const hookbox::Verifier &other, Status with_other,
                  const Sent &sent) {
    std::vector<hookbox::ReceivedEvent> events =
        must(verifier.verify(sent.request.headers, sent.request.body, sent.at));
    same(events.size(), 1u);
    check(holds(events[0].payload, R"({"n": 1})"));
    refused(verifier.verify(sent.request.headers, sent.request.body + " ", sent.at), Status::not_authentic);
    refused(verifier.verify({}, sent.request.body, sent.at), Status::not_authentic);
    refused(other.verify(sent.request.headers, sent.request.body, sent.at), with_other);
}

void openssl() {
    hookbox::Box box = must(hookbox::Box::open_in_memory());
    hookbox::NewApp app = {"a"};
    app.key_pem = vector_file("rsa2048_pkcs8_test_only.pem");
    app.key_id = "openssl";
    must(box.create_app(app));
    std::string jwks = must(box.jwks("a"));
    std::string body = vector_file("body.json");
    auto headers = [](const char *file) {
        return std::vector<hookbox::Header>{{"X-Webhook-Signature-Key-Id", "openssl"},
                                            {"X-Webhook-Signature", "rsassa-pss-sha256=" + base64(vector_file(file))}};
    };
    hookbox::Verifier strict = must(hookbox::Verifier::prelude(jwks));
    must(strict.verify(headers("openssl_salt32.sig"), body));
    refused(strict.verify(headers("openssl_saltmax.sig"), body), Status::not_authentic);
    hookbox::VerifyOptions any_salt;
    any_salt.any_salt = true;
    must(must(hookbox::Verifier::prelude(jwks, any_salt)).verify(headers("openssl_saltmax.sig"), body));
    hookbox::VerifyOptions small;
    small.body_bytes_max = 10;
    refused(must(hookbox::Verifier::prelude(jwks, small)).verify(headers("openssl_salt32.sig"), body),
            Status::not_authentic);
}

void prelude() {
    Sent sent = send("prelude");
    genuine_only(must(hookbox::Verifier::prelude(sent.jwks)), must(hookbox::Verifier::prelude(send("prelude").jwks)),
                 Status::unknown_key, sent);
    same(sent.secrets.size(), 0u);
    hookbox::VerifyOptions guarded;
    guarded.replay_protection = true;
    hookbox::Verifier verifier = must(hookbox::Verifier::prelude(sent.jwks, guarded));
    refused(verifier.verify(sent.request.headers, sent.request.body, sent.at), Status::not_authentic);
}

void fingerprint() {
    Sent sent = send("fingerprint");
    same(sent.secrets.size(), 1u);
    genuine_only(must(hookbox::Verifier::fingerprint(sent.secrets)),
                 must(hookbox::Verifier::fingerprint(send("fingerprint").secrets)), Status::not_authentic, sent);
}

void standard_webhooks() {
    Sent sent = send("standard_webhooks");
    hookbox::Verifier verifier = must(hookbox::Verifier::standard(sent.secrets));
    genuine_only(verifier, must(hookbox::Verifier::standard(send("standard_webhooks").secrets)), Status::not_authentic,
                 sent);
    same(must(verifier.verify(sent.request.headers, sent.request.body, sent.at)).at(0).id, sent.event);
    // Its time is signed: what is old is refused, unless it may be.
    hookbox::Time later = sent.at + std::chrono::hours(1);
    refused(verifier.verify(sent.request.headers, sent.request.body, later), Status::not_authentic);
    hookbox::VerifyOptions patient;
    patient.tolerance = std::chrono::hours(2);
    must(must(hookbox::Verifier::standard(sent.secrets, patient))
             .verify(sent.request.headers, sent.request.body, later));
}

void rolled_secrets() {
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    std::string webhook = active_webhook(box, "standard_webhooks");
    std::string before = must(box.signing_secrets("a", webhook)).at(0);
    std::string after = must(box.roll_signing_secret("a", webhook, {}, true));
    check(after != before && must(box.signing_secrets("a", webhook)).size() == 2);
    must(box.emit("a", "user.created", "{}"));
    must(box.poll());
    hookbox::Request request = stage.transport->requests().back();
    for (const std::string &secret : {before, after}) {
        must(must(hookbox::Verifier::standard({secret})).verify(request.headers, request.body, stage.clock->now()));
    }
    refused(box.roll_signing_secret("a", webhook, "nothing"), Status::invalid_key);
}

} // namespace

void verify() {
    openssl();
    prelude();
    fingerprint();
    standard_webhooks();
    rolled_secrets();
    refused(hookbox::Verifier::prelude("no set"), Status::invalid_key);
    refused(hookbox::Verifier::standard({"no secret"}), Status::invalid_key);
    hookbox::VerifyOptions backwards;
    backwards.tolerance = std::chrono::milliseconds(-1);
    refused(hookbox::Verifier::fingerprint({"whsec_AAAA"}, backwards), Status::invalid_argument);
    same(must(hookbox::answer_challenge("event=activate&verification_token=token&challenge=7&app_id=a", "token"))
             .http_status,
         200);
    refused(hookbox::answer_challenge("event=activate&verification_token=wrong&challenge=7", "token"),
            Status::not_authentic);
}
