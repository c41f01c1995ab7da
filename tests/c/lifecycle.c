// Open, app, webhook, activate, start, emit; delivered to a real HTTP server; verified; stop, close.
#include "scenarios.h"
#include "receiver.h"

void lifecycle_in(hookbox_box *box) {
    hookbox_error *error = NULL;
    receiver *endpoint = receiver_start();
    create_app(box, "");
    active_webhook(box, receiver_url(endpoint));

    OK(hookbox_box_start(box, &error));
    OK(hookbox_box_start(box, &error)); // Twice changes nothing.
    hookbox_id id;
    OK(hookbox_emit(box, APP, TYPE, S("{\"user_id\": 1.50}"), &id, &error));
    CHECK(strncmp(id.text, "evt_", 4) == 0);
    CHECK(receiver_wait(endpoint, 1) == 1);

    hookbox_texts *jwks = NULL;
    OK(hookbox_jwks(box, APP, &jwks, &error));
    hookbox_verifier *verifier = NULL;
    OK(hookbox_verifier_new(HOOKBOX_VERIFY_PRELUDE, jwks->items, 1, NULL, &verifier, &error));
    const received_request *request = receiver_request(endpoint, 0);
    hookbox_received *received = NULL;
    OK(hookbox_verify(verifier, request->headers, request->header_count, request->body, 0, &received, &error));
    CHECK(received->count == 1);
    CHECK(same(received->items[0]->id, id.text));
    CHECK(same(received->items[0]->event_type, "user.created"));
    CHECK(same(received->items[0]->payload, "{\"user_id\": 1.50}"));
    CHECK(received->items[0]->created_at.len > 0);
    hookbox_received_free(received);
    hookbox_verifier_free(verifier);
    hookbox_texts_free(jwks);

    bool idle = false;
    OK(hookbox_box_wait_idle(box, 30000, &idle, &error));
    CHECK(idle);
    OK(hookbox_box_stop(box, 5000, &error));
    close_box(box);
    receiver_stop(endpoint);
}

void lifecycle(void) {
    hookbox_error *error = NULL;
    hookbox_options *options = test_options();
    hookbox_box *box = NULL;
    OK(hookbox_open(hookbox_cstr(fresh_path("box.db")), options, &box, &error));
    lifecycle_in(box);
    OK(hookbox_open_in_memory(options, &box, &error));
    hookbox_options_free(options); // Not needed once it is open.
    lifecycle_in(box);
}
