"""What can go wrong, as exceptions: one class for each thing that a program may act on."""

from __future__ import annotations

from enum import IntEnum

from hookbox._library import CData, ffi


class Status(IntEnum):
    """What a call came to. Numbers are never changed or reused."""

    INVALID_REQUEST = 100
    INVALID_WEBHOOK_EVENT = 101
    WEBHOOK_INVALID_URL = 102
    WEBHOOK_ACTIVATION_FAILED = 103
    SESSION_DISABLED = 104
    APP_NOT_FOUND = 105
    APP_EXISTS = 106
    WEBHOOK_NOT_FOUND = 107
    EVENT_NOT_FOUND = 108
    BATCH_NOT_FOUND = 109
    KEY_NOT_FOUND = 110
    INVALID_PAYLOAD = 111
    PAYLOAD_TOO_LARGE = 112
    BATCH_CONFLICT = 113
    LEASE_LOST = 114
    INVALID_KEY = 115
    READ_ONLY = 116
    UNSUPPORTED = 117
    INVALID_ARGUMENT = 118
    INVALID_UTF8 = 119
    CLOSED = 120
    FORKED = 121
    API_KEY_NOT_FOUND = 122
    STORAGE_BUSY = 200
    STORAGE_FULL = 201
    STORAGE_READ_ONLY = 202
    STORAGE_CORRUPT = 203
    STORAGE_NEWER_SCHEMA = 204
    STORAGE_UNSUPPORTED_ENGINE = 205
    STORAGE_COMMIT_UNKNOWN = 206
    STORAGE_BAD_ROW = 207
    STORAGE_IO = 208
    KEY_UNAVAILABLE = 400
    SEAL_BROKEN = 401
    NOT_AUTHENTIC = 402
    UNKNOWN_KEY = 403
    INTERNAL = 900
    PANIC = 901


class Error(Exception):
    """Something went wrong. `str()` says what, and what to do: one line, without any secret.

    A callback of the host's (a `Signer`, a `KeyValueStore`) may raise one of its own: `KeyUnavailable("…")`.
    """

    default_status = Status.INTERNAL

    status: int
    """The number, one of `Status` (or of a later version's)."""
    code: str
    """The stable code, the vendor's own where the vendor has one: "webhook_invalid_url"."""
    http_status: int
    """The HTTP status that the management API answers with: 400 to 503."""
    retryable: bool
    """Whether the same call may succeed later without any change by the caller."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        http_status: int = 500,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = self.default_status if status is None else status
        self.code = self.default_status.name.lower() if code is None else code
        self.http_status = http_status
        self.retryable = retryable


class InvalidRequest(Error):
    """An argument breaks a documented rule or limit; the message names it."""

    default_status = Status.INVALID_REQUEST


class ActivationFailed(Error):
    """The endpoint did not prove its ownership; the webhook is unchanged."""

    default_status = Status.WEBHOOK_ACTIVATION_FAILED


class AppDisabled(Error):
    """The app is disabled."""

    default_status = Status.SESSION_DISABLED


class NotFound(Error):
    """No app, webhook, event, batch, key or API key has this id, or retention has removed it."""

    default_status = Status.APP_NOT_FOUND


class Conflict(Error):
    """The app exists already, or the batch is in a state that does not allow the call."""

    default_status = Status.BATCH_CONFLICT


class LeaseLost(Error):
    """The lease ended or was taken over: the result was not recorded. Do not settle it again."""

    default_status = Status.LEASE_LOST


class ReadOnly(Error):
    """The box is open for reading only."""

    default_status = Status.READ_ONLY


class Unsupported(Error):
    """The call needs something that this box, or this build of the library, does not have."""

    default_status = Status.UNSUPPORTED


class Closed(Error):
    """The box was closed."""

    default_status = Status.CLOSED


class Forked(Error):
    """This process is a child of `os.fork()`: the box is its parent's. Nothing was touched."""

    default_status = Status.FORKED


class StorageError(Error):
    """The storage failed: `status` says how. Except after `CommitUnknown`, nothing was changed."""

    default_status = Status.STORAGE_IO


