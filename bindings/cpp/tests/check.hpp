// What the tests check with, without macros: each failure names its line and ends the program.

#ifndef HOOKBOX_TESTS_CHECK_HPP
#define HOOKBOX_TESTS_CHECK_HPP

#include <hookbox.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>

/// How many checks were made.
inline std::atomic<int> checks{0};

[[noreturn]] inline void fail(const std::string &why, const char *file, int line) {
    std::fprintf(stderr, "%s:%d: %s\n", file, line, why.c_str());
    std::_Exit(1);
}

/// Checks that something is so.
inline void check(bool so, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    ++checks;
    if (!so) {
        fail("it is not so", file, line);
    }
}

/// Checks that two things are equal; prints them where they can be printed.
template <class T, class U>
void same(const T &is, const U &wanted, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    ++checks;
    if (is == wanted) {
        return;
    }
    if constexpr (std::is_convertible_v<T, std::string_view>) {
        fail("it is \"" + std::string(is) + "\"", file, line);
    } else if constexpr (std::is_arithmetic_v<T>) {
        fail("it is " + std::to_string(is), file, line);
    } else {
        fail("they differ", file, line);
    }
}

/// Takes the value of what must succeed.
template <class T> T must(hookbox::Result<T> result, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    ++checks;
    if (!result) {
        fail("it failed: " + result.error().code + ": " + result.error().message, file, line);
    }
    return std::move(result).value();
}

/// Takes the error of what must fail so.
template <class T>
hookbox::Error refused(const hookbox::Result<T> &result, hookbox::Status wanted, const char *file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
    ++checks;
    if (result) {
        fail("it succeeded", file, line);
    }
    if (result.error().status != wanted) {
        fail("it failed otherwise: " + result.error().code + ": " + result.error().message, file, line);
    }
    return result.error();
}

/// Whether a text holds another.
inline bool holds(const std::string &text, const char *part) {
    return text.find(part) != std::string::npos;
}

#endif
