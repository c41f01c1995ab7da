"""Plain data: what is read from a box. Immutable; times are aware and in UTC; secrets are not in `repr()`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a listing."""

    items: tuple[T, ...]
    next_cursor: str
    """For the next call; empty on the last page."""

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class App:
    """A tenant: it owns signing keys, webhooks and events."""

    id: str
    enabled: bool
    """Whether it takes events and changes."""
    created_at: datetime
    profile_name: str
    profile: Mapping[str, Any]
    """Its whole profile: which wire contract its webhooks follow."""


class EventFilter(Enum):
    """Which events a webhook hears, where it is not a list of types."""

    ALL = "all"


ALL_EVENTS = EventFilter.ALL
"""Every event of the app, of types that come later too."""


@dataclass(frozen=True)
class Webhook:
    """One registered URL of an app. Its secrets are never shown."""

    id: str
    app_id: str
    url: str
    all_events: bool
    """Whether it hears every event type; else `event_types` has them."""
    event_types: tuple[str, ...]
    verified: bool
    """Whether the endpoint passed its challenge."""
    enabled: bool
    """The operator's switch."""
    active: bool
    """Verified and enabled: it is owed what is emitted now."""
    has_basic_auth: bool
    last_http_code: int | None
    """The status of the last delivery that was answered."""
    last_http_code_at: datetime | None
    description: str
    environment: str
    """Only events of this environment are owed; empty: all."""
    overrides: Mapping[str, Any]
    """Its own settings in place of its app's profile."""
    header_names: tuple[str, ...]
    """Names of the custom headers."""
    created_at: datetime
    updated_at: datetime
    last_enabled_at: datetime | None
    last_disabled_at: datetime | None


@dataclass(frozen=True)
class NewEvent:
    """An event to emit."""

    event_type: str
    """Of the catalogue."""
    payload: str | bytes | Mapping[str, Any] | list[Any]
    """A `str` or `bytes` is one JSON text, stored and sent verbatim; a mapping or list becomes one."""
    idempotency_key: str = ""
    """Emitting again with the same key gives the first event's id and stores nothing (at most 255 bytes;
    for as long as retention keeps the event)."""
    environment: str = ""
    """The environment it happened in."""
    at_most_once: bool = False
    """Never sent again once any byte of a request may have arrived: the event may be lost. By default it
    is sent until it has arrived, and may arrive twice."""


@dataclass(frozen=True)
class Event:
    """An event as stored."""

    id: str
    """Receivers deduplicate on it."""
    position: int
    """Its place in the log, counted from 1."""
    app_id: str
    event_type: str
    payload: str
    """The JSON text as emitted."""
    created_at: datetime
    idempotency_key: str
    environment: str
    at_most_once: bool


class KeyPhase(IntEnum):
    """What a signing key is for, now."""

    NEXT = 0
    """Published, not yet signing: receivers' caches get to know it."""
    ACTIVE = 1
    """Published and signing."""
    RETIRED = 2
    """Published, no longer signing: what it signed can still be verified."""
    GONE = 3
    """No longer published."""


@dataclass(frozen=True)
class Key:
    """A signing key of an app, without its private part."""

    kid: str
    """Its id, as `X-Webhook-Signature-Key-Id` carries it."""
    public_jwk: Mapping[str, Any]
    phase: KeyPhase
    has_private_part: bool
    """Whether the private part is in the box; else the host signs (`Box.register_signer`)."""
    created_at: datetime
    signs_from: datetime
    signs_until: datetime | None
    """`None` when no key takes over yet."""
    published_until: datetime | None
    """`None` when that is not known yet."""


@dataclass(frozen=True)
class ApiKey:
    """A key of the management API, without its secret part."""

    id: str
    """"hbk_…": the public beginning of the key itself."""
    name: str
    """What it is for."""
    app_id: str
    """The one app it is for; empty: every app."""
    read_only: bool
    """Whether it is for looking only."""
    requests_per_second: int
    """In the long run; twice as many may come at once."""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""


class BatchStatus(IntEnum):
    """Where a batch stands."""

    WAITING = 1
    """Waits for its next attempt to be due."""
    LEASED = 2
    """Is being sent."""
    DELIVERED = 3
    """The endpoint accepted it."""
    EXHAUSTED = 4
    """Ran past its retry window; resendable."""
    PARKED = 5
    """Its webhook is inactive; it waits for re-activation."""
    CANCELLED = 6
    """Ended by the host, by the receiver, or by being split."""


@dataclass(frozen=True)
class Batch:
    """A frozen list of events for one webhook: the unit of delivery, retry and resend."""

    id: str
    """Stable over attempts and resends."""
    app_id: str
    webhook_id: str
    parent_id: str
    """The batch it was split from; empty for none."""
    status: BatchStatus
    at_most_once: bool
    end_reason: str
    """Why it ended otherwise than delivered; else empty."""
    event_count: int
    first_position: int
    last_position: int
    attempts: int
    """Requests begun so far."""
    failures: int
    """Failed attempts in the current budget."""
    created_at: datetime
    due_at: datetime | None
    """When it is due (waiting), or when its lease ends (leased)."""
    ended_at: datetime | None


@dataclass(frozen=True)
class Attempt:
    """One HTTP request for a batch, and what came of it."""

    batch_id: str
    webhook_id: str
    number: int
    """Counted from 1 within the batch."""
    http_status: int | None
    """The status that was answered; `None` when there was no answer."""
    failure: str
    """Why there was no answer: "timeout", "dns" …; else empty."""
    started_at: datetime
    duration: timedelta
    excerpt: str
    """The start of the response's body, or the failure in words."""


