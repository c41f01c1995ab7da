"""poll: with the host's own clock and transport; two weeks of retries in a second, no sleep, no socket."""

from __future__ import annotations

from datetime import datetime, timedelta

from support import APP, HandSetClock, Unraisable, World, failing

from hookbox import Answered, BatchStatus, Outcome, Request


def test_poll_for_two_weeks(world: World) -> None:
    world.webhook()
    world.transport.answer = failing
    world.box.emit(APP, "user.created", '{"n":1.50}')
    begun = world.clock.time
    for _ in range(1000):
        polled = world.box.poll()
        (batch,) = world.box.batches(APP)
        if batch.status is BatchStatus.EXHAUSTED:
            break
        assert polled.next_due is not None
        assert polled.next_due > world.clock.time
        world.clock.time = polled.next_due
    assert batch.end_reason == "window_passed"
    # 37 by the schedule; the jitter lengthens its waits.
    attempts = len(world.transport.requests)
    assert batch.attempts == attempts
    assert 33 <= attempts <= 37
    assert timedelta(days=13) < world.clock.time - begun <= timedelta(days=14)
    # The same bytes at every attempt, numbered.
    assert len({request.body for request in world.transport.requests}) == 1
    assert b'"payload":{"n":1.50}' in world.transport.requests[0].body
    numbers = [dict(request.headers)["webhook-attempt"] for request in world.transport.requests]
    assert numbers == [str(number) for number in range(1, attempts + 1)]


def test_poll_with_a_time_of_the_callers(world: World) -> None:
    world.webhook()
    world.transport.answer = failing
    world.box.emit(APP, "user.created", "{}")
    first = world.box.poll(world.clock.time)
    assert first.attempts == 1
    assert first.next_due is not None
    assert world.box.poll(first.next_due - timedelta(seconds=1)).attempts == 0
    assert world.box.poll(first.next_due).attempts == 1


def test_poll_waits_as_the_endpoint_asked(world: World) -> None:
    def busy(_: Request) -> Outcome:
        return Answered(503, {"Retry-After": "7200"})

    webhook = world.webhook()
    world.transport.answer = busy
    world.box.emit(APP, "user.created", "{}")
    polled = world.box.poll()
    assert polled.next_due is not None
    assert polled.next_due - world.clock.time >= timedelta(hours=2)
    assert world.box.backlog(APP, webhook).paused_until is not None


def test_poll_contains_what_the_transport_raises(world: World, unraisable: Unraisable) -> None:
    def bug(_: Request) -> Outcome:
        raise LookupError("a bug of the host's")

    webhook = world.webhook()
    world.transport.answer = bug
    world.box.emit(APP, "user.created", "{}")
    assert world.box.poll().attempts == 1
    assert [type(error) for error in unraisable.errors] == [LookupError]
    # Not the endpoint's fault, and not the end of it.
    assert world.box.backlog(APP, webhook).consecutive_failures == 0
    world.transport.answer = lambda request: Answered(99)
    world.pass_time(timedelta(hours=1))
    assert world.box.poll().attempts == 1
    assert len(unraisable.errors) == 2
    world.transport.answer = lambda request: Answered(200)
    world.pass_time(timedelta(hours=1))
    assert world.box.poll().attempts == 1
    (batch,) = world.box.batches(APP)
    assert batch.status is BatchStatus.DELIVERED


def test_poll_is_interrupted_after_the_request_at_hand(world: World) -> None:
    def well_and_enough(_: Request) -> Outcome:
        world.box.interrupt()
        return Answered(200)

    world.webhook()
    world.webhook()
    world.box.emit(APP, "user.created", "{}")
    world.transport.answer = well_and_enough
    first = world.box.poll()
    assert (first.attempts, first.next_due) == (1, world.clock.time)
    # An interrupt is for what is under way.
    world.box.interrupt()
    assert world.box.poll().attempts == 1
    assert {batch.status for batch in world.box.batches(APP)} == {BatchStatus.DELIVERED}


class BrokenClock(HandSetClock):
    """A clock that can break."""

    broken = False

    def now(self) -> datetime:
        if self.broken:
            raise OSError("no time")
        return super().now()


def test_poll_contains_what_the_clock_raises(unraisable: Unraisable) -> None:
    clock = BrokenClock()
    with World(clock) as world:
        clock.broken = True
        event = world.box.emit(APP, "user.created", "{}")
        assert {type(error) for error in unraisable.errors} == {OSError}
        clock.broken = False
        assert world.box.event(event).created_at == clock.time
