// The scenarios, one file each.

#ifndef HOOKBOX_TESTS_SCENARIOS_HPP
#define HOOKBOX_TESTS_SCENARIOS_HPP

#include "stage.hpp"

void lifecycle();
void errors();
void emit();
void registry();
void keys();
void poll();
void claims();
void records();
void notices();
void verify();
void closing();
void api_keys();
void api();
void store();

/// A new path in a folder that tests/run removes.
std::string fresh_path(const char *name);

/// What is in a file of tests/vectors.
std::string vector_file(const char *name);

#endif
