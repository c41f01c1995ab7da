"""lifecycle: from opening to a delivery that verifies, over a real socket, and to closing."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
from support import APP, PATIENCE, TOKEN, Endpoint, World

import hookbox
from hookbox import BatchStatus, Verifier, _running
from hookbox._library import lib


def test_lifecycle(tmp_path: Path, endpoint: Endpoint) -> None:
    with hookbox.open(tmp_path / "app.db", endpoint.options()) as box:
        app = box.create_app(APP)
        assert (app.id, app.enabled, app.profile_name) == (APP, True, "prelude")
        webhook = box.create_webhook(APP, endpoint.url, verification_token=TOKEN, events=["user.created"])
        assert not webhook.active
        assert box.activate(APP, webhook.id).active
        box.start()
        event = box.emit(APP, "user.created", {"user_id": "usr_1"})
        assert box.wait_idle(PATIENCE)
        jwks = box.jwks(APP)
        (batch,) = box.batches(APP)
        assert (batch.status, batch.attempts, batch.event_count) == (BatchStatus.DELIVERED, 1, 1)
        box.stop()
    assert box.closed

    ((headers, body),) = endpoint.requests
    (received,) = Verifier.prelude(jwks).verify(headers, body)
    assert (received.id, received.event_type) == (event, "user.created")
    assert json.loads(received.payload) == {"user_id": "usr_1"}


def test_lifecycle_survives_closing(tmp_path: Path, endpoint: Endpoint) -> None:
    # What was emitted before the box was closed is delivered after it was opened again.
    path = str(tmp_path / "app.db")
    with hookbox.open(path, endpoint.options()) as box:
        box.create_app(APP)
        webhook = box.create_webhook(APP, endpoint.url, verification_token=TOKEN)
        box.update_webhook(APP, webhook.id, events=hookbox.ALL_EVENTS)
        box.activate(APP, webhook.id)
        box.emit(APP, "user.created", "{}")
    with hookbox.open(path, endpoint.options()) as box:
        box.start()
        assert box.wait_idle(PATIENCE)
    assert len(endpoint.requests) == 1

    with hookbox.open_read_only(path) as box:
        assert len(list(box.events(APP))) == 1
        with pytest.raises(hookbox.ReadOnly):
            box.emit(APP, "user.created", "{}")
        with pytest.raises(hookbox.ReadOnly):
            box.start()


def test_lifecycle_waiting_is_interrupted(world: World) -> None:
    # No thread runs: it would wait for the whole of its patience.
    idle: list[bool] = []
    begun = time.monotonic()
    waiting = threading.Thread(target=lambda: idle.append(world.box.wait_idle(PATIENCE)))
    waiting.start()
    while waiting.is_alive():
        world.box.interrupt()
        waiting.join(0.01)
    assert idle == [False]
    assert time.monotonic() - begun < PATIENCE.total_seconds() / 2


def test_lifecycle_no_interrupt_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Waiting asks the library again and again: one that comes just between is heard all the same.
    calls: list[int] = []

    class Library:
        def __getattr__(self, name: str) -> object:
            return getattr(lib, name)

        def hookbox_box_wait_idle(self, *arguments: object) -> int:
            status: int = lib.hookbox_box_wait_idle(*arguments)
            calls.append(status)
            world.box.interrupt()
            return status

    monkeypatch.setattr(_running, "lib", Library())
    assert not world.box.wait_idle(timedelta(seconds=5))
    assert calls == [0]
