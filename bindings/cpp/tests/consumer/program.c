// A program in C that uses an installed hookbox.
#include <hookbox.h>
#include <hookbox/sys.h>
#include <stdio.h>

int main(void) {
    hookbox_box *box = NULL;
    hookbox_error *error = NULL;
    if (hookbox_version_check(HOOKBOX_VERSION_NUMBER, &error) != HOOKBOX_OK ||
        hookbox_open_in_memory(NULL, &box, &error) != HOOKBOX_OK) {
        fprintf(stderr, "%s\n", error->message.ptr);
        hookbox_error_free(error);
        return 1;
    }
    hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
    app.id = hookbox_cstr("54e9ujn");
    hookbox_status status = hookbox_app_create(box, &app, NULL, NULL);
    hookbox_box_free(box);
    printf("C, hookbox %s\n", hookbox_version());
    return status == HOOKBOX_OK ? 0 : 1;
}
