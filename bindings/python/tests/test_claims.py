"""claims: claimed, sent with the host's own HTTP client, and settled; a lease that is lost."""

from __future__ import annotations

import http.client
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from support import APP, TOKEN, Endpoint, World

import hookbox
from hookbox import Answered, BatchStatus, Box, Delivery, Failed, FailureKind, Request, Verifier


def post(request: Request) -> Answered:
    """The host's own HTTP client."""
    url = urlsplit(request.url)
    timeout = request.timeout.total_seconds()
    connection = http.client.HTTPConnection(url.netloc, timeout=timeout)
    try:
        connection.request(request.method, url.path, request.body, dict(request.headers))
        answer = connection.getresponse()
        return Answered(answer.status, tuple(answer.getheaders()), answer.read())
    finally:
        connection.close()


def test_claims_are_settled(box: Box, endpoint: Endpoint) -> None:
    webhook = box.create_webhook(APP, endpoint.url, verification_token=TOKEN, events=hookbox.ALL_EVENTS)
    box.activate(APP, webhook.id)
    assert box.claim() == []
    event = box.emit(APP, "user.created", "{}")
    (delivery,) = box.claim(10)
    assert delivery.request.method == "POST"
    assert delivery.request.timeout == timedelta(seconds=10)
    assert box.batch(delivery.batch_id).status is BatchStatus.LEASED
    assert box.batch(delivery.batch_id).due_at == delivery.lease_until
    assert "X-Webhook-Signature" not in repr(delivery)
    box.settle(delivery, post(delivery.request))
    assert box.batch(delivery.batch_id).status is BatchStatus.DELIVERED
    ((headers, body),) = endpoint.requests
    assert [one.id for one in Verifier.prelude(box.jwks(APP)).verify(headers, body)] == [event]


def test_claims_that_fail_are_tried_again(world: World) -> None:
    world.webhook()
    world.box.emit(APP, "user.created", "{}")
    (delivery,) = world.box.claim()
    world.box.settle(delivery, Failed(FailureKind.CONNECT, "nobody is there"))
    batch = world.box.batch(delivery.batch_id)
    assert (batch.status, batch.failures) == (BatchStatus.WAITING, 1)
    (attempt,) = world.box.attempts(APP, batch=batch.id)
    assert (attempt.failure, attempt.excerpt) == ("connect", "nobody is there")


def test_claims_lose_their_lease(world: World) -> None:
    world.webhook()
    world.box.emit(APP, "user.created", "{}")
    (late,) = world.box.claim()
    world.clock.time = late.lease_until + timedelta(seconds=1)
    (again,) = world.box.claim()
    assert again.batch_id == late.batch_id
    with pytest.raises(hookbox.LeaseLost) as lost:
        world.box.settle(late, Answered(200))
    assert lost.value.code == "lease_lost"
    world.box.settle(again, Answered(200))
    assert world.box.batch(again.batch_id).status is BatchStatus.DELIVERED


def test_claims_outlive_the_list_and_the_box(world: World) -> None:
    world.webhook()
    world.webhook()
    world.box.emit(APP, "user.created", "{}")
    second = world.box.claim()[1]
    world.box.settle(second, Answered(200))
    world.box.close()
    with pytest.raises(hookbox.Closed):
        world.box.settle(second, Answered(200))


def test_claims_of_somebody_elses_making(world: World) -> None:
    request = Request("POST", "https://example.com/", (), b"", timedelta(seconds=1))
    forged = Delivery("bat_1", world.clock.time, request, object())
    with pytest.raises(TypeError):
        world.box.settle(forged, Answered(200))
    with pytest.raises(hookbox.InvalidRequest):
        world.box.claim(1001)
