// Register, activate, emit, deliver, verify: the whole way of an event, inside one program. It takes the name of a
// new file, or uses memory. Build it with:
//
//     g++ -std=c++17 outbox.cpp $(pkg-config --cflags --libs hookbox) -pthread -o outbox

#include "receiver.hpp"

#include <iostream>
#include <stdexcept>

namespace {

// What a receiver does with a delivery.
void receive(const Delivered &delivered, const hookbox::Verifier &verifier) {
    for (const hookbox::ReceivedEvent &event : verifier.verify(delivered.headers, delivered.body).value()) {
        std::cout << "verified  " << event.id << " " << event.event_type << " " << event.payload << "\n";
    }
}

void run(const char *path) {
    Receiver receiver("a token that only we two know");

    // A program in production leaves these options out: https, and public addresses only.
    hookbox::Options options;
    options.allow_http().allow_network("127.0.0.0/8");
    options.on_notice([](const hookbox::Notice &notice) { std::cerr << notice.json << "\n"; });
    hookbox::Box box = (path ? hookbox::Box::open(path, options) : hookbox::Box::open_in_memory(options)).value();

    hookbox::App app = box.create_app({"54e9ujn"}).value();
    hookbox::WebhookConfig config;
    config.url = receiver.url();
    config.verification_token = "a token that only we two know";
    config.events = hookbox::Events::only({"user.created"});
    hookbox::Webhook webhook = box.create_webhook(app.id, config).value();
    std::cout << "created   " << webhook.id << " for " << webhook.url << "\n";

    webhook = box.activate_webhook(app.id, webhook.id).value();
    std::cout << "activated " << webhook.id << ": the endpoint answered the challenge\n";

    box.start().value();
    std::string event = box.emit(app.id, "user.created", R"({"user_id": 42})").value();
    std::cout << "emitted   " << event << "\n";

    // The receiver gets the public keys from where the sender publishes them.
    hookbox::Verifier verifier = hookbox::Verifier::prelude(box.jwks(app.id).value()).value();
    std::optional<Delivered> delivered = receiver.next();
    if (!delivered) {
        throw std::runtime_error("nothing was delivered");
    }
    receive(*delivered, verifier);

    // What can be told apart, is told apart without exceptions as well.
    hookbox::Result<std::string> refused = box.emit(app.id, "user.exploded", "{}");
    if (!refused && refused.error().status == hookbox::Status::invalid_webhook_event) {
        std::cout << "refused   " << refused.error().code << "\n";
    }

    // What a server of the program's own does with a request to the management API.
    hookbox::NewApiKey wanted;
    wanted.name = "the customer's panel";
    wanted.app = app.id;
    wanted.read_only = true;
    hookbox::NewlyMadeApiKey made = box.create_api_key(wanted).value();
    hookbox::ApiRequest request;
    request.method = "GET";
    request.target = "/v2/session/apps/54e9ujn/webhooks";
    request.headers = {{"Authorization", "Bearer " + made.secret}};
    hookbox::ApiResponse response = box.handle(hookbox::Dialect::prelude, request).value();
    std::cout << "served    " << response.http_status << " " << response.body << "\n";

    box.stop(std::chrono::seconds(5)).value();
    for (const std::string &sentence : box.explain_event(event).value().sentences) {
        std::cout << "explained " << sentence << "\n";
    }
    box.close().value();
}

} // namespace

int main(int count, char **arguments) {
    try {
        run(count > 1 ? arguments[1] : nullptr);
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << "\n";
        return 1;
    }
    return 0;
}
