"""A box, and opening one."""

from __future__ import annotations

import os

from hookbox._api import ManagementApi
from hookbox._api_keys import ApiKeys
from hookbox._apps import Apps
from hookbox._convert import call, text_in
from hookbox._keys import Keys
from hookbox._library import CData, ffi, lib
from hookbox._log import Log
from hookbox._records import Records
from hookbox._running import Running
from hookbox._store import store_in
from hookbox._webhooks import Webhooks
from hookbox.host import KeyValueStore
from hookbox.options import Options, options_in


class Box(Apps, Webhooks, Log, Keys, Running, Records, ApiKeys, ManagementApi):
    """A webhook outbox. Any thread may call anything, at any time; every call may raise `StorageError`.

    Use it with `with`, or close it. It belongs to the process that opened it: in a child of `os.fork()`
    every call raises `Forked` and touches nothing.
    """


def open(path: str | os.PathLike[str], options: Options | None = None) -> Box:
    """Opens a box in an SQLite file, which is created where it is missing; or in the PostgreSQL database of
    a URL ("postgres://user:password@host/database").

    Inside one process a file may be opened by one copy of SQLite only: do not open a box's file with the
    `sqlite3` module, nor with anything else that has a copy of its own. Other processes may.

    Raises `InvalidRequest` for an option out of range or a URL that cannot be used, `StorageError`,
    `Unsupported`.
    """
    return _opened(lib.hookbox_open, options, text_in(os.fspath(path)))


def open_read_only(path: str | os.PathLike[str], options: Options | None = None) -> Box:
    """Opens a box for looking only: nothing is created, migrated, changed or sent, and calls that would do so
    raise `ReadOnly`. Raises as `open` does; also when there is no box."""
    return _opened(lib.hookbox_open_read_only, options, text_in(os.fspath(path)))


def open_in_memory(options: Options | None = None) -> Box:
    """Opens a new box in memory. Its events are lost when it is closed or the process ends, delivered or not:
    for tests, and for events that may be lost."""
    return _opened(lib.hookbox_open_in_memory, options)


def open_store(store: KeyValueStore, options: Options | None = None) -> Box:
    """Opens a box in a key-value store of the host's; makes one where the store is empty. Raises as `open`
    does; `StorageError` for a store that holds something else."""
    with store_in(store) as table:
        return _opened(lib.hookbox_open_kv, options, table)


def _opened(function: CData, options: Options | None, *where: object) -> Box:
    out = ffi.new("hookbox_box **")
    with options_in(options) as given:
        call(function, *where, given, out)
    return Box(out[0])
