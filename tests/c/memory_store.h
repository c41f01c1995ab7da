// An ordered key-value store in memory, in C: a sorted array, an undo list, a readers/writer lock. Small enough
// to be read before one writes a real one; examples/c/lmdb.c is a real one.
#ifndef MEMORY_STORE_H
#define MEMORY_STORE_H

#include "harness.h"

// What a store does wrong on purpose, so that the conformance suite can be seen to notice.
typedef enum store_fault {
    FAULT_NONE,
    FAULT_COMMITS_NOTHING,
    FAULT_DELETES_NOTHING,
    FAULT_SCANS_FORWARD_ONLY,
    FAULT_SCANS_PAST_THE_END,
    FAULT_SCANS_WITHOUT_THE_FIRST,
    FAULT_FORGETS_NULS,
    FAULT_FAILS_EACH_500TH_COMMIT_BUT_KEEPS_IT,
    FAULT_COUNT,
    // Not the suite's, in which no transaction is rolled back: see a_full_store() in conformance.c.
    FAULT_KEEPS_WHAT_IS_ROLLED_BACK
} store_fault;

typedef struct memory_store memory_store;

memory_store *memory_store_new(store_fault fault);

// Frees it; no transaction may be open.
void memory_store_free(memory_store *store);

// From now on each such put fails, as if there were no space; 0: none does.
void memory_store_fail_each(memory_store *store, size_t put);

// A table over the store; any number of them share the data. The store stays its maker's.
hookbox_kv memory_store_table(memory_store *store);

#endif
