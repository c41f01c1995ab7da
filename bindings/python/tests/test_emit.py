"""emit: one, many, idempotent, at most once, too large, of an unknown type."""

from __future__ import annotations

import pytest
from support import APP, World

import hookbox
from hookbox import BatchStatus, Failed, FailureKind, NewEvent, Options, Outcome, Request, Status


def test_emit_one(world: World) -> None:
    verbatim = '{"n": 1.50,  "s": "é"}'
    event = world.box.event(world.box.emit(APP, "user.created", verbatim))
    assert event.payload == verbatim
    assert (event.app_id, event.event_type, event.position) == (APP, "user.created", 1)
    assert event.created_at == world.clock.time
    assert world.box.event(world.box.emit(APP, "user.created", verbatim.encode())).payload == verbatim
    assert world.box.event(world.box.emit(APP, "user.created", {"é": [1]})).payload == '{"é":[1]}'
    assert world.box.event(world.box.emit(APP, "user.created", [])).payload == "[]"


def test_emit_many(world: World) -> None:
    ids = world.box.emit_many(APP, [NewEvent("user.created", {"n": n}) for n in range(1000)])
    assert len(set(ids)) == 1000
    assert [event.id for event in world.box.events(APP, page_size=300)] == ids[::-1]
    with pytest.raises(hookbox.InvalidRequest):
        world.box.emit_many(APP, [NewEvent("user.created", "{}")] * 10_001)
    # All or none.
    with pytest.raises(hookbox.InvalidRequest):
        world.box.emit_many(APP, [NewEvent("user.created", "{}"), NewEvent("user.created", "{")])
    assert world.box.stats().last_position == 1000
    assert world.box.emit_many(APP, []) == []


def test_emit_idempotent(world: World) -> None:
    first = world.box.emit(APP, "user.created", "{}", idempotency_key="a", environment="test")
    assert world.box.emit(APP, "user.created", '{"other":1}', idempotency_key="a") == first
    event = world.box.event(first)
    assert (event.idempotency_key, event.environment, event.payload) == ("a", "test", "{}")


def test_emit_at_most_once(world: World) -> None:
    # The connection breaks: nobody knows whether it arrived, so it is not sent again.
    def breaks(_: Request) -> Outcome:
        return Failed(FailureKind.RESET, "the line is dead")

    world.webhook()
    world.transport.answer = breaks
    event = world.box.emit(APP, "user.created", "{}", at_most_once=True)
    assert world.box.event(event).at_most_once
    assert world.box.poll().attempts == 1
    (batch,) = world.box.batches(APP)
    assert batch.at_most_once
    assert (batch.status, batch.end_reason) == (BatchStatus.EXHAUSTED, "result_unknown")
    (attempt,) = world.box.attempts(APP)
    assert (attempt.http_status, attempt.failure) == (None, "reset")
    assert attempt.excerpt == "the line is dead"


@pytest.mark.parametrize(
    ("event_type", "payload", "status"),
    [
        ("user.created", '"' + "x" * 100 + '"', Status.PAYLOAD_TOO_LARGE),
        ("user.created", "{} {}", Status.INVALID_PAYLOAD),
        ("user.created", b'"\xff"', Status.INVALID_UTF8),
        ("nobody.knows", "{}", Status.INVALID_WEBHOOK_EVENT),
    ],
)
def test_emit_refused(event_type: str, payload: str | bytes, status: Status) -> None:
    with hookbox.open_in_memory(Options(payload_bytes_max=100)) as box:
        box.create_app(APP)
        with pytest.raises(hookbox.InvalidRequest) as refused:
            box.emit(APP, event_type, payload)
        assert refused.value.status == status
        assert box.stats().last_position == 0


def test_emit_of_what_json_has_not() -> None:
    with hookbox.open_in_memory() as box:
        box.create_app(APP)
        with pytest.raises(ValueError, match="JSON"):
            box.emit(APP, "user.created", {"n": float("nan")})


def test_emit_in_needs_the_systems_sqlite(world: World) -> None:
    # The wheel's library has a copy of SQLite of its own, so it must not look at the pointer.
    assert hookbox.sqlite_is_bundled()
    with pytest.raises(hookbox.Unsupported):
        world.box.emit_in(0xDEAD, APP, [NewEvent("user.created", "{}")])
