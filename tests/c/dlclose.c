// A library that is loaded, used and unloaded at run time: `dlclose LIBRARY`. Unloading with a box open and its
// threads at work must not pull the code away from under them.
#include <hookbox.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

// A pointer to a function out of one to an object: what POSIX promises, and C99 does not have.
#define LOAD(function)                                                                                            \
    do {                                                                                                          \
        *(void **)&(function##_) = dlsym(library, #function);                                                     \
        if ((function##_) == NULL) exit(2);                                                                       \
    } while (0)

static hookbox_status (*hookbox_open_in_memory_)(const hookbox_options *, hookbox_box **, hookbox_error **);
static hookbox_status (*hookbox_box_start_)(hookbox_box *, hookbox_error **);
static hookbox_status (*hookbox_box_close_)(hookbox_box *, uint64_t, hookbox_error **);
static void (*hookbox_box_free_)(hookbox_box *);

static void *load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    LOAD(hookbox_open_in_memory);
    LOAD(hookbox_box_start);
    LOAD(hookbox_box_close);
    LOAD(hookbox_box_free);
    return library;
}

static hookbox_box *opened(void) {
    hookbox_box *box = NULL;
    if (hookbox_open_in_memory_(NULL, &box, NULL) != HOOKBOX_OK) exit(3);
    if (hookbox_box_start_(box, NULL) != HOOKBOX_OK) exit(3);
    return box;
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    // In order, again and again.
    for (int i = 0; i < 20; i++) {
        void *library = load(argv[1]);
        hookbox_box *box = opened();
        if (hookbox_box_close_(box, 1000, NULL) != HOOKBOX_OK) return 4;
        hookbox_box_free_(box);
        if (dlclose(library) != 0) return 5;
    }
    // With its threads at work.
    void *library = load(argv[1]);
    hookbox_box *box = opened();
    if (dlclose(library) != 0) return 5;
    // The code is still there: it is linked so that it is never unloaded.
    library = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
    if (library == NULL) return 6;
    if (hookbox_box_close_(box, 1000, NULL) != HOOKBOX_OK) return 4;
    hookbox_box_free_(box);
    printf("ok dlclose: 20 times in order, and with threads at work\n");
    return 0;
}
