"""From C into the host's objects: no exception leaves, none is lost.

An object is given to C as a handle, and kept alive here until C calls its destroy.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hookbox import _read
from hookbox._convert import Structure, call, milliseconds_of, pairs_in, text_in
from hookbox._library import CData, callback, ffi, lib
from hookbox.errors import Error, KeyUnavailable, Status
from hookbox.host import Clock, Outcome, Signer, StoppableTransport, Transport
from hookbox.model import Answered, Notice

_alive: dict[int, CData] = {}
_alive_lock = threading.RLock()  # A finalizer may run while it is held.


def handle_of(host: object) -> CData:
    """A `void *` that stands for an object until C destroys it with `destroy`."""
    handle = ffi.new_handle(host)
    with _alive_lock:
        _alive[int(ffi.cast("uintptr_t", handle))] = handle
    return handle


def take_back(handle: CData) -> None:
    """A call failed, maybe before it took the object over: lets go of it, unless `destroy` has."""
    with _alive_lock:
        address = int(ffi.cast("uintptr_t", handle))
        if _alive.get(address) is handle:
            del _alive[address]


@callback("hookbox_destroy")
def destroy(user_data: CData) -> None:
    """C is done with an object."""
    with _alive_lock:
        del _alive[int(ffi.cast("uintptr_t", user_data))]


def report(error: BaseException) -> None:
    """Gives an exception to `sys.unraisablehook`."""

    # Only C code can call the default hook: cffi does, for what its callbacks raise.
    @callback("void(void)")
    def exception_in_a_callback_of_hookbox() -> None:
        raise error

    exception_in_a_callback_of_hookbox()


@callback("hookbox_on_notice")
def on_notice(user_data: CData, given: CData) -> None:
    """Tells the host of a notice."""
    try:
        tell: Callable[[Notice], object] = ffi.from_handle(user_data)
        tell(_read.notice(given))
    except BaseException as error:
        report(error)


def outcome_in(outcome: Outcome) -> Structure:
    """A `hookbox_outcome`."""
    structure = Structure("hookbox_outcome")
    if isinstance(outcome, Answered):
        structure.pointer.kind = lib.HOOKBOX_ANSWERED
        structure.pointer.http_status = outcome.http_status
        structure.set_array("headers", "header_count", pairs_in(outcome.headers))
        structure.set_text("body", outcome.body)
    else:
        structure.pointer.kind = outcome.kind
        structure.set_text("body", outcome.message)
    return structure


@callback("hookbox_transport_send")
def _send(context: CData, request: CData, reply: CData) -> None:
    try:
        transport: Transport = ffi.from_handle(context)
        outcome = outcome_in(transport.send(_read.request(request)))
        call(lib.hookbox_reply_set, reply, outcome.pointer)
    except BaseException as error:
        report(error)  # A reply that was not set is a fault of the host's.


@callback("void(void *)")
def _shutdown(context: CData) -> None:
    try:
        transport: StoppableTransport = ffi.from_handle(context)
        transport.shutdown()
    except BaseException as error:
        report(error)


def transport_in(transport: Transport) -> Structure:
    """A `hookbox_transport`."""
    structure = Structure("hookbox_transport")
    structure.pointer.context = handle_of(transport)
    structure.pointer.send = _send
    if isinstance(transport, StoppableTransport):
        structure.pointer.shutdown = _shutdown
    structure.pointer.destroy = destroy
    return structure


class _KeptTime:
    """A host's clock, and what it said last."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.last = time.time_ns() // 1_000_000


@callback("int64_t(void *)")
def _now_ms(context: CData) -> int:
    kept: _KeptTime = ffi.from_handle(context)
    try:
        kept.last = milliseconds_of(kept.clock.now())
    except BaseException as error:
        report(error)
    return kept.last


def clock_in(clock: Clock) -> Structure:
    """A `hookbox_clock`."""
    structure = Structure("hookbox_clock")
    structure.pointer.context = handle_of(_KeptTime(clock))
    structure.pointer.now_ms = _now_ms
    structure.pointer.destroy = destroy
    return structure


def failure(raised: BaseException, error: CData, meant: type[Error], otherwise: Status) -> int:
    """The status for what a callback raised; `error`, where there is one, gets its message.

    An exception that is `meant` to be raised is an answer; any other is reported as well.
    """
    if isinstance(raised, meant):
        status, message = raised.status, str(raised)
    else:
        report(raised)
        status, message = otherwise, f"the host's code raised {type(raised).__name__}"
    if error:
        error[0] = lib.hookbox_error_new(status, text_in(message))
    return int(status)


@callback("hookbox_signer_sign", error=Status.KEY_UNAVAILABLE)
def _sign(context: CData, sha256: CData, signature: CData, room: int, length: CData, error: CData) -> int:
    try:
        signer: Signer = ffi.from_handle(context)
        made = signer.sign(bytes(ffi.buffer(sha256, 32)))
        if len(made) > room:
            raise ValueError(f"the signature has {len(made)} bytes, and {room} have room")
        ffi.memmove(signature, made, len(made))
        length[0] = len(made)
    except BaseException as raised:
        return failure(raised, error, KeyUnavailable, Status.KEY_UNAVAILABLE)
    return 0


@contextmanager
def signer_in(signer: Signer) -> Iterator[CData]:
    """A `hookbox_signer *`, for a call that takes it over: a box that is closed does not."""
    handle = handle_of(signer)
    structure = Structure("hookbox_signer")
    structure.pointer.context = handle
    structure.pointer.sign = _sign
    structure.pointer.destroy = destroy
    try:
        yield structure.pointer
    except BaseException:
        take_back(handle)
        raise
