"""The life of a box: open, closed, let go of.

`close` ends everything that a user can notice. The memory of the handle goes with the Python object, when no
method can be running any more. Two nets: at the exit of the interpreter open boxes are closed, because
hookbox's threads may call back until then and never after; and a box that nobody holds any more is closed
with a `ResourceWarning`.
"""

from __future__ import annotations

import atexit
import os
import threading
import warnings
import weakref
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Callable, TypeVar

from hookbox import _callbacks
from hookbox._convert import call, span_in
from hookbox._library import CData, ffi, lib
from hookbox.errors import Error, Forked, Unsupported
from hookbox.model import Page

T = TypeVar("T")
Self = TypeVar("Self", bound="Handle")

_open_boxes: weakref.WeakSet[Handle] = weakref.WeakSet()


class _Life:
    """What outlives the object: whether its box is closed, and whose it is."""

    def __init__(self) -> None:
        self.closed = False
        self.process = os.getpid()


class Handle:
    """A box that is open, until it is closed."""

    def __init__(self, hooks: CData) -> None:
        self._hooks = hooks
        self._life = _Life()
        net = weakref.finalize(self, _let_go, hooks, self._life)
        net.atexit = False  # type: ignore[misc, unused-ignore]  # Older stubs have no such attribute.
        _open_boxes.add(self)

    def close(self, drain: timedelta = timedelta(seconds=5)) -> None:
        """Closes the box: stops its threads as `stop` does, and waits for calls that other threads have
        under way. Every later call raises `Closed`, no thread of hookbox runs, and no callback is called
        again. Closing twice changes nothing; nor does it in a child of `os.fork()`, whose box this is not.

        Raises `Unsupported` from inside a callback, and the box stays open; `StorageError` when the storage
        took no more results: it is closed all the same, and what they belong to is sent again.
        """
        try:
            call(lib.hookbox_box_close, self._hooks, span_in(drain))
        except Forked:
            return
        except Unsupported:
            raise
        except Error:
            self._life.closed = True
            raise
        self._life.closed = True

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._life.closed

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _let_go(hooks: CData, life: _Life) -> None:
    """Nobody has the object any more."""
    if life.closed or life.process != os.getpid():
        lib.hookbox_box_free(hooks)
        return
    warnings.warn("a hookbox.Box was not closed: use `with`, or close()", ResourceWarning, 2)
    # Not here: this may be a callback of the box itself, or a thread that has a lock which one waits for.
    threading.Thread(target=lib.hookbox_box_free, args=(hooks,), name="hookbox-close").start()


@atexit.register
def _close_all() -> None:
    for box in list(_open_boxes):
        try:
            box.close(timedelta(0))
        except Error as error:
            _callbacks.report(error)


def pages(fetch: Callable[[str], Page[T]]) -> Iterator[T]:
    """All items of a listing, a page at a time."""
    cursor = ""
    while True:
        page = fetch(cursor)
        yield from page.items
        cursor = page.next_cursor
        if not cursor:
            return


def out_id(count: int = 1) -> CData:
    """Room for ids."""
    return ffi.new("hookbox_id[]", count)


def ids_out(given: CData) -> list[str]:
    """The ids in it."""
    return [ffi.string(item.text).decode() for item in given]
