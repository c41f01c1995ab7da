// Living inside somebody else's process: forks, signals, an exit in the middle of deliveries.
//
//     process fork [N]      N children that inherit an open box, and call everything
//     process signals [N]   N events delivered while a thousand signals a second come
//     process exit [N]      N processes that end by exit() while they deliver
#include "harness.h"
#include "receiver.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static hookbox_box *open_at(const char *path) {
    hookbox_error *error = NULL;
    hookbox_options *options = test_options();
    hookbox_box *box = NULL;
    OK(hookbox_open(hookbox_cstr(path), options, &box, &error));
    hookbox_options_free(options);
    return box;
}

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

// How many different events came, and how many in all. (Standard Webhooks: webhook-id is the event's.)
static size_t different(receiver *endpoint, size_t came) {
    char(*ids)[64] = calloc(came + 1, sizeof *ids);
    for (size_t i = 0; i < came; i++) {
        hookbox_str id = received_header(receiver_request(endpoint, i), "webhook-id");
        CHECK(id.len > 0 && id.len < sizeof *ids);
        memcpy(ids[i], id.ptr, id.len);
    }
    qsort(ids, came, sizeof *ids, by_text);
    size_t count = 0;
    for (size_t i = 0; i < came; i++) count += i == 0 || strcmp(ids[i - 1], ids[i]) != 0;
    free(ids);
    return count;
}

static void wait_idle(hookbox_box *box) {
    hookbox_error *error = NULL;
    bool idle = false;
    OK(hookbox_box_wait_idle(box, 60000, &idle, &error));
    CHECK(idle);
}

// ---- Forks ----

static bool forked(hookbox_status status) {
    return status == HOOKBOX_FORKED;
}

// In a child: nothing of the parent's box works, and nothing of it is touched.
static bool all_refused(hookbox_box *box, const hookbox_id *webhook) {
    hookbox_str id = hookbox_id_str(webhook);
    hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
    app.id = S("other");
    hookbox_webhook_config config = HOOKBOX_WEBHOOK_CONFIG_INIT;
    hookbox_new_event event = HOOKBOX_NEW_EVENT_INIT;
    void *out = NULL;
    size_t count;
    bool idle;
    hookbox_error *error = NULL;
    bool first = forked(hookbox_emit(box, APP, TYPE, S("1"), NULL, &error)) && error != NULL &&
                 error->status == HOOKBOX_FORKED;
    hookbox_error_free(error);
    return first && forked(hookbox_emit_many(box, APP, &event, 1, NULL, NULL)) &&
           forked(hookbox_app_create(box, &app, NULL, NULL)) &&
           forked(hookbox_app_list(box, S(""), 0, (hookbox_app_page **)&out, NULL)) &&
           forked(hookbox_app_delete(box, APP, NULL)) &&
           forked(hookbox_event_types_list(box, (hookbox_texts **)&out, NULL)) &&
           forked(hookbox_webhook_create(box, APP, &config, NULL, NULL)) &&
           forked(hookbox_webhook_get(box, APP, id, (hookbox_webhook **)&out, NULL)) &&
           forked(hookbox_webhook_activate(box, APP, id, NULL, NULL)) &&
           forked(hookbox_webhook_replay(box, APP, id, 0, NULL, NULL)) &&
           forked(hookbox_event_list(box, APP, S(""), S(""), 0, (hookbox_event_page **)&out, NULL)) &&
           forked(hookbox_batch_list(box, APP, S(""), 0, S(""), 0, (hookbox_batch_page **)&out, NULL)) &&
           forked(hookbox_backlog_get(box, APP, id, (hookbox_backlog **)&out, NULL)) &&
           forked(hookbox_keys(box, APP, (hookbox_key_list **)&out, NULL)) &&
           forked(hookbox_key_rotate(box, APP, 2048, S(""), S(""), 0, NULL, NULL)) &&
           forked(hookbox_keys_reseal(box, &count, NULL)) && forked(hookbox_box_start(box, NULL)) &&
           forked(hookbox_box_stop(box, 60000, NULL)) && forked(hookbox_box_wake(box, NULL)) &&
           forked(hookbox_box_poll(box, 0, NULL, NULL, NULL)) &&
           forked(hookbox_box_wait_idle(box, 0, &idle, NULL)) &&
           forked(hookbox_claim(box, 1, (hookbox_delivery_list **)&out, NULL)) &&
           forked(hookbox_box_prune(box, 0, NULL)) &&
           forked(hookbox_box_check(box, (hookbox_texts **)&out, NULL)) &&
           forked(hookbox_box_backup(box, S("/tmp/never"), NULL)) &&
           forked(hookbox_box_stats(box, (hookbox_stats **)&out, NULL)) &&
           forked(hookbox_box_close(box, 60000, NULL)) && out == NULL;
}

