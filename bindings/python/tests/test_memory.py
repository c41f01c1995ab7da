"""memory: what C gives is freed."""

from __future__ import annotations

import sys

import pytest
from support import run_python

PROGRAM = """
from datetime import datetime, timedelta, timezone
import hookbox
from hookbox import Answered, Grant, NewEvent, Options

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

class Transport:
    def send(self, request):
        answer = hookbox.answer_challenge(request.url.partition("?")[2], "t")
        return Answered(answer.http_status, body=answer.body)

box = hookbox.open_in_memory(Options(transport=Transport()))
box.create_app("a")
webhook = box.create_webhook("a", "https://example.com/", verification_token="t", events=hookbox.ALL_EVENTS)
box.activate("a", webhook.id)
box.emit_many("a", [NewEvent("user.created", '"' + "x" * 50_000 + '"')] * 20)

def fail():
    try:
        box.app("n" * 64)
    except hookbox.NotFound:
        pass

def use():
    box.app("a")
    list(box.events("a", page_size=10))
    hookbox.Verifier.fingerprint(["secret"])
    page = box.answer_api("GET", "/hookbox/v1/apps/a/events?limit=10", grant=Grant("a"))
    assert (page.http_status, len(page.body) > 500_000) == (200, True), page

def claim():
    for delivery in box.claim(1):
        box.settle(delivery, Answered(500))
        (waiting,) = box.batches("a", status=hookbox.BatchStatus.WAITING, page_size=1)
        box.cancel("a", waiting.id)
        box.resend("a", waiting.id)

for _ in range(20):
    fail()
    use()
    claim()
before = resident()
for _ in range(60_000):
    fail()
for _ in range(300):
    use()
for _ in range(100):
    claim()
print((resident() - before) // 1_000_000)
box.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_freed() -> None:
    # 60 000 errors, 300 listings of 1 MB and answers of 0.5 MB, 100 requests of 250 KB: what is kept shows.
    assert int(run_python(PROGRAM)) < 15
