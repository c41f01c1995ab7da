// hookbox's conformance suite over key-value stores in C: over one in memory every promise must hold, over
// the same one spoiled in one way or another some promise must be seen to break; and over LMDB, where the
// program is built with examples/c/lmdb.c. `conformance [memory|memory-lifecycle|broken|lmdb|lmdb-lifecycle]`; all
// of it without an argument.
#include "memory_store.h"
#include "scenarios.h"

#include <unistd.h>

#ifdef WITH_LMDB
#include "../../examples/c/lmdb.h"
#endif

static void *make_place(void *fault) {
    return memory_store_new(*(store_fault *)fault);
}

static hookbox_status open_place(void *place, hookbox_kv *out_kv, hookbox_error **error) {
    (void)error;
    *out_kv = memory_store_table(place);
    return HOOKBOX_OK;
}

static void destroy_place(void *place) {
    memory_store_free(place);
}

// How many promises were broken; prints the first. One handle at a time: a store belongs to one box.
static size_t broken(const char *name, hookbox_testing_make_place make, hookbox_testing_open_kv open,
                     hookbox_destroy destroy, void *data) {
    hookbox_error *error = NULL;
    hookbox_texts *failures = NULL;
    size_t checks = 0;
    OK(hookbox_testing_kv_conformance(make, open, destroy, data, false, true, &checks, &failures, &error));
    CHECK(checks > 50);
    size_t count = failures->count;
    printf("%s: %zu promises, %zu broken%s%s\n", name, checks, count, count > 0 ? ": " : "",
           count > 0 ? failures->items[0].ptr : "");
    hookbox_texts_free(failures);
    return count;
}

#ifdef WITH_LMDB
static void *make_folder(void *data) {
    (void)data;
    const char *path = fresh_path("");
    return strcpy(malloc(strlen(path) + 1), path);
}

static hookbox_status open_folder(void *place, hookbox_kv *out_kv, hookbox_error **error) {
    return lmdb_store_open(place, out_kv, error);
}

// A box in it, from its making to what is left after it is closed.
static void lmdb_lifecycle(void) {
    hookbox_error *error = NULL;
    hookbox_kv kv;
    char path[128];
    snprintf(path, sizeof path, "%s", fresh_path(""));
    OK(lmdb_store_open(path, &kv, &error));
    hookbox_options *options = test_options();
    hookbox_box *box = NULL;
    OK(hookbox_open_kv(&kv, options, &box, &error));
    lifecycle_in(box);
    // What was there is there again.
    OK(lmdb_store_open(path, &kv, &error));
    OK(hookbox_open_kv(&kv, options, &box, &error));
    hookbox_app *app = NULL;
    OK(hookbox_app_get(box, APP, &app, &error));
    hookbox_app_free(app);
    close_box(box);
    // A folder that is not there; a table that lacks something.
    FAILS(lmdb_store_open("/nowhere/at/all", &kv, &error), HOOKBOX_STORAGE_IO);
    OK(lmdb_store_open(path, &kv, &error));
    kv.scan = NULL;
    FAILS(hookbox_open_kv(&kv, options, &box, &error), HOOKBOX_INVALID_ARGUMENT); // And the store is closed.
    hookbox_options_free(options);
    printf("ok lmdb: lifecycle\n");
}
#endif

// A store that has no space now and then: what was refused leaves nothing behind. Whether that is so.
static bool a_full_store(store_fault fault) {
    hookbox_error *error = NULL;
    memory_store *store = memory_store_new(fault);
    hookbox_kv kv = memory_store_table(store);
    hookbox_box *box = NULL;
    OK(hookbox_open_kv(&kv, NULL, &box, &error));
    create_app(box, "standard_webhooks");
    memory_store_fail_each(store, 11); // Emitting takes six: in the middle of each second one.
    int64_t emitted = 0, refused = 0;
    for (int i = 0; i < 200; i++) {
        hookbox_new_event event = HOOKBOX_NEW_EVENT_INIT;
        char key[32];
        event.event_type = TYPE;
        event.payload = S("{\"n\":1}");
        snprintf(key, sizeof key, "key %d", i);
        event.idempotency_key = hookbox_cstr(key);
        hookbox_status got = hookbox_emit_event(box, APP, &event, NULL, NULL);
        CHECK(got == HOOKBOX_OK || got == HOOKBOX_STORAGE_FULL || fault != FAULT_NONE);
        emitted += got == HOOKBOX_OK;
        refused += got == HOOKBOX_STORAGE_FULL;
    }
    memory_store_fail_each(store, 0);
    hookbox_texts *faults = NULL;
    hookbox_event_page *page = NULL;
    OK(hookbox_box_check(box, &faults, &error));
    bool well = hookbox_event_list(box, APP, S(""), S(""), 1000, &page, NULL) == HOOKBOX_OK &&
                (int64_t)page->count == emitted && faults->count == 0;
    printf("full store: %d emitted, %d refused, %zu faults\n", (int)emitted, (int)refused, faults->count);
    CHECK(refused > 10);
    hookbox_texts_free(faults);
    hookbox_event_page_free(page);
    hookbox_box_free(box);
    memory_store_free(store);
    return well;
}

int main(int argc, char **argv) {
    alarm(600); // A broken store may make a check wait for ever.
    store_fault fault = FAULT_NONE;
    if (argc == 1 || strcmp(argv[1], "memory") == 0) {
        CHECK(broken("memory", make_place, open_place, destroy_place, &fault) == 0);
    }
    if (argc == 1 || strcmp(argv[1], "memory-lifecycle") == 0) {
        CHECK(a_full_store(FAULT_NONE));
        hookbox_error *error = NULL;
        memory_store *store = memory_store_new(FAULT_NONE);
        hookbox_kv kv = memory_store_table(store);
        hookbox_options *options = test_options();
        hookbox_box *box = NULL;
        OK(hookbox_open_kv(&kv, options, &box, &error));
        hookbox_options_free(options);
        lifecycle_in(box);
        memory_store_free(store);
        printf("ok memory: lifecycle\n");
    }
    if (argc == 1 || strcmp(argv[1], "broken") == 0) {
        for (int i = 1; i < FAULT_COUNT; i++) {
            char name[32];
            snprintf(name, sizeof name, "fault %d", i);
            fault = (store_fault)i;
            CHECK(broken(name, make_place, open_place, destroy_place, &fault) > 0);
            fflush(stdout);
        }
        CHECK(!a_full_store(FAULT_KEEPS_WHAT_IS_ROLLED_BACK));
    }
#ifdef WITH_LMDB
    if (argc == 1 || strcmp(argv[1], "lmdb") == 0) {
        CHECK(broken("lmdb", make_folder, open_folder, free, NULL) == 0);
    }
    if (argc == 1 || strcmp(argv[1], "lmdb-lifecycle") == 0) lmdb_lifecycle();
#endif
    folders_remove();
    return 0;
}
