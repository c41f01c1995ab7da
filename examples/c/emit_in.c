/* A shop whose orders and whose events are in one SQLite file: an order is stored and its event emitted in
 * one transaction, so that there is never one without the other.
 *
 * Link it with the flavour of hookbox that is built on the system's SQLite (bindings/build --system), and
 * with that SQLite: inside one process a file may be opened by one copy of SQLite only.
 *
 *     cc emit_in.c $(pkg-config --cflags --libs hookbox sqlite3) -o emit_in && ./emit_in shop.db
 */
#include <hookbox.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static void check(hookbox_status status, hookbox_error *error, const char *what)
{
    if (status != HOOKBOX_OK) {
        fprintf(stderr, "%s: %s\n", what, error != NULL ? error->message.ptr : "failed");
        hookbox_error_free(error);
        exit(1);
    }
}

static void sql(sqlite3 *db, const char *text)
{
    char *message = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", text, message);
        exit(1);
    }
}

static long count(sqlite3 *db, const char *query)
{
    sqlite3_stmt *statement = NULL;
    long found = -1;
    if (sqlite3_prepare_v2(db, query, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        found = (long)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return found;
}

/* Stores an order and emits its event inside the transaction that `db` has begun. */
static hookbox_status place_order(hookbox_box *box, sqlite3 *db, const char *item, hookbox_error **error)
{
    char payload[128];
    char insert[128];
    hookbox_new_event event = HOOKBOX_NEW_EVENT_INIT;

    snprintf(insert, sizeof insert, "INSERT INTO orders (item) VALUES ('%s')", item);
    sql(db, insert);
    snprintf(payload, sizeof payload, "{\"item\":\"%s\",\"order\":%lld}", item,
             (long long)sqlite3_last_insert_rowid(db));
    event.event_type = HOOKBOX_STR("order.placed");
    event.payload = hookbox_cstr(payload);
    return hookbox_emit_in(box, db, HOOKBOX_STR("shop"), &event, 1, NULL, error);
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "shop.db";
    hookbox_box *box = NULL;
    hookbox_error *error = NULL;
    hookbox_event_page *page = NULL;
    hookbox_new_app app = HOOKBOX_NEW_APP_INIT;
    hookbox_str type = HOOKBOX_STR("order.placed");
    sqlite3 *db = NULL;
    hookbox_status status;

    printf("SQLite: ours %s, hookbox's %s\n", sqlite3_libversion(), hookbox_sqlite_version());
    check(hookbox_open(hookbox_cstr(path), NULL, &box, &error), error, "open");
    app.id = HOOKBOX_STR("shop");
    check(hookbox_app_create(box, &app, NULL, &error), error, "create the app");
    check(hookbox_event_types_add(box, &type, 1, &error), error, "add the event type");

    if (sqlite3_open(path, &db) != SQLITE_OK)
        return 1;
    sql(db, "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)");

    /* Outside of a transaction it is refused. */
    status = place_order(box, db, "nothing", &error);
    printf("without BEGIN: %s\n", error != NULL ? error->message.ptr : "?");
    hookbox_error_free(error);
    sql(db, "DELETE FROM orders");
    if (status != HOOKBOX_INVALID_REQUEST)
        return 1;

    /* Both or neither: here both … */
    sql(db, "BEGIN IMMEDIATE");
    check(place_order(box, db, "book", &error), error, "place an order");
    sql(db, "COMMIT");
    hookbox_box_wake(box, NULL);

    /* … and here neither. */
    sql(db, "BEGIN IMMEDIATE");
    check(place_order(box, db, "lamp", &error), error, "place an order");
    sql(db, "ROLLBACK");

    check(hookbox_event_list(box, HOOKBOX_STR("shop"), type, hookbox_cstr(NULL), 0, &page, &error), error,
          "list events");
    printf("orders: %ld, events: %zu, the one: %s\n", count(db, "SELECT count(*) FROM orders"), page->count,
           page->count > 0 ? page->items[0]->payload.ptr : "none");
    status = page->count == 1 && count(db, "SELECT count(*) FROM orders") == 1 ? 0 : 1;
    hookbox_event_page_free(page);
    sqlite3_close(db);
    check(hookbox_box_close(box, 1000, &error), error, "close");
    hookbox_box_free(box);
    return (int)status;
}
