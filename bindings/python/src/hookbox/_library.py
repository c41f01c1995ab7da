"""The shared library: loaded, and checked against the header this package was made from, at import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from hookbox import _abi

# What cffi gives is typed by the C header, not by Python.
CData = Any
F = TypeVar("F", bound=Callable[..., Any])

NAMES = {"darwin": "libhookbox.dylib", "win32": "hookbox.dll"}

ffi: Any = _abi.ffi
lib: Any = ffi.dlopen(str(Path(__file__).parent / NAMES.get(sys.platform, "libhookbox.so")))


def callback(kind: str, error: int | None = None) -> Callable[[F], F]:
    """Makes a function of Python's callable from C. `error` is what C gets when it raises after all."""
    decorator: Callable[[F], F] = ffi.callback(kind, error=error)
    return decorator


def version() -> str:
    """The library's version, as "0.1.0"."""
    text: str = ffi.string(lib.hookbox_version()).decode()
    return text


def sqlite_version() -> str:
    """The version of the copy of SQLite that the library runs on."""
    text: str = ffi.string(lib.hookbox_sqlite_version()).decode()
    return text


def sqlite_is_bundled() -> bool:
    """Whether the library has a copy of SQLite of its own.

    If so, nobody else in this process may open a box's file with another copy, the `sqlite3` module
    among them: two copies in one process corrupt a file.
    """
    return bool(lib.hookbox_sqlite_is_bundled())


def check_version() -> None:
    """Refuses a library of another version than the header that this package was made from."""
    if lib.hookbox_version_check(lib.HOOKBOX_VERSION_NUMBER, ffi.NULL):
        raise ImportError(
            f"this package was made for hookbox {lib.HOOKBOX_VERSION_NUMBER}, "
            f"but its library is {version()}: install the package anew"
        )
