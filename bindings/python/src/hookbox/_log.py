"""Emitting events, and reading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hookbox import _read
from hookbox._convert import call, json_in, take, text_in
from hookbox._handle import Handle, ids_out, out_id, pages
from hookbox._library import CData, ffi, lib
from hookbox.model import Event, NewEvent, Page


class Log(Handle):
    """Methods of a box about events."""

    def emit(
        self,
        app: str,
        event_type: str,
        payload: str | bytes | Mapping[str, Any] | list[Any],
        *,
        idempotency_key: str = "",
        environment: str = "",
        at_most_once: bool = False,
    ) -> str:
        """Emits one event, and gives its id. When this returns, the event survives power loss.

        `payload`: a `str` or `bytes` is one JSON text, stored and sent verbatim; a mapping or list becomes
        one. The other arguments are those of `NewEvent`.

        Raises `NotFound`, `AppDisabled`, `InvalidRequest`: nothing is stored then. After `CommitUnknown` it
        may be: emit again with the same idempotency key.
        """
        event = NewEvent(event_type, payload, idempotency_key, environment, at_most_once)
        (event_id,) = self.emit_many(app, [event])
        return event_id

    def emit_many(self, app: str, events: Iterable[NewEvent]) -> list[str]:
        """Emits up to 10 000 events in one commit, all or none, and gives their ids. Raises as `emit`;
        `InvalidRequest` for too many."""
        given = _Events(events)
        ids = out_id(given.count)
        where = (self._hooks, text_in(app))
        call(lib.hookbox_emit_many, *where, given.items, given.count, ids)
        return ids_out(ids)

    def emit_in(self, sqlite3_pointer: int, app: str, events: Iterable[NewEvent]) -> list[str]:
        """Emits events inside a transaction of the program's own: they are emitted if and only if it
        commits. `sqlite3_pointer` is the address of its `sqlite3 *`, a connection to the box's file with a
        transaction begun; APSW's `Connection.sqlite3_pointer()` gives it. After the commit call `wake`.

        Only where the library and that connection share one copy of SQLite, the system's: see
        `sqlite_is_bundled()`. Raises as `emit`; `Unsupported` from a library with a copy of its own.
        """
        given = _Events(events)
        ids = out_id(given.count)
        connection = ffi.cast("void *", sqlite3_pointer)
        where = (self._hooks, connection, text_in(app))
        call(lib.hookbox_emit_in, *where, given.items, given.count, ids)
        return ids_out(ids)

    def event(self, event: str) -> Event:
        """Reads an event. Raises `NotFound`."""
        get = lib.hookbox_event_get
        return take("hookbox_event", _read.event, get, self._hooks, text_in(event))

    def event_page(self, app: str, *, event_type: str = "", cursor: str = "", limit: int = 0) -> Page[Event]:
        """One page of an app's events, the newest first: of one type, or all (empty); at most `limit` (1 to
        1000; 0 means 100), after the page that gave `cursor`. Raises `NotFound`."""
        return take(
            "hookbox_event_page",
            _read.page(_read.event),
            lib.hookbox_event_list,
            self._hooks,
            text_in(app),
            text_in(event_type),
            text_in(cursor),
            limit,
        )

    def events(self, app: str, *, event_type: str = "", page_size: int = 0) -> Iterator[Event]:
        """All of an app's events, the newest first, read a page at a time."""
        return pages(
            lambda cursor: self.event_page(app, event_type=event_type, cursor=cursor, limit=page_size)
        )


class _Events:
    """An array of `hookbox_new_event`, and what it points to."""

    def __init__(self, events: Iterable[NewEvent]) -> None:
        listed = list(events)
        self.count = len(listed)
        self.items: CData = ffi.new("hookbox_new_event[]", self.count)
        self._kept: list[object] = []
        for item, event in zip(self.items, listed):
            item.struct_size = ffi.sizeof("hookbox_new_event")
            item.at_most_once = event.at_most_once
            item.event_type = self._text(event.event_type)
            item.payload = self._text(json_in(event.payload))
            item.idempotency_key = self._text(event.idempotency_key)
            item.environment = self._text(event.environment)

    def _text(self, value: str | bytes) -> tuple[CData, int]:
        text = text_in(value)
        self._kept.append(text)
        return text
