"""api_keys: made, listed, revoked; the key itself is shown once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support import APP, World

import hookbox


def test_api_keys(world: World) -> None:
    box = world.box
    secret, made = box.create_api_key(name="deploy", app=APP, read_only=True, requests_per_second=7)
    assert secret.startswith(made.id)
    assert made.id.startswith("hbk_")
    assert (made.name, made.app_id, made.read_only, made.requests_per_second) == ("deploy", APP, True, 7)
    assert made.created_at == world.clock.time
    assert (made.expires_at, made.revoked_at, made.last_used_at) == (None, None, None)
    soon = world.clock.time + timedelta(days=1)
    _, second = box.create_api_key(expires_at=soon)
    assert (second.expires_at, second.requests_per_second, second.app_id) == (soon, 50, "")
    assert {key.id for key in box.api_keys(page_size=1)} == {made.id, second.id}
    assert [key.id for key in box.api_keys(app=APP)] == [made.id]
    box.revoke_api_key(made.id)
    box.revoke_api_key(made.id)
    assert {key.id: key.revoked_at for key in box.api_keys()} == {
        made.id: world.clock.time,
        second.id: None,
    }
    with pytest.raises(hookbox.NotFound) as unknown:
        box.revoke_api_key("hbk_01jqebhswje1ka1z7ahr9rfsgt")
    assert unknown.value.status == hookbox.Status.API_KEY_NOT_FOUND
    assert (unknown.value.code, unknown.value.http_status) == ("api_key_not_found", 404)
    # As with every id: what has not its form is no id.
    with pytest.raises(hookbox.InvalidRequest, match="hbk_"):
        box.revoke_api_key("hbk_nobody")
    with pytest.raises(hookbox.NotFound):
        box.create_api_key(app="nobody")


def test_api_keys_are_checked(world: World) -> None:
    box = world.box
    long, many = "n" * 101, 10_001
    with pytest.raises(hookbox.InvalidRequest, match="name"):
        box.create_api_key(name=long)
    with pytest.raises(hookbox.InvalidRequest, match="requests"):
        box.create_api_key(requests_per_second=many)
    with pytest.raises(hookbox.InvalidRequest, match="expires"):
        box.create_api_key(expires_at=world.clock.time)
    assert list(box.api_keys()) == []


def test_api_keys_pages(world: World) -> None:
    made = [world.box.create_api_key(name=str(number))[1] for number in range(5)]
    first = world.box.api_key_page(limit=2)
    assert len(first.items) == 2
    second = world.box.api_key_page(cursor=first.next_cursor, limit=3)
    assert second.next_cursor == ""
    assert {key.name for key in first.items + second.items} == {key.name for key in made}


def test_api_keys_open_what_they_are_for(world: World) -> None:
    box = world.box
    box.create_app("other")
    everything, _ = box.create_api_key()
    looking, _ = box.create_api_key(app=APP, read_only=True)
    soon = world.clock.time + timedelta(days=1)
    passing, passing_key = box.create_api_key(app=APP, expires_at=soon)

    def status(secret: str, method: str, target: str, body: bytes = b"") -> int:
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        return box.answer_api(method, target, headers=headers, body=body).http_status

    event = b'{"type":"user.created","payload":{}}'
    assert status(everything, "GET", "/hookbox/v1/stats") == 200
    assert status(everything, "POST", "/hookbox/v1/apps/other/events", event) == 201
    assert status(looking, "GET", f"/hookbox/v1/apps/{APP}") == 200
    assert status(looking, "POST", f"/hookbox/v1/apps/{APP}/events", event) == 403
    assert status(looking, "GET", "/hookbox/v1/apps/other") == 404
    assert status(looking, "GET", "/hookbox/v1/stats") == 403
    assert status(passing, "POST", f"/hookbox/v1/apps/{APP}/events", event) == 201
    used = {key.id: key.last_used_at for key in box.api_keys()}
    assert used[passing_key.id] == world.clock.time.replace(second=0, microsecond=0)
    world.pass_time(timedelta(days=1))
    assert status(passing, "GET", f"/hookbox/v1/apps/{APP}") == 401
    assert status(everything + "x", "GET", "/hookbox/v1/stats") == 401
    (id_, *_) = [key.id for key in box.api_keys() if looking.startswith(key.id)]
    box.revoke_api_key(id_)
    assert status(looking, "GET", f"/hookbox/v1/apps/{APP}") == 401


def test_api_keys_are_counted(world: World) -> None:
    secret, _ = world.box.create_api_key(requests_per_second=1)
    headers = {"Authorization": f"Bearer {secret}"}
    answers = [world.box.answer_api("GET", "/hookbox/v1/stats", headers=headers) for _ in range(3)]
    assert [answer.http_status for answer in answers] == [200, 200, 429]
    assert int(dict(answers[2].headers)["retry-after"]) >= 1
