// Emits events one by one, as BenchmarkEmit of the Go package does, and prints microseconds for each:
//     emit PATH COUNT        (PATH "" is a box in memory)
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hookbox.h"

static void check(hookbox_status status, hookbox_error *error)
{
    if (status != HOOKBOX_OK) {
        fprintf(stderr, "%s\n", error->message.ptr);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: emit PATH COUNT\n");
        return 2;
    }
    hookbox_box *box = NULL;
    hookbox_error *error = NULL;
    check(argv[1][0] != '\0' ? hookbox_open(hookbox_cstr(argv[1]), NULL, &box, &error)
                             : hookbox_open_in_memory(NULL, &box, &error),
          error);
    hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
    app.id = hookbox_cstr("54e9ujn");
    check(hookbox_app_create(box, &app, NULL, &error), error);

    long count = atol(argv[2]);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long i = 0; i < count; i++) {
        hookbox_id id;
        check(hookbox_emit(box, app.id, HOOKBOX_STR("user.created"), HOOKBOX_STR("{\"user_id\":\"usr_1\"}"), &id,
                           &error),
              error);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double us = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
    printf("%.2f\n", us / (double)count);
    check(hookbox_box_close(box, 0, &error), error);
    hookbox_box_free(box);
    return 0;
}
