// Where the tests' files are: tests/run says so.

#include "scenarios.hpp"

#include <fstream>
#include <sstream>

std::string fresh_path(const char *name) {
    const char *folder = std::getenv("HOOKBOX_TEST_FOLDER");
    check(folder != nullptr);
    static std::atomic<int> number{0};
    return std::string(folder) + "/" + std::to_string(++number) + "-" + name;
}

std::string vector_file(const char *name) {
    const char *folder = std::getenv("HOOKBOX_TEST_VECTORS");
    check(folder != nullptr);
    std::ifstream file(std::string(folder) + "/" + name, std::ios::binary);
    check(file.good());
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}
