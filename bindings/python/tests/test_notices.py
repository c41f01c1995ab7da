"""notices: told on hookbox's threads; an exception in the callback is contained, and reported."""

from __future__ import annotations

import threading
from datetime import timedelta

from support import APP, PATIENCE, TOKEN, Endpoint, HandSetClock, Unraisable, World

import hookbox
from hookbox import Box, Notice


def test_notices_come_from_hookboxs_threads(endpoint: Endpoint) -> None:
    told = threading.Event()
    notices: list[tuple[Notice, threading.Thread]] = []

    def on_notice(notice: Notice) -> None:
        notices.append((notice, threading.current_thread()))
        told.set()

    with hookbox.open_in_memory(endpoint.options(on_notice=on_notice)) as box:
        box.create_app(APP)
        webhook = box.create_webhook(APP, endpoint.url, verification_token=TOKEN, events=hookbox.ALL_EVENTS)
        box.activate(APP, webhook.id)
        endpoint.status = 410  # Gone: it is deactivated.
        box.start()
        box.emit(APP, "user.created", "{}")
        assert told.wait(PATIENCE.total_seconds())
    notice, thread = notices[0]
    assert (notice.kind, notice.app_id, notice.webhook_id) == ("webhook_deactivated", APP, webhook.id)
    assert notice.details["notice"] == "webhook_deactivated"
    assert thread is not threading.main_thread()


def test_notices_may_call_the_box(unraisable: Unraisable) -> None:
    seen: list[str] = []
    world: World

    def on_notice(notice: Notice) -> None:
        seen.append(world.box.app(notice.app_id).id)

    with World(HandSetClock(), on_notice=on_notice) as world:
        world.box.rotate_key(APP, lead=timedelta(0))
    assert seen == [APP]
    assert unraisable.errors == []


def test_notices_contain_exceptions(unraisable: Unraisable) -> None:
    def on_notice(notice: Notice) -> None:
        raise SystemExit(notice.kind)

    with World(HandSetClock(), on_notice=on_notice) as world:
        world.pass_time(timedelta(hours=1))
        key = world.box.rotate_key(APP, lead=timedelta(0))
        assert [str(error) for error in unraisable.errors] == ["key_rotated"]
        assert world.box.keys(APP)[-1] == key


def test_notices_are_contained_on_hookboxs_threads(endpoint: Endpoint, unraisable: Unraisable) -> None:
    def on_notice(notice: Notice) -> None:
        raise LookupError(notice.kind)

    with hookbox.open_in_memory(endpoint.options(on_notice=on_notice)) as box:
        deliver_to(box, endpoint, 410)
        deactivated = next(box.webhooks(APP))
        assert not deactivated.enabled
        # The threads live on.
        deliver_to(box, endpoint, 200)
    assert [str(error) for error in unraisable.errors] == ["webhook_deactivated"]
    assert len(endpoint.requests) == 2


def deliver_to(box: Box, endpoint: Endpoint, status: int) -> None:
    """Delivers one event to a new webhook, which answers so."""
    if not list(box.apps()):
        box.create_app(APP)
    webhook = box.create_webhook(APP, endpoint.url, verification_token=TOKEN, events=hookbox.ALL_EVENTS)
    box.activate(APP, webhook.id)
    endpoint.status = status
    box.start()
    box.emit(APP, "user.created", "{}")
    assert box.wait_idle(PATIENCE)