static void forks(size_t count) {
    hookbox_error *error = NULL;
    receiver *endpoint = receiver_start();
    hookbox_options *options = test_options();
    hookbox_box *box = box_with_app(options, "standard_webhooks");
    hookbox_options_free(options);
    hookbox_id webhook = active_webhook(box, receiver_url(endpoint));
    OK(hookbox_box_start(box, &error));
    for (size_t i = 0; i < count; i++) {
        OK(hookbox_emit(box, APP, TYPE, S("{\"n\":1}"), NULL, &error));
        fflush(stdout);
        pid_t child = fork(); // In the middle of a delivery.
        CHECK(child >= 0);
        if (child == 0) {
            alarm(60);
            bool well = all_refused(box, &webhook);
            if (i % 2 == 0) hookbox_box_free(box); // Or it is just left.
            if (i % 4 < 2) _exit(well ? 0 : 1);
            exit(well ? 0 : 1);
        }
        int status;
        while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CHECK(receiver_wait(endpoint, count) == count);
    wait_idle(box);
    CHECK(receiver_wait(endpoint, 0) == count && different(endpoint, count) == count);
    close_box(box);
    receiver_stop(endpoint);
    printf("ok fork: %zu children refused, %zu events delivered once each\n", count, count);
}

// ---- Signals ----

static volatile sig_atomic_t handled, handled_elsewhere, storm_ends;
static pthread_t main_thread;

static void on_signal(int number) {
    (void)number;
    handled++;
    if (!pthread_equal(pthread_self(), main_thread)) handled_elsewhere++;
}

static void *storm(void *data) {
    (void)data;
    struct timespec pause = {0, 1000000};
    while (!storm_ends) {
        kill(getpid(), SIGUSR1); // To any thread that does not block it.
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void signals(size_t count) {
    hookbox_error *error = NULL;
    main_thread = pthread_self();
    struct sigaction action, before;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal; // Without SA_RESTART: calls of the system end with EINTR.
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler == SIG_DFL);
    // The test's own threads take none of them, so that what is not handled by the main thread is by hookbox's.
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGUSR1);
    sigaddset(&ours, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &ours, NULL);
    receiver *endpoint = receiver_start();
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, storm, NULL) == 0);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    hookbox_options *options = test_options();
    hookbox_box *box = box_with_app(options, "standard_webhooks");
    hookbox_options_free(options);
    active_webhook(box, receiver_url(endpoint));
    OK(hookbox_box_start(box, &error));
    struct itimerval each = {{0, 1000}, {0, 1000}}, none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &each, NULL);
    for (size_t i = 0; i < count; i++) OK(hookbox_emit(box, APP, TYPE, S("{\"n\":1}"), NULL, &error));
    CHECK(receiver_wait(endpoint, count) == count);
    wait_idle(box);
    setitimer(ITIMER_REAL, &none, NULL);
    storm_ends = 1;
    pthread_join(thread, NULL);
    // No attempt failed for a signal's sake: each event came once.
    CHECK(receiver_wait(endpoint, 0) == count && different(endpoint, count) == count);
    close_box(box);
    receiver_stop(endpoint);
    // The library has left handlers as they were.
    struct sigaction after;
    CHECK(sigaction(SIGPIPE, NULL, &after) == 0 && after.sa_handler == SIG_DFL);
    CHECK(sigaction(SIGUSR1, NULL, &after) == 0 && after.sa_handler == on_signal);
    CHECK(handled > 20 && handled_elsewhere == 0);
    printf("ok signals: %zu events delivered once each, %d signals handled, none on a thread of hookbox's\n",
           count, (int)handled);
}

// ---- Exits ----

// The process that ends: by exit(), with its threads at work and the box open.
static void exit_in_the_middle(const char *path, int number) {
    hookbox_error *error = NULL;
    hookbox_box *box = open_at(path);
    OK(hookbox_box_start(box, &error));
    for (int i = 0; i < 5; i++) OK(hookbox_emit(box, APP, TYPE, S("{\"n\":1}"), NULL, &error));
    for (int i = 0; i < number % 50; i++) {
        OK(hookbox_box_wake(box, &error)); // Some time, but no sleep: another moment for each process.
        sched_yield();
    }
    exit(0);
}

static void exits(const char *self, size_t count) {
    hookbox_error *error = NULL;
    receiver *endpoint = receiver_start();
    char path[128];
    snprintf(path, sizeof path, "%s", fresh_path("box.db"));
    hookbox_box *box = open_at(path);
    create_app(box, "standard_webhooks");
    active_webhook(box, receiver_url(endpoint));
    close_box(box);
    for (size_t i = 0; i < count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        char *arguments[] = {(char *)self, "exit-now", path, number, NULL};
        pid_t child;
        CHECK(posix_spawn(&child, self, NULL, NULL, arguments, environ) == 0);
        int status;
        while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    // What was emitted is there. What was being sent comes again when its lease ends: looked at with a clock
    // that is ahead, so that nobody waits.
    box = open_at(path);
    hookbox_stats *stats = NULL;
    OK(hookbox_box_stats(box, &stats, &error));
    CHECK((size_t)stats->last_position == 5 * count);
    hookbox_stats_free(stats);
    struct timeval now;
    gettimeofday(&now, NULL);
    int64_t next = (int64_t)now.tv_sec * 1000;
    while (next > 0) OK(hookbox_box_poll(box, next + 3600000, NULL, &next, &error));
    size_t came = receiver_wait(endpoint, 0);
    CHECK(different(endpoint, came) == 5 * count);
    close_box(box);
    receiver_stop(endpoint);
    printf("ok exit: %zu processes, %zu events, none lost, %zu deliveries\n", count, 5 * count, came);
}

int main(int argc, char **argv) {
    CHECK(argc >= 2);
    size_t count = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    if (strcmp(argv[1], "fork") == 0)
        forks(count > 0 ? count : 50);
    else if (strcmp(argv[1], "signals") == 0)
        signals(count > 0 ? count : 200);
    else if (strcmp(argv[1], "exit") == 0)
        exits(argv[0], count > 0 ? count : 50);
    else if (strcmp(argv[1], "exit-now") == 0 && argc == 4)
        exit_in_the_middle(argv[2], atoi(argv[3]));
    else
        CHECK(false);
    folders_remove();
    return 0;
}
