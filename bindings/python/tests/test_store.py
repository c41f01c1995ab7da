"""store: a key-value store of the host's, by hookbox's own conformance suite; one that breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from support import APP, Unraisable

import hookbox
from hookbox import _callbacks, _store
from hookbox._convert import call, texts_out
from hookbox._library import CData, callback, ffi, lib


class DictStore:
    """A store in a dictionary: a transaction that writes has a copy of its own."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.writing = threading.Lock()
        self.fault: Exception | None = None

    def begin(self, write: bool) -> DictTransaction:
        if write:
            self.writing.acquire()
        return DictTransaction(self, write)


class DictTransaction:
    def __init__(self, store: DictStore, write: bool) -> None:
        self._store = store
        self._write = write
        self._data = dict(store.data) if write else store.data

    def get(self, key: bytes) -> bytes | None:
        return self._data.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        if self._store.fault is not None:
            raise self._store.fault
        self._data[key] = value

    def delete(self, key: bytes) -> None:
        self._data.pop(key, None)

    def scan(self, from_key: bytes, to_key: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted((key for key in self._data if from_key <= key < to_key), reverse=reverse)
        return ((key, self._data[key]) for key in keys)

    def commit(self) -> None:
        if self._write:
            self._store.data = self._data
            self._store.writing.release()

    def rollback(self) -> None:
        if self._write:
            self._store.writing.release()


def test_store_keeps_a_box() -> None:
    store = DictStore()
    with hookbox.open_store(store) as box:
        box.create_app(APP)
        event = box.emit(APP, "user.created", '{"n":1.50}')
    with hookbox.open_store(store) as box:
        assert box.event(event).payload == '{"n":1.50}'
        assert box.check() == []


@pytest.mark.skipif(not hasattr(lib, "hookbox_testing_kv_conformance"), reason="a release build")
def test_store_conforms() -> None:
    @callback("hookbox_testing_make_place")
    def make_place(_: CData) -> CData:
        return _callbacks.handle_of(DictStore())

    @callback("hookbox_testing_open_kv", error=900)
    def open_kv(place: CData, out: CData, _: CData) -> int:
        _store.fill(out, ffi.from_handle(place))
        return 0

    checks, failures = ffi.new("size_t *"), ffi.new("hookbox_texts **")
    # It keeps its data, and belongs to one box at a time.
    arguments = (make_place, open_kv, _callbacks.destroy, ffi.NULL, False, True, checks, failures)
    call(lib.hookbox_testing_kv_conformance, *arguments)
    broken = texts_out(failures[0])
    lib.hookbox_texts_free(failures[0])
    assert broken == []
    assert checks[0] > 50


def test_store_that_fails(unraisable: Unraisable) -> None:
    store = DictStore()
    with hookbox.open_store(store) as box:
        box.create_app(APP)
        store.fault = hookbox.StorageFull("the disk is full")
        with pytest.raises(hookbox.StorageFull, match="the disk is full"):
            box.emit(APP, "user.created", "{}")
        assert unraisable.errors == []
        store.fault = LookupError("a bug")
        with pytest.raises(hookbox.StorageError, match="LookupError") as failed:
            box.emit(APP, "user.created", "{}")
        assert failed.value.status == hookbox.Status.STORAGE_IO
        assert set(unraisable.errors) == {store.fault}
        store.fault = None
        box.emit(APP, "user.created", "{}")
        assert box.stats().last_position == 1
