// An HTTP endpoint on threads of its own, on 127.0.0.1: it answers challenges with the library's own helper,
// and keeps what is delivered.
#ifndef RECEIVER_H
#define RECEIVER_H

#include "harness.h"

typedef struct receiver receiver;

#define RECEIVED_HEADERS_MAX 64

// A delivery as it came. Part of the receiver.
typedef struct received_request {
    char *text; // The whole request; the views below point into it.
    hookbox_pair headers[RECEIVED_HEADERS_MAX];
    size_t header_count;
    hookbox_str body;
} received_request;

receiver *receiver_start(void);

// Ends it, and frees all it received.
void receiver_stop(receiver *it);

const char *receiver_url(const receiver *it);

// The status of all answers to deliveries from now on; 200 at first.
void receiver_answer(receiver *it, int status);

// Answers to deliveries wait while this is on.
void receiver_hold(receiver *it, bool on);

// Waits until this many deliveries have come, for at most a minute; returns how many have.
size_t receiver_wait(receiver *it, size_t count);

// A delivery, counted from 0. Valid until the receiver stops.
const received_request *receiver_request(receiver *it, size_t index);

// The value of a delivery's header; empty when it has none. Names in lower case.
hookbox_str received_header(const received_request *request, const char *name);

#endif
