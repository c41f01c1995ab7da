#include "memory_store.h"

#include <pthread.h>

typedef struct bytes {
    char *ptr;
    size_t len;
} bytes;

typedef struct entry {
    bytes key;
    bytes value;
} entry;

struct memory_store {
    pthread_rwlock_t lock; // Held by each transaction: many read, or one writes.
    entry *entries;        // In order of key.
    size_t count;
    size_t room;
    store_fault fault;
    size_t commits;
    size_t puts;
    size_t fail_each;
};

// What was there before a change: no value where the key was not there.
typedef struct change {
    bytes key;
    bytes before;
    bool was_there;
} change;

typedef struct transaction {
    memory_store *store;
    bool write;
    bool failed; // After a failure nothing works any more but rollback, as in LMDB.
    change *changes;
    size_t count;
    size_t room;
} transaction;

static bytes copy_of(hookbox_str text) {
    // One byte more, so that an empty value is an allocation too.
    bytes copy = {malloc(text.len + 1), text.len};
    CHECK(copy.ptr != NULL);
    if (text.len > 0) memcpy(copy.ptr, text.ptr, text.len);
    return copy;
}

static hookbox_str view(bytes of) {
    hookbox_str view = {of.ptr, of.len};
    return view;
}

static int compare(bytes a, hookbox_str b) {
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

// The first entry whose key is not before this one.
static size_t lower_bound(const memory_store *store, hookbox_str key) {
    size_t low = 0, high = store->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(store->entries[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const memory_store *store, size_t at, hookbox_str key) {
    return at < store->count && compare(store->entries[at].key, key) == 0;
}

// Takes an entry out of the array; gives its value.
static bytes take_out(memory_store *store, size_t at) {
    bytes value = store->entries[at].value;
    free(store->entries[at].key.ptr);
    memmove(&store->entries[at], &store->entries[at + 1], (--store->count - at) * sizeof(entry));
    return value;
}

static void put_in(memory_store *store, size_t at, bytes key, bytes value) {
    if (store->count == store->room) {
        store->room = store->room * 2 + 64;
        store->entries = realloc(store->entries, store->room * sizeof(entry));
        CHECK(store->entries != NULL);
    }
    memmove(&store->entries[at + 1], &store->entries[at], (store->count++ - at) * sizeof(entry));
    store->entries[at].key = key;
    store->entries[at].value = value;
}

// Sets a key to a value, or removes it: takes the value over, and notes what was there.
static void set(transaction *it, hookbox_str key, const bytes *value) {
    memory_store *store = it->store;
    size_t at = lower_bound(store, key);
    change before = {copy_of(key), {NULL, 0}, is_at(store, at, key)};
    if (before.was_there && value != NULL) {
        before.before = store->entries[at].value;
        store->entries[at].value = *value;
    } else if (before.was_there) {
        before.before = take_out(store, at);
    } else if (value != NULL) {
        put_in(store, at, copy_of(key), *value);
    }
    if (it->count == it->room) {
        it->room = it->room * 2 + 16;
        it->changes = realloc(it->changes, it->room * sizeof(change));
        CHECK(it->changes != NULL);
    }
    it->changes[it->count++] = before;
}

static hookbox_status begin(void *context, bool write, void **out_transaction, hookbox_error **error) {
    memory_store *store = context;
    (void)error;
    transaction *it = calloc(1, sizeof *it);
    CHECK(it != NULL);
    it->store = store;
    it->write = write;
    if (write)
        pthread_rwlock_wrlock(&store->lock);
    else
        pthread_rwlock_rdlock(&store->lock);
    *out_transaction = it;
    return HOOKBOX_OK;
}

static void end(transaction *it) {
    for (size_t i = 0; i < it->count; i++) {
        free(it->changes[i].key.ptr);
        free(it->changes[i].before.ptr);
    }
    pthread_rwlock_unlock(&it->store->lock);
    free(it->changes);
    free(it);
}

static void undo(transaction *it) {
    while (it->count > 0) {
        change *last = &it->changes[--it->count];
        size_t at = lower_bound(it->store, view(last->key));
        bool is_there = is_at(it->store, at, view(last->key));
        if (is_there) free(take_out(it->store, at).ptr);
        if (last->was_there)
            put_in(it->store, at, last->key, last->before);
        else
            free(last->key.ptr);
    }
}

static hookbox_status get(void *data, hookbox_str key, hookbox_value *value, hookbox_error **error) {
    transaction *it = data;
    (void)error;
    size_t at = lower_bound(it->store, key);
    if (is_at(it->store, at, key)) hookbox_value_set(value, view(it->store->entries[at].value));
    return HOOKBOX_OK;
}

static hookbox_status put(void *data, hookbox_str key, hookbox_str value, hookbox_error **error) {
    transaction *it = data;
    if (!it->write) {
        *error = hookbox_error_new(HOOKBOX_STORAGE_IO, S("a transaction that reads was asked to write"));
        return HOOKBOX_STORAGE_IO;
    }
    memory_store *store = it->store;
    if (it->failed || (store->fail_each > 0 && ++store->puts % store->fail_each == 0)) {
        it->failed = true;
        *error = hookbox_error_new(HOOKBOX_STORAGE_FULL, S("no space, as the test has it"));
        return HOOKBOX_STORAGE_FULL;
    }
    const char *nul = value.len > 0 ? memchr(value.ptr, 0, value.len) : NULL;
    if (store->fault == FAULT_FORGETS_NULS && nul != NULL) value.len = (size_t)(nul - value.ptr);
    bytes copy = copy_of(value);
    set(it, key, &copy);
    return HOOKBOX_OK;
}

static hookbox_status del(void *data, hookbox_str key, hookbox_error **error) {
    transaction *it = data;
    if (!it->write) {
        *error = hookbox_error_new(HOOKBOX_STORAGE_IO, S("a transaction that reads was asked to delete"));
        return HOOKBOX_STORAGE_IO;
    }
    if (it->failed) return HOOKBOX_STORAGE_FULL;
    if (it->store->fault != FAULT_DELETES_NOTHING) set(it, key, NULL);
    return HOOKBOX_OK;
}

static hookbox_status scan(void *data, hookbox_str from, hookbox_str to, bool reverse, hookbox_visitor *visitor,
                           hookbox_error **error) {
    memory_store *store = ((transaction *)data)->store;
    (void)error;
    size_t first = lower_bound(store, from), last = lower_bound(store, to);
    if (store->fault == FAULT_SCANS_PAST_THE_END && last < store->count) last++;
    if (store->fault == FAULT_SCANS_WITHOUT_THE_FIRST && first < last) first++;
    if (store->fault == FAULT_SCANS_FORWARD_ONLY) reverse = false;
    for (size_t i = first; i < last; i++) {
        const entry *at = &store->entries[reverse ? last - 1 - (i - first) : i];
        if (!hookbox_visit(visitor, view(at->key), view(at->value))) break;
    }
    return HOOKBOX_OK;
}

static hookbox_status commit(void *data, hookbox_error **error) {
    transaction *it = data;
    memory_store *store = it->store;
    if (store->fault == FAULT_COMMITS_NOTHING) undo(it);
    bool fails =
        store->fault == FAULT_FAILS_EACH_500TH_COMMIT_BUT_KEEPS_IT && it->write && ++store->commits % 500 == 0;
    end(it);
    if (!fails) return HOOKBOX_OK;
    *error = hookbox_error_new(HOOKBOX_STORAGE_FULL, S("it says that nothing was stored"));
    return HOOKBOX_STORAGE_FULL;
}

static void rollback(void *data) {
    transaction *it = data;
    if (it->store->fault != FAULT_KEEPS_WHAT_IS_ROLLED_BACK) undo(it);
    end(it);
}

memory_store *memory_store_new(store_fault fault) {
    memory_store *store = calloc(1, sizeof *store);
    CHECK(store != NULL && pthread_rwlock_init(&store->lock, NULL) == 0);
    store->fault = fault;
    return store;
}

void memory_store_free(memory_store *store) {
    while (store->count > 0) free(take_out(store, store->count - 1).ptr);
    free(store->entries);
    pthread_rwlock_destroy(&store->lock);
    free(store);
}

void memory_store_fail_each(memory_store *store, size_t put) {
    store->fail_each = put;
}

hookbox_kv memory_store_table(memory_store *store) {
    hookbox_kv table = HOOKBOX_KV_INIT;
    table.context = store;
    table.begin = begin;
    table.get = get;
    table.put = put;
    table.del = del;
    table.scan = scan;
    table.commit = commit;
    table.rollback = rollback;
    return table;
}
