"""What a program may bring itself: protocols. All methods are called from any thread, several at once.

An exception in one of them is contained: it is reported through `sys.unraisablehook`, and the call counts
as failed. None of them may start, stop or close the box that calls it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol, Union, runtime_checkable

from hookbox.model import Answered, Failed, Request

Outcome = Union[Answered, Failed]
"""What came of a request."""


class Transport(Protocol):
    """Sends HTTP requests: the activation challenge, test events and deliveries.

    It keeps the request's timeout, follows no redirect, and, unless it has its own way to the outside,
    connects only to addresses that it knows to be harmless: hookbox's address guard sees the URL only.
    """

    def send(self, request: Request) -> Outcome:
        """Sends one request, and says what came of it. Where it raises, the fault is the host's: the
        request is tried again, and its endpoint is not charged."""


@runtime_checkable
class StoppableTransport(Transport, Protocol):
    """A transport that can break what is in flight."""

    def shutdown(self) -> None:
        """Breaks what is in flight, so that `send` returns soon: a stop has waited long enough. It must
        be able to send again afterwards."""


class Clock(Protocol):
    """Where the time comes from. For tests: two weeks of retries in a second."""

    def now(self) -> datetime:
        """The time, aware. It may jump in either direction. Called often: it must not wait, and not call
        hookbox. Where it raises, the time of the call before counts (at first, the system's)."""


class Signer(Protocol):
    """Signs with a private key that stays with the host."""

    def sign(self, sha256: bytes) -> bytes:
        """Signs a digest of 32 bytes: RSASSA-PSS (RFC 8017 section 8.1.1), MGF1 with SHA-256, a random
        salt of 32 bytes; the digest is not hashed again. It counts against the deadline of an attempt.

        Raises `KeyUnavailable` when the key cannot be reached now: the batch is tried again.
        """


class KeyValueTransaction(Protocol):
    """A transaction of a `KeyValueStore`. It stays on the thread that began it."""

    def get(self, key: bytes) -> bytes | None:
        """Reads a value, as written by this transaction or before it."""

    def put(self, key: bytes, value: bytes) -> None:
        """Writes a value, in the place of the one that was there."""

    def delete(self, key: bytes) -> None:
        """Removes a key and its value. A key that is not there is no error."""

    def scan(self, from_key: bytes, to_key: bytes, reverse: bool) -> Iterator[tuple[bytes, bytes]]:
        """Gives each key from `from_key` on and before `to_key`, and its value, in ascending order, or
        with `reverse` in descending order; what this transaction wrote is among them. It need not be
        read to its end."""

    def commit(self) -> None:
        """Commits, and ends the transaction whatever comes. Afterwards everything written survives a
        power failure, and every transaction that begins later sees it. `CommitUnknown`: it may or may not
        have been committed. Any other exception: nothing was."""

    def rollback(self) -> None:
        """Undoes everything written, and ends the transaction."""


class KeyValueStore(Protocol):
    """An ordered, transactional key-value store; hookbox builds a whole storage on it.

    It belongs to one box: nobody else writes to it while the box is open. Keys are byte strings in the
    order of Python's `bytes`. Methods raise a `StorageError` (`StorageFull`, `StorageBusy` …); any other
    exception counts as one, and is reported.
    """

    def begin(self, write: bool) -> KeyValueTransaction:
        """Begins a transaction: with `write`, one that may write; one of these at a time, another waits
        for it or is refused with `StorageBusy`. Those that read run beside it, in any number; each sees
        what was committed when it began, and nothing later."""
