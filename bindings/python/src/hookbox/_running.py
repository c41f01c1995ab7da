"""Delivering: with hookbox's threads, on the calling thread, or with the host's own HTTP client."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from hookbox import _read
from hookbox._callbacks import outcome_in
from hookbox._convert import call, milliseconds_of, moment_out, optional_moment_out, span_in, text_out
from hookbox._handle import Handle
from hookbox._library import CData, ffi, lib
from hookbox.host import Outcome
from hookbox.model import Delivery, Polled

# How long Python waits for its signals: Ctrl-C among them.
SLICE_SECONDS = 0.1


class Running(Handle):
    """Methods of a box that deliver."""

    # Another one after each interrupt.
    _interrupt: object = None

    def start(self) -> None:
        """Starts the threads that deliver. Starting twice changes nothing. Raises `ReadOnly`;
        `Unsupported` from inside a callback."""
        call(lib.hookbox_box_start, self._hooks)

    def stop(self, drain: timedelta = timedelta(seconds=5)) -> None:
        """Stops the threads: claims nothing more, waits up to `drain` for requests in flight, breaks them
        then, and stores every result. When it returns, no thread of hookbox runs. May be started again.

        Raises `StorageError` when the storage took no more results: what they belong to is sent again when
        its lease ends. `Unsupported` from inside a callback.
        """
        call(lib.hookbox_box_stop, self._hooks, span_in(drain))

    def wake(self) -> None:
        """Tells the threads that something may be due: after a commit of the program's own that emitted.
        Never needed after a method of the box."""
        call(lib.hookbox_box_wake, self._hooks)

    def poll(self, now: datetime | None = None) -> Polled:
        """Delivers on the calling thread what is due, one request after the other: for programs that want
        no threads of hookbox's. `now`: the time; the box's clock by default.

        Raises `StorageError`: a request that was made is then not recorded, and is made again when its lease
        ends.
        """
        attempts, next_due = ffi.new("size_t *"), ffi.new("int64_t *")
        now_ms = 0 if now is None else milliseconds_of(now)
        call(lib.hookbox_box_poll, self._hooks, now_ms, attempts, next_due)
        return Polled(int(attempts[0]), optional_moment_out(next_due[0]))

    def interrupt(self) -> None:
        """Makes calls of `poll` and `wait_idle` that other threads have under way return soon: the former
        after the request at hand, the latter at once."""
        self._interrupt = object()
        call(lib.hookbox_box_interrupt, self._hooks)

    def wait_idle(self, patience: timedelta) -> bool:
        """Waits for at most `patience` until the threads have nothing to do: nothing in flight, nothing
        due. Gives whether that is so: not when they still have, or are not running. For scripts and tests:
        what another process emits in the last half second may not have been seen."""
        until = time.monotonic() + patience.total_seconds()
        idle = ffi.new("bool *")
        before = self._interrupt
        while True:
            left = max(0.0, min(SLICE_SECONDS, until - time.monotonic()))
            call(lib.hookbox_box_wait_idle, self._hooks, int(left * 1000), idle)
            if idle[0] or self._interrupt is not before or left < SLICE_SECONDS:
                return bool(idle[0])

    def claim(self, limit: int = 100) -> list[Delivery]:
        """Claims up to `limit` batches (1 to 1000) for the program to send with its own HTTP client. Settle
        each before its lease ends; what is not settled is sent again then. None: nothing is due. Raises
        `InvalidRequest`, `StorageError`."""
        out = ffi.new("hookbox_delivery_list **")
        call(lib.hookbox_claim, self._hooks, limit, out)
        claimed = ffi.gc(out[0], lib.hookbox_delivery_list_free)
        return [_delivery(claimed, index) for index in range(claimed.count)]

    def settle(self, delivery: Delivery, outcome: Outcome) -> None:
        """Records what came of a claimed delivery. Raises `LeaseLost` when it came too late: do not settle
        it again; `StorageError`: settle it again."""
        if not isinstance(delivery.handle, _Claimed):
            raise TypeError("this delivery does not come from claim()")
        given = outcome_in(outcome)
        call(lib.hookbox_settle, self._hooks, delivery.handle.pointer, given.pointer)


class _Claimed:
    """A delivery in the list that it was claimed with, which lives as long as any of them."""

    def __init__(self, claimed: CData, index: int) -> None:
        self._list = claimed
        self.pointer = claimed.items[index]


def _delivery(claimed: CData, index: int) -> Delivery:
    handle = _Claimed(claimed, index)
    given = handle.pointer
    return Delivery(
        batch_id=text_out(given.batch_id),
        lease_until=moment_out(given.lease_until_ms),
        request=_read.request(ffi.addressof(given, "request")),
        handle=handle,
    )
