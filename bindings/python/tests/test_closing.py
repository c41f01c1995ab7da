"""closing: use after close, close twice, close under way, close inside a callback; nets, forks, exits."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from datetime import timedelta

import pytest
from support import APP, PATIENCE, TOKEN, Endpoint, HandSetClock, ScriptedTransport, World, run_python

import hookbox
from hookbox import Answered, Box, Failed, FailureKind, Notice, Options, Outcome, Request


def test_closing_ends_its_use(box: Box) -> None:
    box.start()
    box.close()
    box.close()
    assert box.closed
    uses: list[Callable[[], object]] = [
        lambda: box.app(APP),
        lambda: box.emit(APP, "user.created", "{}"),
        box.start,
        box.stop,
        box.poll,
        box.wake,
        lambda: box.wait_idle(timedelta(0)),
        box.claim,
        lambda: list(box.events(APP)),
        box.check,
        box.stats,
    ]
    for use in uses:
        with pytest.raises(hookbox.Closed) as closed:
            use()
        assert closed.value.code == "closed"


def test_closing_by_with_keeps_the_exception() -> None:
    with pytest.raises(LookupError), hookbox.open_in_memory() as box:
        raise LookupError
    assert box.closed


def test_closing_while_others_call() -> None:
    for _ in range(20):
        with World(HandSetClock()) as world:
            emitted: list[str] = []
            under_way = threading.Barrier(5, timeout=PATIENCE.total_seconds())

            def emit(
                box: Box = world.box,
                ids: list[str] = emitted,
                barrier: threading.Barrier = under_way,
            ) -> None:
                ids.append(box.emit(APP, "user.created", "{}"))
                barrier.wait()
                while not box.closed:
                    try:
                        ids.append(box.emit(APP, "user.created", "{}"))
                    except hookbox.Closed:
                        return

            threads = [threading.Thread(target=emit) for _ in range(4)]
            for thread in threads:
                thread.start()
            under_way.wait()
            world.box.close()
            for thread in threads:
                thread.join()
            assert len(emitted) >= 4


def refused_in(box: Box, *calls: Callable[[], None]) -> list[str]:
    """What these calls say, where they are refused as they are to be."""
    said = []
    for forbidden in calls:
        with pytest.raises(hookbox.Unsupported) as raised:
            forbidden()
        said.append(raised.value.code)
    assert not box.closed
    return said


def test_closing_inside_a_callback_is_refused() -> None:
    # On the thread that called.
    refused: list[str] = []
    world: World

    def on_notice(notice: Notice) -> None:
        refused.extend(refused_in(world.box, world.box.start, world.box.stop, world.box.close))

    with World(HandSetClock(), on_notice=on_notice) as world:
        world.box.rotate_key(APP, lead=timedelta(0))
        assert refused == ["unsupported"] * 3
        world.box.app(APP)


def test_closing_inside_a_callback_of_hookboxs_threads_is_refused(endpoint: Endpoint) -> None:
    refused: list[str] = []
    told = threading.Event()

    def on_notice(notice: Notice) -> None:
        refused.extend(refused_in(box, box.start, box.stop, box.close))
        told.set()

    with hookbox.open_in_memory(endpoint.options(on_notice=on_notice)) as box:
        box.create_app(APP)
        webhook = box.create_webhook(APP, endpoint.url, verification_token=TOKEN, events=hookbox.ALL_EVENTS)
        box.activate(APP, webhook.id)
        endpoint.status = 410
        box.start()
        box.emit(APP, "user.created", "{}")
        assert told.wait(PATIENCE.total_seconds())
    assert refused == ["unsupported"] * 3


class WaitingTransport(ScriptedTransport):
    """A transport whose request waits until it is broken."""

    def __init__(self) -> None:
        super().__init__()
        self.is_out = threading.Event()
        self.broken = threading.Event()

    def send(self, request: Request) -> Outcome:
        if request.method == "GET":
            return super().send(request)
        self.is_out.set()
        if not self.broken.wait(PATIENCE.total_seconds()):
            return Answered(200)
        return Failed(FailureKind.STOPPED, "the host stops")

    def shutdown(self) -> None:
        self.broken.set()


def test_closing_breaks_what_is_in_flight() -> None:
    transport = WaitingTransport()
    with hookbox.open_in_memory(Options(transport=transport)) as box:
        box.create_app(APP)
        url, events = "https://example.com/", hookbox.ALL_EVENTS
        webhook = box.create_webhook(APP, url, verification_token="are-you-there", events=events)
        box.activate(APP, webhook.id)
        box.start()
        box.emit(APP, "user.created", "{}")
        assert transport.is_out.wait(PATIENCE.total_seconds())
        assert not box.wait_idle(timedelta(milliseconds=150))
        box.stop(drain=timedelta(0))
        assert transport.broken.is_set()


def test_closing_lets_go_of_callbacks() -> None:
    # C has what it calls for as long as the box is open, and no longer.
    world = World(HandSetClock(), on_notice=lambda notice: None)
    transport, clock = weakref.ref(world.transport), weakref.ref(world.clock)
    box = world.box
    del world
    gc.collect()
    assert transport() is not None
    box.close()
    gc.collect()
    assert (transport(), clock()) == (None, None)


def test_closing_lets_go_of_callbacks_that_were_not_taken(world: World) -> None:
    class Signer:
        def sign(self, sha256: bytes) -> bytes:
            return sha256

    refused, too_late = Signer(), Signer()
    gone = [weakref.ref(refused), weakref.ref(too_late)]
    with pytest.raises(hookbox.InvalidRequest):
        world.box.rotate_to_signer(APP, "{}", refused)
    world.box.close()
    with pytest.raises(hookbox.Closed):
        world.box.rotate_to_signer(APP, "{}", too_late)
    del refused, too_late
    gc.collect()
    assert [one() for one in gone] == [None, None]

    clock = HandSetClock()
    with pytest.raises(hookbox.InvalidRequest):
        hookbox.open_in_memory(Options(clock=clock, workers=0))
    kept = weakref.ref(clock)
    del clock
    gc.collect()
    assert kept() is None


def test_closing_of_a_box_that_nobody_has() -> None:
    transport = ScriptedTransport()
    let_go = threading.Event()
    weakref.finalize(transport, let_go.set)
    box = hookbox.open_in_memory(Options(transport=transport))
    box.start()
    del transport
    boxes = [box]
    del box
    with pytest.warns(ResourceWarning, match="was not closed"):
        boxes.clear()
    assert let_go.wait(PATIENCE.total_seconds())


def test_closing_at_exit() -> None:
    # Threads, callbacks, and a program that forgets to close: it ends well, and the box is closed while
    # Python still runs.
    printed = run_python(
        """
import atexit
atexit.register(lambda: print("closed" if box.closed else "open"))  # Called after what is registered later.
import hookbox
class Clock:
    def now(self):
        from datetime import datetime, timezone
        return datetime.now(timezone.utc)
box = hookbox.open_in_memory(hookbox.Options(clock=Clock(), on_notice=print))
box.create_app("a")
box.start()
print(box.emit("a", "user.created", "{}")[:4])
"""
    )
    assert printed == "evt_\nclosed\n"


def test_closing_in_a_child_of_fork() -> None:
    printed = run_python(
        """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Of fork() itself, in Python 3.12 and later.
import hookbox
with hookbox.open_in_memory(hookbox.Options(on_notice=print)) as box:
    box.create_app("a")
    box.start()
    child = os.fork()
    if child == 0:
        for use in (lambda: box.emit("a", "user.created", "{}"), box.start, box.poll):
            try:
                use()
            except hookbox.Forked as error:
                print(error.code, flush=True)
        box.close()
        with hookbox.open_in_memory() as own:
            own.create_app("b")
        sys.exit(7)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    print(box.emit("a", "user.created", "{}")[:4])
"""
    )
    assert printed == "forked\n" * 3 + "evt_\n"
