"""Values into the C library, and out of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import TypeVar, Union

from hookbox._library import CData, ffi, lib
from hookbox.errors import error_of

T = TypeVar("T")

Headers = Union[Mapping[str, str], Iterable[tuple[str, str]]]
"""Headers: a mapping, or pairs of name and value, where a name may come twice."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)


def call(function: CData, *arguments: object) -> None:
    """Calls a function of the library that may fail; its last argument, the error, is added here."""
    error = ffi.new("hookbox_error **")
    if function(*arguments, error):
        try:
            raise error_of(error[0])
        finally:
            lib.hookbox_error_free(error[0])


def take(kind: str, read: Callable[[CData], T], function: CData, *arguments: object) -> T:
    """Calls a function that gives an object of this type in its last output, reads and frees it."""
    out = ffi.new(f"{kind} **")
    call(function, *arguments, out)
    try:
        return read(out[0])
    finally:
        getattr(lib, f"{kind}_free")(out[0])


def text_in(value: str | bytes) -> tuple[CData, int]:
    """A `hookbox_str`. Where it becomes part of a structure, keep it as long as the structure."""
    # What is not UTF-8 goes in as it is: the library has the rule, and the message.
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
    return ffi.from_buffer(data), len(data)


def text_out(given: CData) -> str:
    """A text that the library gave."""
    return bytes_out(given).decode()


def bytes_out(given: CData) -> bytes:
    """Bytes that the library gave."""
    data: bytes = ffi.unpack(given.ptr, given.len) if given.len else b""
    return data


def json_in(value: str | bytes | object) -> str | bytes:
    """A JSON text: as it is, or of an object."""
    if isinstance(value, (str, bytes)):
        return value
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Structure:
    """A structure that is filled in, and what it points to."""

    def __init__(self, kind: str) -> None:
        self.pointer: CData = ffi.new(f"{kind} *")
        self.pointer.struct_size = ffi.sizeof(kind)
        self._kept: list[object] = []

    def set_text(self, name: str, value: str | bytes) -> None:
        """Sets a text."""
        text = text_in(value)
        self._kept.append(text)
        setattr(self.pointer, name, text)

    def set_array(self, name: str, count_name: str, array: Array) -> None:
        """Sets an array, and how many items it has."""
        self._kept.append(array)
        setattr(self.pointer, name, array.items)
        setattr(self.pointer, count_name, array.count)


class Array:
    """An array, and what its items point to."""

    def __init__(self, kind: str, items: list[object]) -> None:
        self._kept = items
        self.count = len(items)
        self.items: CData = ffi.new(f"{kind}[]", items) if items else ffi.NULL


def texts_in(values: Iterable[str]) -> Array:
    """An array of texts."""
    if isinstance(values, str):
        raise TypeError(f"a list of texts is needed, not the text {values!r}")
    return Array("hookbox_str", [text_in(value) for value in values])


def pairs_in(pairs: Headers) -> Array:
    """An array of names and values."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return Array("hookbox_pair", [(text_in(name), text_in(value)) for name, value in items])


def texts_out(given: CData) -> list[str]:
    """The texts of a `hookbox_texts`."""
    return [text_out(given.items[index]) for index in range(given.count)]


def milliseconds_of(moment: datetime) -> int:
    """Unix milliseconds of an aware moment."""
    return (moment - EPOCH) // MILLISECOND


def span_in(span: timedelta) -> int:
    """The milliseconds of a span: rounded up, because 0 often means something else."""
    return -(-span // MILLISECOND)


def moment_out(milliseconds: int) -> datetime:
    """A moment, in UTC."""
    return EPOCH + milliseconds * MILLISECOND


def optional_moment_out(milliseconds: int) -> datetime | None:
    """A moment, in UTC, where there is one."""
    return moment_out(milliseconds) if milliseconds else None
