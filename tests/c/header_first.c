// The headers in one program of two files, twice in each, in C and in C++; the version by its value.
#include <hookbox.h>
#include <hookbox.h>
#include <hookbox/sys.h>
#include <hookbox/sys.h>

#include <stdio.h>

#ifdef __cplusplus
extern "C"
#endif
    unsigned
    second_file(void);

int main(void) {
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", HOOKBOX_VERSION_MAJOR, HOOKBOX_VERSION_MINOR,
             HOOKBOX_VERSION_PATCH);
    unsigned number = HOOKBOX_VERSION_MAJOR * 1000000u + HOOKBOX_VERSION_MINOR * 1000u + HOOKBOX_VERSION_PATCH;
    if (strcmp(version, hookbox_version()) != 0 || strcmp(version, CARGO_VERSION) != 0) return 1;
    if (number != HOOKBOX_VERSION_NUMBER || number != hookbox_version_number()) return 2;
    if (second_file() != number) return 3;
    if (hookbox_version_check(HOOKBOX_VERSION_NUMBER, NULL) != HOOKBOX_OK) return 4;
    if (HOOKBOX_STR("a\0b").len != 3 || hookbox_cstr(NULL).len != 0) return 5;
    return 0;
}
