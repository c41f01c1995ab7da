"""options: each reaches the library, which has the last word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support import APP, PATIENCE, TOKEN, Endpoint, HandSetClock, World

import hookbox
from hookbox import Options


def test_options_of_requests(endpoint: Endpoint) -> None:
    port = int(endpoint.url.rpartition(":")[2].partition("/")[0])
    options = endpoint.options(user_agent="ours/1", ports=[port], workers=1, slow_requests_max=0)
    with hookbox.open_in_memory(options) as box:
        box.create_app(APP)
        webhook = box.create_webhook(APP, endpoint.url, verification_token=TOKEN, events=hookbox.ALL_EVENTS)
        box.activate(APP, webhook.id)
        with pytest.raises(hookbox.InvalidRequest) as refused:
            box.create_webhook(APP, f"http://127.0.0.1:{port + 1}/")
        assert refused.value.code == "webhook_invalid_url"
        box.start()
        box.emit(APP, "user.created", "{}")
        assert box.wait_idle(PATIENCE)
    ((headers, _),) = endpoint.requests
    assert {name.lower(): value for name, value in headers}["user-agent"] == "ours/1"


def test_options_of_addresses() -> None:
    for options, allowed in ((Options(), False), (Options(allow_http=True), True)):
        with hookbox.open_in_memory(options) as box:
            box.create_app(APP)
            if allowed:
                box.create_webhook(APP, "http://example.com/")
            else:
                with pytest.raises(hookbox.InvalidRequest):
                    box.create_webhook(APP, "http://example.com/")


def test_options_of_keys() -> None:
    with World(HandSetClock(), key_lead=timedelta(0), key_overlap=timedelta(days=1)) as world:
        world.pass_time(timedelta(hours=1))
        world.box.rotate_key(APP, lead=timedelta(0))
        old = world.box.keys(APP)[0]
        assert old.published_until == world.clock.time + timedelta(days=1)


def test_options_of_retention() -> None:
    # Zero keeps everything for good; a microsecond is no zero, but too short.
    hookbox.open_in_memory(Options(retention=timedelta(0))).close()
    hookbox.open_in_memory(Options(retention=timedelta(minutes=1))).close()
    with pytest.raises(hookbox.InvalidRequest):
        hookbox.open_in_memory(Options(retention=timedelta(microseconds=1)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"workers": 1025},
        {"slow_requests_max": 4097},
        {"payload_bytes_max": 0},
        {"retention": timedelta(seconds=1)},
        {"allow_networks": ["everything"]},
        {"proxy": "no url"},
        {"extra_root_pem": "no certificate"},
        {"user_agent": "two\nlines"},
    ],
)
def test_options_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(hookbox.InvalidRequest):
        hookbox.open_in_memory(Options(**wrong))
