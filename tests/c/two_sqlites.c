// A program with an SQLite of its own, of another version, in one program with libhookbox.a: neither sees
// the other's symbols, and both work, each with files of its own.
#include "harness.h"

#include <sqlite3.h>

static int one_row(void *out, int columns, char **values, char **names) {
    (void)names;
    CHECK(columns == 1);
    *(int *)out = atoi(values[0]);
    return 0;
}

int main(void) {
    hookbox_error *error = NULL;
    printf("the program's SQLite: %s; hookbox's: %s\n", sqlite3_libversion(), hookbox_sqlite_version());
    CHECK(hookbox_sqlite_is_bundled() == 1);
    CHECK(strcmp(sqlite3_libversion(), SQLITE_VERSION) == 0);
    CHECK(strcmp(sqlite3_libversion(), hookbox_sqlite_version()) != 0);

    sqlite3 *db = NULL;
    CHECK(sqlite3_open(fresh_path("own.db"), &db) == SQLITE_OK);
    hookbox_box *box = box_with_app(NULL, "standard_webhooks");
    CHECK(sqlite3_exec(db, "CREATE TABLE t (n); INSERT INTO t VALUES (17)", NULL, NULL, NULL) == SQLITE_OK);
    OK(hookbox_emit(box, APP, TYPE, S("{\"n\":1}"), NULL, &error));
    int found = 0;
    CHECK(sqlite3_exec(db, "SELECT n FROM t", one_row, &found, NULL) == SQLITE_OK && found == 17);
    hookbox_stats *stats = NULL;
    OK(hookbox_box_stats(box, &stats, &error));
    CHECK(stats->last_position == 1);
    hookbox_stats_free(stats);
    close_box(box);
    CHECK(sqlite3_close(db) == SQLITE_OK);
    folders_remove();
    return 0;
}
