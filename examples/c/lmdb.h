// LMDB under hookbox: a folder with an LMDB environment as the place of a box.
#ifndef HOOKBOX_EXAMPLE_LMDB_H
#define HOOKBOX_EXAMPLE_LMDB_H

#include <hookbox/sys.h>

#ifdef __cplusplus
extern "C" {
#endif

// Opens the environment in a folder, which must be there, and fills the table for hookbox_open_kv(). What it
// opened is closed by the table's destroy, which hookbox calls when the box is closed. A folder may be opened
// once at a time, and by one process: a store belongs to one box.
hookbox_status lmdb_store_open(const char *folder, hookbox_kv *out_kv, hookbox_error **error);

#ifdef __cplusplus
}
#endif

#endif
