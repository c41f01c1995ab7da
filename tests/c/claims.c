// Claiming and settling with the program's own HTTP client; a lease that is lost.
#include "scenarios.h"
#include "world.h"

static hookbox_delivery_list *claim(hookbox_box *box, size_t expected) {
    hookbox_error *error = NULL;
    hookbox_delivery_list *list = NULL;
    OK(hookbox_claim(box, 10, &list, &error));
    CHECK(list->count == expected);
    return list;
}

void claims(void) {
    hookbox_error *error = NULL;
    world w;
    world_start(&w);
    hookbox_options *options = world_options(&w);
    hookbox_box *box = box_with_app(options, "standard_webhooks");
    hookbox_options_free(options);
    active_webhook(box, "http://127.0.0.1:9999/hooks?a=b");
    hookbox_delivery_list_free(claim(box, 0)); // Nothing is due.
    OK(hookbox_emit(box, APP, TYPE, S("{\"n\":1}"), NULL, &error));

    hookbox_delivery_list *list = claim(box, 1);
    const hookbox_delivery *delivery = list->items[0];
    CHECK(same(delivery->request.method, "POST") && delivery->request.timeout_ms > 0);
    CHECK(same(delivery->request.url, "http://127.0.0.1:9999/hooks?a=b"));
    CHECK(contains(delivery->request.body, "{\"n\":1}") && delivery->lease_until_ms > START_MS);
    hookbox_outcome outcome = HOOKBOX_OUTCOME_INIT;
    outcome.http_status = 99;
    FAILS(hookbox_settle(box, delivery, &outcome, &error), HOOKBOX_INVALID_REQUEST);
    outcome.kind = -1;
    FAILS(hookbox_settle(box, delivery, &outcome, &error), HOOKBOX_INVALID_ARGUMENT);
    FAILS(hookbox_settle(box, NULL, &outcome, &error), HOOKBOX_INVALID_ARGUMENT);

    // 503 with Retry-After: not before ten minutes.
    hookbox_pair header = {S("Retry-After"), S("600")};
    outcome.kind = HOOKBOX_ANSWERED;
    outcome.http_status = 503;
    outcome.headers = &header;
    outcome.header_count = 1;
    outcome.body = S("later");
    OK(hookbox_settle(box, delivery, &outcome, &error));
    FAILS(hookbox_settle(box, delivery, &outcome, &error), HOOKBOX_LEASE_LOST);
    hookbox_batch *batch = NULL;
    OK(hookbox_batch_get(box, delivery->batch_id, &batch, &error));
    CHECK(batch->status == HOOKBOX_BATCH_WAITING && batch->due_at_ms >= START_MS + 600000);
    int64_t due = batch->due_at_ms;
    hookbox_batch_free(batch);
    hookbox_delivery_list_free(list);
    hookbox_delivery_list_free(claim(box, 0));

    // A lease that ends: the batch goes to the next one, and the late result is refused.
    world_set(&w, due, 200);
    hookbox_delivery_list *late = claim(box, 1);
    world_set(&w, late->items[0]->lease_until_ms + 1, 200);
    list = claim(box, 1);
    memset(&outcome, 0, sizeof outcome);
    outcome.struct_size = sizeof outcome;
    outcome.http_status = 200;
    FAILS(hookbox_settle(box, late->items[0], &outcome, &error), HOOKBOX_LEASE_LOST);
    OK(hookbox_settle(box, list->items[0], &outcome, &error));
    OK(hookbox_batch_get(box, list->items[0]->batch_id, &batch, &error));
    CHECK(batch->status == HOOKBOX_BATCH_DELIVERED && batch->attempts == 3);
    hookbox_batch_free(batch);
    hookbox_delivery_list_free(late);
    hookbox_delivery_list_free(list);
    FAILS(hookbox_claim(box, 0, &list, &error), HOOKBOX_INVALID_REQUEST);
    FAILS(hookbox_claim(box, 1001, &list, &error), HOOKBOX_INVALID_REQUEST);
    close_box(box);
    world_end(&w);
}
