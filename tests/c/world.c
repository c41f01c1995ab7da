#include "world.h"

static int64_t now_ms(void *context) {
    world *it = context;
    pthread_mutex_lock(&it->lock);
    int64_t now = it->now_ms;
    pthread_mutex_unlock(&it->lock);
    return now;
}

static void end_clock(void *context) {
    ((world *)context)->clock_ends++;
}

static void end_transport(void *context) {
    ((world *)context)->transport_ends++;
}

static void break_off(void *context) {
    ((world *)context)->shutdowns++;
}

static void send_request(void *context, const hookbox_request *request, hookbox_reply *reply) {
    world *it = context;
    hookbox_error *error = NULL;
    hookbox_outcome outcome = HOOKBOX_OUTCOME_INIT;
    CHECK(request->timeout_ms > 0 && request->url.len > 0);
    if (same(request->method, "GET")) {
        const char *query = strchr(request->url.ptr, '?');
        CHECK(query != NULL);
        hookbox_challenge_answer *answer = NULL;
        OK(hookbox_answer_challenge(hookbox_cstr(query + 1), S("token"), &answer, &error));
        outcome.http_status = answer->http_status;
        outcome.body = answer->body;
        OK(hookbox_reply_set(reply, &outcome, &error));
        hookbox_challenge_answer_free(answer);
        return;
    }
    CHECK(same(request->method, "POST") && request->header_count > 0 && request->body.len > 0);
    pthread_mutex_lock(&it->lock);
    it->deliveries++;
    int status = it->http_status;
    pthread_mutex_unlock(&it->lock);
    outcome.kind = status == 0 ? HOOKBOX_FAILED_TIMEOUT : HOOKBOX_ANSWERED;
    outcome.http_status = (uint16_t)status;
    outcome.body = S("as told");
    OK(hookbox_reply_set(reply, &outcome, &error));
    // What means nothing is refused, and what was said before stays.
    outcome.kind = 4711;
    FAILS(hookbox_reply_set(reply, &outcome, &error), HOOKBOX_INVALID_ARGUMENT);
}

void world_start(world *it) {
    memset(it, 0, sizeof *it);
    pthread_mutex_init(&it->lock, NULL);
    it->now_ms = START_MS;
    it->http_status = 200;
}

void world_end(world *it) {
    pthread_mutex_destroy(&it->lock);
}

hookbox_options *world_options(world *it) {
    hookbox_error *error = NULL;
    hookbox_options *options = test_options();
    hookbox_clock clock = HOOKBOX_CLOCK_INIT;
    clock.context = it;
    clock.now_ms = now_ms;
    clock.destroy = end_clock;
    OK(hookbox_options_set_clock(options, &clock, &error));
    hookbox_transport transport = HOOKBOX_TRANSPORT_INIT;
    transport.context = it;
    transport.send = send_request;
    transport.shutdown = break_off;
    transport.destroy = end_transport;
    OK(hookbox_options_set_transport(options, &transport, &error));
    return options;
}

void world_set(world *it, int64_t now, int http_status) {
    pthread_mutex_lock(&it->lock);
    it->now_ms = now;
    it->http_status = http_status;
    pthread_mutex_unlock(&it->lock);
}

size_t world_poll(hookbox_box *box, int64_t *out_next_due_ms) {
    hookbox_error *error = NULL;
    size_t attempts = 0;
    OK(hookbox_box_poll(box, 0, &attempts, out_next_due_ms, &error));
    return attempts;
}
