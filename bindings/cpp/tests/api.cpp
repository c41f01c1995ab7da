// Goal: any server can mount the management API. Method: a server of the test's own, over loopback; and straight calls
// for what no server does.

#include "scenarios.hpp"
#include "server.hpp"

namespace {

using hookbox::ApiResponse;
using hookbox::Dialect;
using hookbox::Grant;
using hookbox::Status;

const std::string hooks = "/v2/session/apps/a/webhooks";
const std::string json_type = "application/json";

std::string webhook_json(const char *url) {
    return std::string(R"({"url": ")") + url + R"(", "verification_token": "token", "events": ["user.created"]})";
}

// The value of a string member of a JSON text.
std::string member(const std::string &json, const std::string &name) {
    std::size_t at = json.find("\"" + name + "\":\"");
    if (at == std::string::npos) {
        fail("no " + name + " in " + json, __FILE__, __LINE__);
    }
    at += name.size() + 4;
    return json.substr(at, json.find('"', at) - at);
}

void with_keys(hookbox::Box &box) {
    Server server([&box](const hookbox::ApiRequest &request) { return must(box.handle(Dialect::prelude, request)); });
    hookbox::NewApiKey wanted;
    wanted.app = "a";
    std::vector<hookbox::Header> key = {{"Authorization", "Bearer " + must(box.create_api_key(wanted)).secret},
                                        {"Content-Type", json_type}};
    wanted.app = "b";
    std::vector<hookbox::Header> other = {{"Authorization", "Bearer " + must(box.create_api_key(wanted)).secret}};

    ApiResponse answer = server.ask("GET", hooks);
    same(answer.http_status, 401);
    same(member(answer.body, "code"), "unauthorized");
    same(header(answer.headers, "www-authenticate"), "Bearer");
    same(server.ask("GET", hooks, {{"Authorization", "Bearer hbk_nonsense"}}).http_status, 401);

    answer = server.ask("POST", hooks, key, webhook_json("https://example.com/hooks"));
    same(answer.http_status, 201);
    same(header(answer.headers, "content-type").substr(0, json_type.size()), json_type);
    std::string id = member(answer.body, "id");
    same(must(box.webhook("a", id)).url, "https://example.com/hooks");
    answer = server.ask("GET", hooks + "/" + id, key);
    same(answer.http_status, 200);
    same(member(answer.body, "id"), id);
    answer = server.ask("GET", hooks + "?limit=1", key);
    check(answer.http_status == 200 && holds(answer.body, id.c_str()));
    answer = server.ask("POST", hooks, key, webhook_json("ftp://example.com"));
    same(answer.http_status, 400);
    same(member(answer.body, "code"), "webhook_invalid_url");

    // Through the API as by a call: the endpoint is asked, the event is stored.
    same(server.ask("POST", hooks + "/" + id + "/activate", key).http_status, 200);
    check(must(box.webhook("a", id)).active);
    answer = server.ask("POST", "/hookbox/v1/apps/a/events", key, R"({"type": "user.created", "payload": {"n":  1}})");
    same(answer.http_status, 201);
    hookbox::Event event = must(box.events("a")).items.at(0);
    check(holds(answer.body, event.id.c_str()));
    same(event.payload, R"({"n":  1})");

    answer = server.ask("HEAD", hooks, key);
    check(answer.http_status == 200 && answer.body.empty());
    answer = server.ask("OPTIONS", hooks);
    check(answer.http_status == 204 && holds(header(answer.headers, "allow"), "POST"));
    answer = server.ask("PUT", hooks, key);
    same(answer.http_status, 405);
    check(holds(header(answer.headers, "allow"), "POST") && holds(header(answer.headers, "allow"), "GET"));
    same(server.ask("POST", hooks, key, std::string(64 * 1024 + 1, ' ')).http_status, 413);
    same(server.ask("GET", "/nowhere", key).http_status, 404);
    answer = server.ask("GET", hooks, {key[0], {"X-Request-Id", "mine"}});
    same(header(answer.headers, "x-request-id"), "mine");

    // Another app's key does not see this one; everybody sees the key set.
    answer = server.ask("GET", hooks, other);
    same(answer.http_status, 404);
    same(server.ask("GET", "/v2/session/apps/nobody/webhooks", other).body, answer.body);
    answer = server.ask("GET", "/v2/session/apps/a/jwks.json");
    same(answer.http_status, 200);
    same(answer.body, must(box.jwks("a")));
}

// The program knows who asks, and says so.
void with_a_grant(hookbox::Box &box) {
    Grant grant = Grant::app("a");
    Server server(
        [&](const hookbox::ApiRequest &request) { return must(box.handle(Dialect::prelude, request, grant)); });
    same(server.ask("GET", hooks).http_status, 200);
    same(server.ask("GET", "/v2/session/apps/b/webhooks").http_status, 404);
    same(server.ask("POST", "/hookbox/v1/apps/a/disable").http_status, 403);
    grant = Grant::app("a").read_only();
    same(server.ask("GET", hooks).http_status, 200);
    same(server.ask("POST", hooks, {{"Content-Type", json_type}}, webhook_json("https://b.example")).http_status, 403);
    grant = Grant::every_app();
    same(server.ask("GET", "/v2/session/apps/b/webhooks").http_status, 200);
    same(server.ask("GET", "/hookbox/v1/stats").http_status, 200);
    grant = Grant::every_app().read_only();
    same(server.ask("POST", "/hookbox/v1/apps/b/disable").http_status, 403);
    grant = Grant::every_app();
    same(server.ask("POST", "/hookbox/v1/apps/b/disable").http_status, 200);
    check(!must(box.app("b")).enabled);
}

void straight(hookbox::Box &box) {
    hookbox::ApiRequest request;
    request.method = "GET";
    request.target = "/webhooks";
    request.headers = {{"X-API-Version", "2025-11-20"}};
    must(box.create_app({"f", "fingerprint"}));
    ApiResponse answer = must(box.handle(Dialect::fingerprint, request, Grant::app("f")));
    check(answer.http_status == 200 && holds(answer.body, "\"pagination\""));
    same(must(box.handle(Dialect::fingerprint, request, Grant::every_app())).http_status, 403);
    same(must(box.handle(Dialect::prelude, request, Grant::every_app())).http_status, 404);

    refused(box.handle(Dialect::prelude, request, Grant::app("")), Status::invalid_argument);
    refused(box.handle(Dialect::prelude, request, Grant::app("not an id")), Status::app_not_found);
    refused(box.handle(static_cast<Dialect>(9), request), Status::invalid_argument);
    request.target = "/\xff";
    refused(box.handle(Dialect::prelude, request), Status::invalid_utf8);
    request.target = "/hookbox/v1/apps";
    request.headers.push_back({"X-Bytes", "\xff"});
    request.body = std::string("\xff\0", 2);
    same(must(box.handle(Dialect::prelude, request, Grant::every_app())).http_status, 200);
    must(box.close());
    refused(box.handle(Dialect::prelude, request), Status::closed);
    refused(box.create_api_key({}), Status::closed);
    refused(box.api_keys(), Status::closed);
    refused(box.interrupt(), Status::closed);
}

} // namespace

void api() {
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    must(box.create_app({"a"}));
    must(box.create_app({"b"}));
    must(box.add_event_types({"user.created"}));
    with_keys(box);
    with_a_grant(box);
    straight(box);
}
