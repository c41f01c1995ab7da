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
        box.revoke_api_key("hbk_nobody")
    assert unknown.value.status == hookbox.Status.API_KEY_NOT_FOUND
    with pytest.raises(hookbox.NotFound):
        box.create_api_key(app="nobody")
