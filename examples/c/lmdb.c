// hookbox over LMDB: the seven functions that a key-value store is made of.
//
//     cc -std=c99 -c lmdb.c && cc … lmdb.o -lhookbox -llmdb
//
// LMDB keeps what hookbox asks of a store almost by itself: keys are ordered as memcmp() has it, one transaction
// writes at a time and the others wait, readers see the moment at which they began, and a commit is on the
// disk when it returns. Left to do: an error's meaning, and scans in both directions.
#include "lmdb.h"

#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

// How far the file may grow. It costs address space only; a real program makes this a setting.
#define MAP_BYTES ((size_t)16 * 1024 * 1024 * 1024)

// hookbox's longest key must be one that LMDB takes (511 bytes, as it is usually built).
typedef char keys_fit[HOOKBOX_KV_KEY_BYTES_MAX <= 511 ? 1 : -1];

typedef struct store {
    MDB_env *env;
    MDB_dbi dbi;
} store;

typedef struct transaction {
    MDB_txn *txn;
    MDB_dbi dbi;
} transaction;

// What LMDB's number means to hookbox; says it in words as well.
static hookbox_status failed(int code, hookbox_error **error) {
    hookbox_status status = HOOKBOX_STORAGE_IO;
    if (code == MDB_MAP_FULL || code == ENOSPC || code == EDQUOT) status = HOOKBOX_STORAGE_FULL;
    if (code == MDB_READERS_FULL) status = HOOKBOX_STORAGE_BUSY;
    if (code == EACCES || code == EROFS) status = HOOKBOX_STORAGE_READ_ONLY;
    if (code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID) {
        status = HOOKBOX_STORAGE_CORRUPT;
    }
    if (error != NULL) *error = hookbox_error_new(status, hookbox_cstr(mdb_strerror(code)));
    return status;
}

static MDB_val val(hookbox_str text) {
    MDB_val val = {text.len, (void *)text.ptr};
    return val;
}

static hookbox_str str(MDB_val val) {
    hookbox_str str = {val.mv_data, val.mv_size};
    return str;
}

static hookbox_status begin(void *context, bool write, void **out_transaction, hookbox_error **error) {
    store *it = context;
    transaction *begun = malloc(sizeof *begun);
    if (begun == NULL) return failed(ENOMEM, error);
    int code = mdb_txn_begin(it->env, NULL, write ? 0 : MDB_RDONLY, &begun->txn);
    if (code != 0) {
        free(begun);
        return failed(code, error);
    }
    begun->dbi = it->dbi;
    *out_transaction = begun;
    return HOOKBOX_OK;
}

static hookbox_status get(void *data, hookbox_str key, hookbox_value *value, hookbox_error **error) {
    transaction *it = data;
    MDB_val at = val(key), found;
    int code = mdb_get(it->txn, it->dbi, &at, &found);
    if (code == MDB_NOTFOUND) return HOOKBOX_OK;
    if (code != 0) return failed(code, error);
    hookbox_value_set(value, str(found)); // Copied: LMDB's memory is its own.
    return HOOKBOX_OK;
}

static hookbox_status put(void *data, hookbox_str key, hookbox_str value, hookbox_error **error) {
    transaction *it = data;
    MDB_val at = val(key), to = val(value);
    int code = mdb_put(it->txn, it->dbi, &at, &to, 0);
    return code == 0 ? HOOKBOX_OK : failed(code, error);
}

static hookbox_status del(void *data, hookbox_str key, hookbox_error **error) {
    transaction *it = data;
    MDB_val at = val(key);
    int code = mdb_del(it->txn, it->dbi, &at, NULL);
    return code == 0 || code == MDB_NOTFOUND ? HOOKBOX_OK : failed(code, error);
}

// Puts a cursor on the first pair to visit; MDB_NOTFOUND when there is none.
static int seek(MDB_cursor *cursor, hookbox_str from, hookbox_str to, bool reverse, MDB_val *key, MDB_val *value) {
    *key = val(reverse ? to : from);
    int code = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE); // The first key that is not before it.
    if (!reverse) return code;
    // Backwards: the one before that; the last of all where every key is before `to`.
    return mdb_cursor_get(cursor, key, value, code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
}

static hookbox_status scan(void *data, hookbox_str from, hookbox_str to, bool reverse, hookbox_visitor *visitor,
                           hookbox_error **error) {
    transaction *it = data;
    MDB_cursor *cursor;
    int code = mdb_cursor_open(it->txn, it->dbi, &cursor);
    if (code != 0) return failed(code, error);
    MDB_val key, value, first = val(from), end = val(to);
    code = seek(cursor, from, to, reverse, &key, &value);
    while (code == 0) {
        bool inside =
            reverse ? mdb_cmp(it->txn, it->dbi, &key, &first) >= 0 : mdb_cmp(it->txn, it->dbi, &key, &end) < 0;
        if (!inside || !hookbox_visit(visitor, str(key), str(value))) break;
        code = mdb_cursor_get(cursor, &key, &value, reverse ? MDB_PREV : MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == 0 || code == MDB_NOTFOUND ? HOOKBOX_OK : failed(code, error);
}

static hookbox_status commit(void *data, hookbox_error **error) {
    transaction *it = data;
    int code = mdb_txn_commit(it->txn); // Ends it in any case.
    free(it);
    if (code == 0) return HOOKBOX_OK;
    hookbox_status status = failed(code, error);
    // An error of the disk may come after the pages were written: then nobody knows.
    if (status == HOOKBOX_STORAGE_IO) status = HOOKBOX_STORAGE_COMMIT_UNKNOWN;
    return status;
}

static void rollback(void *data) {
    transaction *it = data;
    mdb_txn_abort(it->txn);
    free(it);
}

static void destroy(void *context) {
    store *it = context;
    mdb_env_close(it->env);
    free(it);
}

// The one unnamed database of an environment.
static int open_database(store *it) {
    MDB_txn *txn;
    int code = mdb_txn_begin(it->env, NULL, 0, &txn);
    if (code != 0) return code;
    code = mdb_dbi_open(txn, NULL, 0, &it->dbi);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

hookbox_status lmdb_store_open(const char *folder, hookbox_kv *out_kv, hookbox_error **error) {
    store *it = malloc(sizeof *it);
    if (it == NULL) return failed(ENOMEM, error);
    int code = mdb_env_create(&it->env);
    if (code != 0) {
        free(it);
        return failed(code, error);
    }
    code = mdb_env_set_mapsize(it->env, MAP_BYTES);
    // MDB_NOTLS: a reader belongs to its transaction, not to its thread, which may have several open.
    if (code == 0) code = mdb_env_open(it->env, folder, MDB_NOTLS, 0600);
    if (code == 0) code = open_database(it);
    if (code != 0) {
        destroy(it);
        return failed(code, error);
    }
    hookbox_kv table = HOOKBOX_KV_INIT;
    table.context = it;
    table.begin = begin;
    table.get = get;
    table.put = put;
    table.del = del;
    table.scan = scan;
    table.commit = commit;
    table.rollback = rollback;
    table.destroy = destroy;
    *out_kv = table;
    return HOOKBOX_OK;
}
