// A clock that is set by hand, and a transport without sockets: two weeks of retries in a second.
#ifndef WORLD_H
#define WORLD_H

#include "harness.h"

#include <pthread.h>

typedef struct world {
    pthread_mutex_t lock;
    int64_t now_ms;
    int http_status;   // What deliveries are answered with; 0: nothing is answered (a time-out).
    size_t deliveries; // How many were sent.
    size_t clock_ends; // How often each destroy ran.
    size_t transport_ends;
    size_t shutdowns;
} world;

void world_start(world *it);
void world_end(world *it);

// Options with this clock and this transport. Free them with hookbox_options_free().
hookbox_options *world_options(world *it);

void world_set(world *it, int64_t now_ms, int http_status);

// Polls the box with the world's clock; returns how many requests were made.
size_t world_poll(hookbox_box *box, int64_t *out_next_due_ms);

#endif
