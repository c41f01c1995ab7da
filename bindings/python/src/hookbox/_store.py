"""A key-value store of the host's, as the table of functions that C calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hookbox._callbacks import destroy, failure, handle_of, report, take_back
from hookbox._convert import Structure, bytes_out, text_in
from hookbox._library import CData, callback, ffi, lib
from hookbox.errors import Status, StorageError
from hookbox.host import KeyValueStore, KeyValueTransaction

IO = Status.STORAGE_IO


@callback("hookbox_kv_begin", error=IO)
def _begin(context: CData, write: bool, out: CData, error: CData) -> int:
    try:
        store: KeyValueStore = ffi.from_handle(context)
        out[0] = handle_of(store.begin(write))
    except BaseException as raised:
        return failure(raised, error, StorageError, IO)
    return 0


@callback("hookbox_kv_get", error=IO)
def _get(context: CData, key: CData, value: CData, error: CData) -> int:
    try:
        transaction: KeyValueTransaction = ffi.from_handle(context)
        found = transaction.get(bytes_out(key))
        if found is not None:
            lib.hookbox_value_set(value, text_in(found))
    except BaseException as raised:
        return failure(raised, error, StorageError, IO)
    return 0


@callback("hookbox_kv_put", error=IO)
def _put(context: CData, key: CData, value: CData, error: CData) -> int:
    try:
        transaction: KeyValueTransaction = ffi.from_handle(context)
        transaction.put(bytes_out(key), bytes_out(value))
    except BaseException as raised:
        return failure(raised, error, StorageError, IO)
    return 0


@callback("hookbox_kv_delete", error=IO)
def _delete(context: CData, key: CData, error: CData) -> int:
    try:
        transaction: KeyValueTransaction = ffi.from_handle(context)
        transaction.delete(bytes_out(key))
    except BaseException as raised:
        return failure(raised, error, StorageError, IO)
    return 0


@callback("hookbox_kv_scan", error=IO)
def _scan(context: CData, from_key: CData, to_key: CData, reverse: bool, visitor: CData, error: CData) -> int:
    try:
        transaction: KeyValueTransaction = ffi.from_handle(context)
        for key, value in transaction.scan(bytes_out(from_key), bytes_out(to_key), reverse):
            if not lib.hookbox_visit(visitor, text_in(key), text_in(value)):
                break
    except BaseException as raised:
        return failure(raised, error, StorageError, IO)
    return 0


@callback("hookbox_kv_commit", error=IO)
def _commit(context: CData, error: CData) -> int:
    try:
        transaction: KeyValueTransaction = ffi.from_handle(context)
        destroy(context)  # It has ended, whatever comes.
        transaction.commit()
    except BaseException as raised:
        return failure(raised, error, StorageError, IO)
    return 0


@callback("hookbox_kv_rollback")
def _rollback(context: CData) -> None:
    try:
        transaction: KeyValueTransaction = ffi.from_handle(context)
        destroy(context)
        transaction.rollback()
    except BaseException as raised:
        report(raised)


def fill(table: CData, store: KeyValueStore) -> CData:
    """Fills in a `hookbox_kv`, and gives the handle in it."""
    table.struct_size = ffi.sizeof("hookbox_kv")
    table.context = handle = handle_of(store)
    table.begin, table.commit, table.rollback = _begin, _commit, _rollback
    table.get, table.put, table.scan = _get, _put, _scan
    setattr(table, "del", _delete)
    table.destroy = destroy
    return handle


@contextmanager
def store_in(store: KeyValueStore) -> Iterator[CData]:
    """A `hookbox_kv *`, for a call that takes it over."""
    structure = Structure("hookbox_kv")
    handle = fill(structure.pointer, store)
    try:
        yield structure.pointer
    except BaseException:
        take_back(handle)  # The options may have been refused before.
        raise
