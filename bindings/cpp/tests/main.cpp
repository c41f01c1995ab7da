// Runs every scenario, or those named: the same list in every binding.

#include "scenarios.hpp"

#include <cstring>

namespace {

struct Scenario {
    const char *name;
    void (*run)();
};

const Scenario scenarios[] = {
    {"lifecycle", lifecycle}, {"errors", errors}, {"emit", emit},         {"registry", registry}, {"keys", keys},
    {"poll", poll},           {"claims", claims}, {"records", records},   {"notices", notices},   {"verify", verify},
    {"closing", closing},     {"store", store},   {"api_keys", api_keys}, {"api", api},
};

} // namespace

int main(int count, char **arguments) {
    int ran = 0;
    for (const Scenario &scenario : scenarios) {
        bool wanted = count == 1;
        for (int at = 1; at < count; ++at) {
            wanted = wanted || std::strcmp(arguments[at], scenario.name) == 0;
        }
        if (wanted) {
            int before = checks;
            scenario.run();
            std::printf("  %-10s %4d checks\n", scenario.name, checks - before);
            ++ran;
        }
    }
    if (ran == 0) {
        std::fprintf(stderr, "no such scenario\n");
        return 1;
    }
    std::printf("%d scenarios, %d checks\n", ran, checks.load());
    return 0;
}