class StorageBusy(StorageError):
    """Another process held the database too long: try again."""

    default_status = Status.STORAGE_BUSY


class StorageFull(StorageError):
    """No space left: free space, and try again."""

    default_status = Status.STORAGE_FULL


class CommitUnknown(StorageError):
    """Whether the commit survives is unknown: repeat the call with the same idempotency key."""

    default_status = Status.STORAGE_COMMIT_UNKNOWN


class KeyUnavailable(Error):
    """No usable signing key: the private part is elsewhere, sealed with another key, or unset."""

    default_status = Status.KEY_UNAVAILABLE


class SealBroken(Error):
    """A stored secret does not open with the key-encryption key given."""

    default_status = Status.SEAL_BROKEN


class NotAuthentic(Error):
    """A received request or challenge is not authentic: answer 401, and log the message."""

    default_status = Status.NOT_AUTHENTIC


class UnknownKey(NotAuthentic):
    """The JWK set has no key with the request's kid. It may have been rotated in: fetch the set anew,
    at most once a minute, and verify again."""

    default_status = Status.UNKNOWN_KEY


class InternalError(Error):
    """A bug in hookbox. Please report it. After `Status.PANIC` the box is of no use any more."""


CLASSES: dict[Status, type[Error]] = {
    Status.INVALID_REQUEST: InvalidRequest,
    Status.INVALID_WEBHOOK_EVENT: InvalidRequest,
    Status.WEBHOOK_INVALID_URL: InvalidRequest,
    Status.WEBHOOK_ACTIVATION_FAILED: ActivationFailed,
    Status.SESSION_DISABLED: AppDisabled,
    Status.APP_NOT_FOUND: NotFound,
    Status.APP_EXISTS: Conflict,
    Status.WEBHOOK_NOT_FOUND: NotFound,
    Status.EVENT_NOT_FOUND: NotFound,
    Status.BATCH_NOT_FOUND: NotFound,
    Status.KEY_NOT_FOUND: NotFound,
    Status.INVALID_PAYLOAD: InvalidRequest,
    Status.PAYLOAD_TOO_LARGE: InvalidRequest,
    Status.BATCH_CONFLICT: Conflict,
    Status.LEASE_LOST: LeaseLost,
    Status.INVALID_KEY: InvalidRequest,
    Status.READ_ONLY: ReadOnly,
    Status.UNSUPPORTED: Unsupported,
    Status.INVALID_ARGUMENT: InvalidRequest,
    Status.INVALID_UTF8: InvalidRequest,
    Status.CLOSED: Closed,
    Status.FORKED: Forked,
    Status.API_KEY_NOT_FOUND: NotFound,
    Status.STORAGE_BUSY: StorageBusy,
    Status.STORAGE_FULL: StorageFull,
    Status.STORAGE_READ_ONLY: StorageError,
    Status.STORAGE_CORRUPT: StorageError,
    Status.STORAGE_NEWER_SCHEMA: StorageError,
    Status.STORAGE_UNSUPPORTED_ENGINE: StorageError,
    Status.STORAGE_COMMIT_UNKNOWN: CommitUnknown,
    Status.STORAGE_BAD_ROW: StorageError,
    Status.STORAGE_IO: StorageError,
    Status.KEY_UNAVAILABLE: KeyUnavailable,
    Status.SEAL_BROKEN: SealBroken,
    Status.NOT_AUTHENTIC: NotAuthentic,
    Status.UNKNOWN_KEY: UnknownKey,
    Status.INTERNAL: InternalError,
    Status.PANIC: InternalError,
}
"""Which exception a status is. A status of a later version is a plain `Error`."""


def error_of(given: CData) -> Error:
    """The exception for a `hookbox_error`, which stays the caller's."""
    status: int = given.status
    known = status in Status.__members__.values()
    return (CLASSES[Status(status)] if known else Error)(
        ffi.unpack(given.message.ptr, given.message.len).decode(),
        status=Status(status) if known else status,
        code=ffi.unpack(given.code.ptr, given.code.len).decode(),
        http_status=given.http_status,
        retryable=given.retryable,
    )
