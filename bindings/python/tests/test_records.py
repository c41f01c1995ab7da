"""records: events, batches, attempts, backlog, stories; resend, cancel, replay; upkeep."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from support import APP, START, Endpoint, World, failing, well

import hookbox
from hookbox import Answered, BatchStatus


def deliver_some(world: World, count: int) -> str:
    """A webhook with so many batches of one event each."""
    webhook = world.webhook()
    for number in range(count):
        world.box.emit(APP, "user.created" if number % 2 else "user.deleted", {"n": number})
        assert world.box.poll().attempts == 1
        world.pass_time(timedelta(minutes=1))
    return webhook


def test_records_are_listed(world: World) -> None:
    webhook = deliver_some(world, 5)
    box = world.box
    events = list(box.events(APP, page_size=2))
    assert [event.position for event in events] == [5, 4, 3, 2, 1]
    assert len(list(box.events(APP, event_type="user.created"))) == 2
    batches = list(box.batches(APP, page_size=2))
    assert [batch.first_position for batch in batches] == [5, 4, 3, 2, 1]
    assert {batch.webhook_id for batch in batches} == {webhook}
    assert list(box.batches(APP, status=BatchStatus.WAITING)) == []
    assert list(box.batches(APP, webhook=webhook, status=BatchStatus.DELIVERED)) == batches
    attempts = list(box.attempts(APP, page_size=2))
    assert [attempt.batch_id for attempt in attempts] == [batch.id for batch in batches]
    assert list(box.attempts(APP, webhook=webhook, batch=batches[1].id)) == [attempts[1]]
    assert (attempts[0].number, attempts[0].http_status, attempts[0].failure) == (1, 200, "")
    assert attempts[-1].started_at == START
    assert attempts[-1].duration >= timedelta(0)
    assert box.webhook(APP, webhook).last_http_code == 200
    with pytest.raises(hookbox.NotFound):
        box.batch("bat_01jqebhswje1ka1z7ahr9rfsgt")
    with pytest.raises(hookbox.NotFound):
        box.event_page("nobody")


def test_records_of_a_backlog(world: World) -> None:
    webhook = world.webhook()
    empty = world.box.backlog(APP, webhook)
    assert (empty.events_owed, empty.oldest_owed_at, empty.last_success_at) == (0, None, None)
    world.transport.answer = failing
    world.box.emit(APP, "user.created", "{}")
    assert world.box.backlog(APP, webhook).events_owed == 1
    assert world.box.backlog(APP, webhook).oldest_owed_at == START
    world.box.poll()
    backlog = world.box.backlog(APP, webhook)
    assert (backlog.events_owed, backlog.batches_waiting, backlog.consecutive_failures) == (0, 1, 1)
    assert backlog.failing_since == START
    assert backlog.next_due is not None


def test_records_tell_their_story(world: World) -> None:
    world.webhook()
    world.transport.answer = failing
    event = world.box.emit(APP, "user.created", "{}")
    world.box.poll()
    story = world.box.explain_event(event)
    assert story.event == world.box.event(event)
    (batch,) = story.batches
    assert batch == world.box.explain_batch(batch.batch.id)
    assert [attempt.http_status for attempt in batch.attempts] == [500]
    assert batch.attempts[0].excerpt == "out of order"
    assert story.sentences or batch.sentences
    assert any("500" in sentence for sentence in batch.sentences)
    with pytest.raises(hookbox.NotFound):
        world.box.explain_event("evt_01jqebhswje1ka1z7ahr9rfsgt")


def test_records_are_resent_cancelled_and_replayed(world: World) -> None:
    webhook = deliver_some(world, 2)
    newest, _ = world.box.batches(APP)
    assert world.box.resend(APP, newest.id).status is BatchStatus.WAITING
    with pytest.raises(hookbox.Conflict):
        world.box.resend(APP, newest.id)
    assert world.box.poll().attempts == 1
    assert world.transport.requests[-1].body == world.transport.requests[-2].body

    world.transport.answer = failing
    world.box.emit(APP, "user.created", "{}")
    world.box.poll()
    (waiting,) = world.box.batches(APP, status=BatchStatus.WAITING)
    cancelled = world.box.cancel(APP, waiting.id)
    assert (cancelled.status, cancelled.end_reason) == (BatchStatus.CANCELLED, "by_host")
    assert cancelled.ended_at == world.clock.time
    with pytest.raises(hookbox.Conflict):
        world.box.cancel(APP, waiting.id)

    world.transport.answer = well
    before = len(world.transport.requests)
    assert world.box.replay(APP, webhook, START) == 3
    world.pass_time(timedelta(hours=1))
    world.box.poll()
    bodies = b"".join(request.body for request in world.transport.requests[before:])
    assert all(event.id.encode() in bodies for event in world.box.events(APP))


def test_records_are_kept_well(tmp_path: Path, endpoint: Endpoint) -> None:
    path, copy = tmp_path / "app.db", tmp_path / "copy.db"
    with hookbox.open(path, endpoint.options()) as box:
        box.create_app(APP)
        webhook = box.create_webhook(
            APP, endpoint.url, verification_token="are-you-there", events=hookbox.ALL_EVENTS
        )
        box.activate(APP, webhook.id)
        event = box.emit(APP, "user.created", "{}")
        assert box.poll().attempts == 1
        assert box.check() == []
        stats = box.stats()
        assert stats.last_position == 1
        assert stats.bytes > 0
        box.backup(copy)
        with pytest.raises(hookbox.InvalidRequest):
            box.backup(copy)
        box.prune(box.event(event).created_at + timedelta(days=1))
        with pytest.raises(hookbox.NotFound):
            box.event(event)
        assert list(box.batches(APP)) == []
        assert box.check() == []
    with hookbox.open_read_only(copy) as box:
        assert box.event(event).payload == "{}"


def test_records_of_a_batch_that_was_split(world: World) -> None:
    world.webhook()
    world.transport.answer = lambda _: Answered(413)
    world.box.emit_many(APP, [hookbox.NewEvent("user.created", "{}")] * 4)
    world.box.poll()
    parents = {batch.id: batch for batch in world.box.batches(APP) if batch.end_reason == "split"}
    (whole,) = (batch for batch in parents.values() if not batch.parent_id)
    assert (whole.status, whole.event_count) == (BatchStatus.CANCELLED, 4)
    halves = [batch for batch in world.box.batches(APP) if batch.parent_id == whole.id]
    assert [half.event_count for half in halves] == [2, 2]
