// Goal: API keys are made, used, listed, limited to looking, revoked. Method: requests straight to the box.

#include "scenarios.hpp"

namespace {

using hookbox::Dialect;
using hookbox::Status;

std::uint16_t status(hookbox::Box &box, const char *method, const char *target, const std::string &secret) {
    hookbox::ApiRequest request;
    request.method = method;
    request.target = target;
    request.headers = {{"authorization", "Bearer " + secret}};
    return must(box.handle(Dialect::prelude, request)).http_status;
}

} // namespace

void api_keys() {
    Stage stage;
    hookbox::Box box = must(hookbox::Box::open_in_memory(stage.options));
    must(box.create_app({"a"}));
    hookbox::Time now = stage.clock->now();

    hookbox::NewApiKey wanted;
    wanted.name = "the panel";
    wanted.app = "a";
    wanted.read_only = true;
    wanted.expires_at = now + std::chrono::hours(24);
    wanted.requests_per_second = 7;
    hookbox::NewlyMadeApiKey panel = must(box.create_api_key(wanted));
    same(panel.key.name, "the panel");
    same(panel.key.app_id, "a");
    check(panel.key.read_only && panel.key.requests_per_second == 7 && panel.key.created_at == now);
    check(panel.key.expires_at == wanted.expires_at && !panel.key.revoked_at && !panel.key.last_used_at);
    check(panel.key.id.find("hbk_") == 0 && panel.secret.find(panel.key.id) == 0);
    check(panel.secret.size() > panel.key.id.size() + 20);
    hookbox::NewlyMadeApiKey all = must(box.create_api_key({}));
    check(all.key.app_id.empty() && !all.key.read_only && all.key.requests_per_second == 50);
    check(!all.key.expires_at);

    // What each may do.
    same(status(box, "GET", "/hookbox/v1/apps/a", panel.secret), 200);
    same(status(box, "POST", "/hookbox/v1/apps/a/disable", panel.secret), 403);
    check(must(box.app("a")).enabled);
    same(status(box, "GET", "/hookbox/v1/stats", all.secret), 200);
    same(status(box, "POST", "/hookbox/v1/apps/a/disable", all.secret), 200);
    check(!must(box.app("a")).enabled);
    same(status(box, "GET", "/hookbox/v1/apps/a", panel.key.id), 401);

    // The oldest first, page by page.
    hookbox::ApiKeyQuery query;
    query.limit = 1;
    hookbox::Page<hookbox::ApiKey> page = must(box.api_keys(query));
    same(page.items.size(), 1u);
    std::string first = page.items[0].id;
    check(!page.next_cursor.empty());
    query.cursor = page.next_cursor;
    page = must(box.api_keys(query));
    same(page.items.size(), 1u);
    check(page.items[0].id != first && page.next_cursor.empty());
    query = {};
    query.app = "a";
    page = must(box.api_keys(query));
    same(page.items.size(), 1u);
    same(page.items[0].id, panel.key.id);
    check(page.items[0].last_used_at == now);

    // Too many at once; later again; expired.
    std::uint16_t last = 200;
    for (int request = 0; request < 20 && last == 200; ++request) {
        last = status(box, "GET", "/hookbox/v1/apps/a", panel.secret);
    }
    same(last, 429);
    stage.clock->advance(std::chrono::hours(1));
    same(status(box, "GET", "/hookbox/v1/apps/a", panel.secret), 200);
    stage.clock->set(*wanted.expires_at);
    same(status(box, "GET", "/hookbox/v1/apps/a", panel.secret), 401);

    must(box.revoke_api_key(all.key.id));
    must(box.revoke_api_key(all.key.id));
    same(status(box, "GET", "/hookbox/v1/stats", all.secret), 401);
    std::size_t revoked = 0;
    for (const hookbox::ApiKey &key : must(box.api_keys()).items) {
        check(key.revoked_at.has_value() == (key.id == all.key.id));
        revoked += key.revoked_at == stage.clock->now() ? 1 : 0;
    }
    same(revoked, 1u);

    hookbox::Error unknown = refused(box.revoke_api_key("hbk_01h455vb4pex5vsknk084sn02q"), Status::api_key_not_found);
    same(unknown.http_status, 404);
    wanted.expires_at = {};
    wanted.app = "nobody";
    refused(box.create_api_key(wanted), Status::app_not_found);
    wanted.app = "a";
    wanted.requests_per_second = 10'001;
    refused(box.create_api_key(wanted), Status::invalid_request);
    wanted.requests_per_second = 0;
    wanted.expires_at = hookbox::Time();
    refused(box.create_api_key(wanted), Status::invalid_argument);
}
