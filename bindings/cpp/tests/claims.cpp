// Goal: a host sends with its own HTTP client. Method: claim, POST to a receiver by hand, settle; then too late.

#include "../../../examples/cpp/receiver.hpp"
#include "scenarios.hpp"

namespace {

// The host's own HTTP client: POSTs, and gives the status.
hookbox::Outcome post(const hookbox::Request &request) {
    std::size_t port_at = request.url.find(':', 7) + 1;
    int connection = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(request.url.c_str() + port_at, nullptr, 10)));
    check(::connect(connection, reinterpret_cast<sockaddr *>(&address), sizeof address) == 0);
    std::string text = request.method +
                       " /hooks HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(request.body.size()) +
                       "\r\n";
    for (const hookbox::Header &header : request.headers) {
        text += header.name + ": " + header.value + "\r\n";
    }
    text += "\r\n" + request.body;
    check(::send(connection, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
    char answer[64] = {};
    check(::recv(connection, answer, sizeof answer - 1, 0) > 12);
    ::close(connection);
    return hookbox::Outcome::answered(static_cast<std::uint16_t>(std::strtoul(answer + 9, nullptr, 10)));
}

} // namespace

void claims() {
    Receiver receiver("token");
    Stage stage;
    stage.options.allow_http().allow_network("127.0.0.0/8");
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    must(box.create_app({"a"}));
    hookbox::Webhook webhook = must(box.create_webhook("a", config(receiver.url())));
    must(box.activate_webhook("a", webhook.id));
    same(must(box.claim(10)).size(), 0u);
    std::string event = must(box.emit("a", "user.created", R"({"n": 1})"));

    std::vector<hookbox::Delivery> claimed = must(box.claim(10));
    same(claimed.size(), 1u);
    check(claimed[0].lease_until() > stage.clock->now());
    hookbox::Outcome outcome = post(claimed[0].request());
    same(outcome.http_status, 200);
    must(box.settle(claimed[0], outcome));
    hookbox::Batch batch = must(box.batch(claimed[0].batch_id()));
    check(batch.status == hookbox::BatchStatus::delivered);
    std::optional<Delivered> delivered = receiver.next();
    check(delivered.has_value());
    hookbox::Verifier verifier = must(hookbox::Verifier::prelude(must(box.jwks("a"))));
    std::vector<hookbox::ReceivedEvent> received =
        must(verifier.verify(delivered->headers, delivered->body, stage.clock->now()));
    same(received.at(0).id, event);
    refused(box.settle(claimed[0], outcome), hookbox::Status::lease_lost);

    // Failed, and Retry-After is read.
    must(box.emit("a", "user.created", "2"));
    claimed = must(box.claim(10));
    must(box.settle(claimed.at(0), hookbox::Outcome::answered(503, {{"retry-after", "7200"}})));
    check(must(box.backlog("a", webhook.id)).paused_until >= stage.clock->now() + std::chrono::hours(2));
    stage.clock->advance(std::chrono::hours(3));
    claimed = must(box.claim(10));
    must(box.settle(claimed.at(0), hookbox::Outcome::failed(hookbox::OutcomeKind::connect, "no route")));
    hookbox::AttemptQuery query;
    query.batch = claimed.at(0).batch_id();
    same(must(box.attempts("a", query)).items.at(0).failure, "connect");

    // Too late: it is somebody else's by then.
    stage.clock->advance(std::chrono::hours(3));
    std::vector<hookbox::Delivery> late = must(box.claim(10));
    same(late.size(), 1u);
    stage.clock->advance(std::chrono::hours(1));
    std::vector<hookbox::Delivery> again = must(box.claim(10));
    same(again.size(), 1u);
    same(again[0].batch_id(), late[0].batch_id());
    hookbox::Error lost = refused(box.settle(late[0], hookbox::Outcome::answered(200)), hookbox::Status::lease_lost);
    same(lost.code, "lease_lost");
    refused(box.settle(again[0], hookbox::Outcome::answered(7)), hookbox::Status::invalid_request);
    must(box.settle(again[0], hookbox::Outcome::answered(200)));
    refused(box.claim(0), hookbox::Status::invalid_request);

    // A delivery outlives its list and its box.
    hookbox::Delivery kept = again[0];
    again.clear();
    must(box.close());
    box = must(hookbox::Box::open_in_memory());
    check(!kept.request().body.empty());
    refused(box.settle(kept, hookbox::Outcome::answered(200)), hookbox::Status::lease_lost);
}
