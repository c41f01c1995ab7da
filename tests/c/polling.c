// Delivering on the program's own thread, with its own clock and transport: two weeks of retries at once.
#include "scenarios.h"
#include "world.h"

void polling(void) {
    hookbox_error *error = NULL;
    world w;
    world_start(&w);
    hookbox_options *options = world_options(&w);
    hookbox_box *box = box_with_app(options, "");
    hookbox_options_free(options);
    active_webhook(box, "http://127.0.0.1:9999/hooks");
    OK(hookbox_emit(box, APP, TYPE, S("{\"n\":1}"), NULL, &error));

    size_t attempts = 0;
    int64_t next = START_MS;
    world_set(&w, START_MS, 500);
    while (next > 0 && attempts < 100) {
        world_set(&w, next, 500);
        attempts += world_poll(box, &next);
    }
    // 1, 2, 4 … 512 minutes, then every 12 hours, until two weeks are over; each up to a tenth later.
    CHECK(attempts >= 30 && attempts <= 40 && attempts == w.deliveries);
    CHECK(w.now_ms > START_MS + INT64_C(13) * 86400000 && w.now_ms < START_MS + INT64_C(15) * 86400000);
    hookbox_batch_page *page = NULL;
    OK(hookbox_batch_list(box, APP, S(""), HOOKBOX_BATCH_ANY, S(""), 0, &page, &error));
    CHECK(page->count == 1);
    const hookbox_batch *batch = page->items[0];
    CHECK(batch->attempts == attempts && batch->ended_at_ms > 0);
    CHECK(batch->status == HOOKBOX_BATCH_EXHAUSTED || batch->status == HOOKBOX_BATCH_PARKED);

    // And by hand: with another time than the box's own clock, and without the numbers.
    hookbox_batch_page_free(page);
    OK(hookbox_box_poll(box, w.now_ms + 1, NULL, NULL, &error));
    OK(hookbox_box_wake(box, &error));
    OK(hookbox_box_interrupt(box, &error));
    bool idle = true;
    OK(hookbox_box_wait_idle(box, 0, &idle, &error)); // No thread of ours runs.
    CHECK(!idle);
    close_box(box);
    CHECK(w.clock_ends == 1 && w.transport_ends == 1);

    // A table that is refused is let go as well; one that cannot be read is not.
    options = test_options();
    hookbox_clock clock = HOOKBOX_CLOCK_INIT;
    clock.context = &w;
    FAILS(hookbox_options_set_clock(options, &clock, &error), HOOKBOX_INVALID_ARGUMENT);
    clock.struct_size = 3;
    FAILS(hookbox_options_set_clock(options, &clock, &error), HOOKBOX_INVALID_ARGUMENT);
    hookbox_options_free(options);
    world_end(&w);
}
