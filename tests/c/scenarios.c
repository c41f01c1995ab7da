// Runs the scenarios: all of them, or those that are named.
#include "scenarios.h"

static const struct {
    const char *name;
    void (*run)(void);
} SCENARIOS[] = {
    {"lifecycle", lifecycle}, {"errors", errors}, {"emit", emit},       {"registry", registry},
    {"keys", keys},           {"poll", polling},  {"claims", claims},   {"records", records},
    {"notices", notices},     {"verify", verify}, {"closing", closing},
};

int main(int argc, char **argv) {
    size_t ran = 0;
    for (size_t i = 0; i < sizeof SCENARIOS / sizeof *SCENARIOS; i++) {
        bool wanted = argc == 1;
        for (int j = 1; j < argc; j++) wanted = wanted || strcmp(argv[j], SCENARIOS[i].name) == 0;
        if (!wanted) continue;
        SCENARIOS[i].run();
        folders_remove();
        printf("ok %s\n", SCENARIOS[i].name);
        fflush(stdout);
        ran++;
    }
    CHECK(ran == (argc == 1 ? sizeof SCENARIOS / sizeof *SCENARIOS : (size_t)argc - 1));
    return 0;
}