@dataclass(frozen=True)
class Backlog:
    """Where a webhook stands."""

    events_owed: int
    """Events owed that are in no batch yet; counted up to 100 000."""
    oldest_owed_at: datetime | None
    batches_waiting: int
    batches_leased: int
    batches_parked: int
    batches_exhausted: int
    consecutive_failures: int
    """Failed attempts since the last success."""
    failing_since: datetime | None
    last_success_at: datetime | None
    paused_until: datetime | None
    """Nothing is sent before, as the endpoint asked (`Retry-After`)."""
    next_due: datetime | None
    """When its next request is due, as far as it is known."""


@dataclass(frozen=True)
class BatchStory:
    """What happened to a batch, and what comes next."""

    batch: Batch
    attempts: tuple[Attempt, ...]
    """Oldest first; the last hundred."""
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class EventStory:
    """What happened to an event, for each webhook, and what comes next."""

    event: Event
    batches: tuple[BatchStory, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Stats:
    """The sizes of a box."""

    last_position: int
    """The last log position given."""
    bytes: int
    wal_bytes: int
    """Bytes of the write-ahead log, where there is one."""


@dataclass(frozen=True)
class Polled:
    """What `Box.poll` did."""

    attempts: int
    """How many requests were made."""
    next_due: datetime | None
    """When to poll again at the latest; `None`: nothing waits for a time."""


@dataclass(frozen=True)
class Request:
    """One HTTP request, to be sent as it is: no redirect followed, no header added but HTTP's own."""

    method: str
    """"POST" for deliveries, "GET" for the activation challenge."""
    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """In order. Values may be secret."""
    body: bytes = field(repr=False)
    timeout: timedelta
    """One hard deadline over everything."""


@dataclass(frozen=True)
class Delivery:
    """A batch to deliver: its request, and until when the right to send it lasts."""

    batch_id: str
    lease_until: datetime
    """Settle it before, or the batch goes to somebody else."""
    request: Request
    handle: object = field(repr=False, compare=False)
    """The library's own."""


class FailureKind(IntEnum):
    """Why there was no answer."""

    DNS = 1
    """The name has no address, or the resolver failed."""
    ADDRESS_DENIED = 2
    """An address that the name resolved to is not allowed."""
    CONNECT = 3
    """No connection."""
    TLS = 4
    """The TLS handshake or the certificate failed."""
    TIMEOUT = 5
    """The deadline passed."""
    RESET = 6
    """The connection broke."""
    PROTOCOL = 7
    """The answer is not HTTP, or larger than allowed."""
    PROXY = 8
    """A proxy of the host's failed. Never charged to the endpoint."""
    STOPPED = 9
    """It was not sent after all (the host stops). Never charged to the endpoint."""


@dataclass(frozen=True)
class Answered:
    """The endpoint answered."""

    http_status: int
    """100 to 999."""
    headers: Mapping[str, str] | tuple[tuple[str, str], ...] = ()
    """hookbox reads `Retry-After` and `Webhook-Delivery`."""
    body: bytes = b""
    """Its start (16 KiB are enough), for the record."""


@dataclass(frozen=True)
class Failed:
    """There was no answer."""

    kind: FailureKind
    message: str = ""
    """The failure in words, for the record."""


@dataclass(frozen=True)
class Notice:
    """Something that a host's operators may want to hear of, after it was stored."""

    kind: str
    """"webhook_failing", "webhook_deactivated", "webhook_recovered", "batch_exhausted", "batch_split",
    "key_rotated", "delivery_fault", "bad_row", "engine_failed", "storage_stalled", "storage_resumed"; later
    versions may have more."""
    app_id: str
    webhook_id: str
    batch_id: str
    details: Mapping[str, Any]
    """All of it; the member "notice" is the kind."""


@dataclass(frozen=True)
class ReceivedEvent:
    """One event out of a request that was verified."""

    id: str
    """The same at every attempt: remember it to tell repetitions. Empty under the Fingerprint profile,
    which signs none."""
    event_type: str
    """Empty under the Fingerprint profile."""
    payload: str
    """JSON text, exactly as it came."""
    created_at: str
    """When it was emitted, RFC 3339 as it came; may be empty."""


@dataclass(frozen=True)
class ChallengeAnswer:
    """The answer to an activation challenge, to be sent as it is."""

    http_status: int
    content_type: str
    body: bytes
    challenge: int
    """The number that was asked back."""
    app_id: str
    """Which app asks; empty when it does not say."""


class Dialect(IntEnum):
    """Which vendor's management API is answered, beside hookbox's own."""

    PRELUDE = 1
    """/v2/session/apps/{app}/webhooks…"""
    FINGERPRINT = 2
    """/webhooks…, for the app of the key."""


API_BODY_BYTES_MAX = 1024 * 1024
"""Bytes of the largest body that the management API takes: a server need not read more."""


@dataclass(frozen=True)
class Grant:
    """What the sender of a request to the management API may do, for a program that has found that out by
    itself."""

    app: str | None
    """The one app it is for; `None`: every app. It has no default, and an empty text is a `ValueError`: an
    app that was forgotten must not become every app."""
    read_only: bool = False
    """For looking only."""

    def __post_init__(self) -> None:
        if self.app == "":
            raise ValueError("a grant is for an app; None is for every app")


@dataclass(frozen=True)
class ApiResponse:
    """What to answer to a request to the management API."""

    http_status: int
    headers: tuple[tuple[str, str], ...]
    """`Content-Length` and `Date` are the server's to add."""
    body: bytes = field(repr=False)
    """May hold secrets: what is shown once."""
