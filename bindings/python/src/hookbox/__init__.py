"""hookbox: an embedded webhook outbox. https://github.com/hookbox/hookbox

A program opens a box, creates an app, registers webhooks, and emits events; hookbox delivers them, signed,
for two weeks if need be, and keeps a record of every attempt.

    import hookbox

    with hookbox.open("app.db") as box:
        box.create_app("54e9ujn")
        webhook = box.create_webhook("54e9ujn", "https://example.com/hooks")
        box.activate("54e9ujn", webhook.id)
        box.start()
        box.emit("54e9ujn", "user.created", {"user_id": "usr_1"})

Inside one process a file may be opened by one copy of SQLite only, and this library has its own: never open a
box's file with the `sqlite3` module in the program that has the box open. Other processes may.
"""

from __future__ import annotations

from hookbox._apps import profile
from hookbox._convert import Headers
from hookbox._library import check_version, sqlite_is_bundled, sqlite_version, version
from hookbox._webhooks import Events
from hookbox.box import Box, open, open_in_memory, open_read_only, open_store
from hookbox.errors import (
    ActivationFailed,
    AppDisabled,
    Closed,
    CommitUnknown,
    Conflict,
    Error,
    Forked,
    InternalError,
    InvalidRequest,
    KeyUnavailable,
    LeaseLost,
    NotAuthentic,
    NotFound,
    ReadOnly,
    SealBroken,
    Status,
    StorageBusy,
    StorageError,
    StorageFull,
    UnknownKey,
    Unsupported,
)
from hookbox.host import (
    Clock,
    KeyValueStore,
    KeyValueTransaction,
    Outcome,
    Signer,
    StoppableTransport,
    Transport,
)
from hookbox.model import (
    ALL_EVENTS,
    API_BODY_BYTES_MAX,
    Answered,
    ApiKey,
    ApiResponse,
    App,
    Attempt,
    Backlog,
    Batch,
    BatchStatus,
    BatchStory,
    ChallengeAnswer,
    Delivery,
    Dialect,
    Event,
    EventFilter,
    EventStory,
    Failed,
    FailureKind,
    Grant,
    Key,
    KeyPhase,
    NewEvent,
    Notice,
    Page,
    Polled,
    ReceivedEvent,
    Request,
    Stats,
    Webhook,
)
from hookbox.options import Options
from hookbox.receive import Verifier, answer_challenge

__all__ = [
    "ALL_EVENTS",
    "API_BODY_BYTES_MAX",
    "ActivationFailed",
    "Answered",
    "ApiKey",
    "ApiResponse",
    "App",
    "AppDisabled",
    "Attempt",
    "Backlog",
    "Batch",
    "BatchStatus",
    "BatchStory",
    "Box",
    "ChallengeAnswer",
    "Clock",
    "Closed",
    "CommitUnknown",
    "Conflict",
    "Delivery",
    "Dialect",
    "Error",
    "Event",
    "EventFilter",
    "EventStory",
    "Events",
    "Failed",
    "FailureKind",
    "Forked",
    "Grant",
    "Headers",
    "InternalError",
    "InvalidRequest",
    "Key",
    "KeyPhase",
    "KeyUnavailable",
    "KeyValueStore",
    "KeyValueTransaction",
    "LeaseLost",
    "NewEvent",
    "NotAuthentic",
    "NotFound",
    "Notice",
    "Options",
    "Outcome",
    "Page",
    "Polled",
    "ReadOnly",
    "ReceivedEvent",
    "Request",
    "SealBroken",
    "Signer",
    "Stats",
    "Status",
    "StoppableTransport",
    "StorageBusy",
    "StorageError",
    "StorageFull",
    "Transport",
    "UnknownKey",
    "Unsupported",
    "Verifier",
    "Webhook",
    "answer_challenge",
    "open",
    "open_in_memory",
    "open_read_only",
    "open_store",
    "profile",
    "sqlite_is_bundled",
    "sqlite_version",
    "version",
]

check_version()
