#include "harness.h"

#include <unistd.h>

void check(bool holds, const char *what, const char *file, int line) {
    if (holds) return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

void check_status(hookbox_status got, hookbox_status expected, hookbox_error **error, const char *what,
                  const char *file, int line) {
    bool well = got == expected && (*error == NULL) == (got == HOOKBOX_OK);
    if (*error != NULL) {
        const hookbox_error *object = *error;
        well = well && object->status == got && object->http_status >= 400 && object->http_status <= 503 &&
               object->code.len > 0 && object->message.len > 0 &&
               strlen(object->message.ptr) == object->message.len;
    }
    if (!well) {
        fprintf(stderr, "%s:%d: %s\n  gave %d, not %d: %s\n", file, line, what, (int)got, (int)expected,
                *error != NULL ? (*error)->message.ptr : "no error object");
        abort();
    }
    hookbox_error_free(*error);
    *error = NULL;
}

bool same(hookbox_str text, const char *expected) {
    return text.len == strlen(expected) && strcmp(text.ptr, expected) == 0;
}

bool contains(hookbox_str text, const char *part) {
    return strstr(text.ptr, part) != NULL;
}

bool one_contains(const hookbox_str *texts, size_t count, const char *part) {
    for (size_t i = 0; i < count; i++) {
        if (contains(texts[i], part)) return true;
    }
    return false;
}

#define FOLDERS_MAX 512
static char folders[FOLDERS_MAX][32];
static size_t folder_count;

const char *fresh_path(const char *file) {
    static char path[128];
    CHECK(folder_count < FOLDERS_MAX);
    char *folder = folders[folder_count++];
    strcpy(folder, "/tmp/hookbox-c-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

void folders_remove(void) {
    for (size_t i = 0; i < folder_count; i++) {
        char command[64] = "rm -rf ";
        strcat(command, folders[i]);
        CHECK(system(command) == 0);
    }
    folder_count = 0;
}

hookbox_options *test_options(void) {
    hookbox_error *error = NULL;
    hookbox_options *options = NULL;
    OK(hookbox_options_new(&options, &error));
    OK(hookbox_options_set_allow_http(options, true, &error));
    OK(hookbox_options_allow_network(options, S("127.0.0.0/8"), &error));
    return options;
}

void create_app(hookbox_box *box, const char *profile) {
    hookbox_error *error = NULL;
    hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
    app.id = APP;
    app.profile = hookbox_cstr(profile);
    OK(hookbox_app_create(box, &app, NULL, &error));
}

hookbox_box *box_with_app(const hookbox_options *options, const char *profile) {
    hookbox_error *error = NULL;
    hookbox_box *box = NULL;
    OK(hookbox_open(hookbox_cstr(fresh_path("box.db")), options, &box, &error));
    create_app(box, profile);
    return box;
}

hookbox_id active_webhook(hookbox_box *box, const char *url) {
    hookbox_error *error = NULL;
    hookbox_webhook_config config = HOOKBOX_WEBHOOK_CONFIG_INIT;
    config.url = hookbox_cstr(url);
    config.verification_token = S("token");
    config.events = HOOKBOX_EVENTS_ALL;
    hookbox_webhook *webhook = NULL;
    OK(hookbox_webhook_create(box, APP, &config, &webhook, &error));
    hookbox_id id;
    CHECK(webhook->id.len < sizeof id.text);
    memcpy(id.text, webhook->id.ptr, webhook->id.len + 1);
    hookbox_webhook_free(webhook);
    OK(hookbox_webhook_activate(box, APP, hookbox_id_str(&id), &webhook, &error));
    CHECK(webhook->active && webhook->verified && webhook->all_events);
    hookbox_webhook_free(webhook);
    return id;
}

void close_box(hookbox_box *box) {
    hookbox_error *error = NULL;
    hookbox_texts *faults = NULL;
    OK(hookbox_box_check(box, &faults, &error));
    for (size_t i = 0; i < faults->count; i++) fprintf(stderr, "%s\n", faults->items[i].ptr);
    CHECK(faults->count == 0);
    hookbox_texts_free(faults);
    OK(hookbox_box_close(box, 5000, &error));
    hookbox_box_free(box);
}

char *read_file(const char *path, size_t *out_bytes) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    long bytes = ftell(file);
    CHECK(bytes >= 0);
    rewind(file);
    char *text = malloc((size_t)bytes + 1);
    CHECK(text != NULL && fread(text, 1, (size_t)bytes, file) == (size_t)bytes);
    text[bytes] = '\0';
    fclose(file);
    *out_bytes = (size_t)bytes;
    return text;
}
