"""verify: the three schemes against the vectors and what a box sends; an unknown key; tampered bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from support import APP, START, World
from vectors import BODY, public_jwk, signed_by_openssl

import hookbox
from hookbox import Headers, ReceivedEvent, Request, Verifier, answer_challenge

JWKS = json.dumps({"keys": [public_jwk("k1")]})


def sent(world: World, profile: str) -> tuple[Request, list[str]]:
    """What a box sends under this profile, and the secrets it was signed with."""
    world.box.create_app("another", profile=profile)
    webhook = world.webhook("another") if profile == "prelude" else endpoint_of(world)
    world.box.emit("another", "user.created", '{"n":1.50}')
    assert world.box.poll().attempts == 1
    return world.transport.requests[-1], world.box.signing_secrets("another", webhook)


def endpoint_of(world: World) -> str:
    """A webhook under a profile that verifies by a test event, or not at all."""
    webhook = world.box.create_webhook("another", "https://example.com/hooks", events=hookbox.ALL_EVENTS)
    return world.box.activate("another", webhook.id).id


def is_refused(verifier: Verifier, headers: Headers, body: bytes) -> None:
    with pytest.raises(hookbox.NotAuthentic) as refused:
        verifier.verify(headers, body, START)
    assert refused.value.code == "not_authentic"


def test_verify_the_vectors() -> None:
    headers = signed_by_openssl("openssl_salt32.sig")
    (event,) = Verifier.prelude(JWKS).verify(headers, BODY, START)
    payload = '{"user_id":"usr_1","n":1.50}'
    assert event == ReceivedEvent("evt_1", "user.created", payload, "2025-03-15T10:30:00Z")
    assert Verifier.prelude(JWKS).verify(dict(headers), BODY, START) == [event]
    is_refused(Verifier.prelude(JWKS), headers, BODY[:-1] + b" }")
    is_refused(Verifier.prelude(JWKS, replay_protection=True), headers, BODY)
    is_refused(Verifier.prelude(JWKS, body_bytes_max=len(BODY) - 1), headers, BODY)

    long_salt = signed_by_openssl("openssl_saltmax.sig")
    is_refused(Verifier.prelude(JWKS), long_salt, BODY)
    assert Verifier.prelude(JWKS, any_salt=True).verify(long_salt, BODY, START) == [event]


def test_verify_an_unknown_key() -> None:
    verifier = Verifier.prelude(json.dumps({"keys": [public_jwk("k2")]}))
    with pytest.raises(hookbox.UnknownKey) as unknown:
        verifier.verify(signed_by_openssl("openssl_salt32.sig"), BODY, START)
    assert unknown.value.status == hookbox.Status.UNKNOWN_KEY
    assert isinstance(unknown.value, hookbox.NotAuthentic)


@pytest.mark.parametrize("profile", ["prelude", "fingerprint", "standard_webhooks"])
def test_verify_what_a_box_sends(world: World, profile: str) -> None:
    request, secrets = sent(world, profile)
    if profile == "prelude":
        verifier = Verifier.prelude(world.box.jwks("another"))
        stranger = Verifier.prelude(world.box.jwks(APP))
    elif profile == "fingerprint":
        verifier, stranger = Verifier.fingerprint(secrets), Verifier.fingerprint(["another"])
    else:
        verifier = Verifier.standard(secrets)
        stranger = Verifier.standard(["whsec_" + base64.b64encode(b"x" * 32).decode()])
    (event,) = verifier.verify(request.headers, request.body, START)
    assert event.payload == '{"n":1.50}'
    assert event.event_type == ("" if profile == "fingerprint" else "user.created")
    for index in range(0, len(request.body), 7):
        tampered = bytearray(request.body)
        tampered[index] ^= 1
        is_refused(verifier, request.headers, bytes(tampered))
    is_refused(verifier, [], request.body)
    with pytest.raises(hookbox.NotAuthentic):
        stranger.verify(request.headers, request.body, START)


def test_verify_what_others_signed() -> None:
    # Signed here, by the letter of the vendors' pages.
    body = b'{"n":1.50}'
    mac = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    verifier = Verifier.fingerprint(["other", "secret"])
    (event,) = verifier.verify({"fpjs-event-signature": f"v1={mac}"}, body)
    assert event.payload == '{"n":1.50}'

    body = b'{"type":"user.created","timestamp":"2025-03-15T10:30:00Z","data":{"n":1.50}}'
    seconds = int(START.timestamp())
    content = f"msg_1.{seconds}.".encode() + body
    signature = base64.b64encode(hmac.new(b"k" * 32, content, hashlib.sha256).digest()).decode()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{signature}",
    }
    standard = Verifier.standard(
        ["whsec_" + base64.b64encode(b"k" * 32).decode()], tolerance=timedelta(minutes=1)
    )
    (event,) = standard.verify(headers, body, START)
    assert (event.id, event.payload) == ("msg_1", '{"n":1.50}')
    with pytest.raises(hookbox.NotAuthentic):
        standard.verify(headers, body, START + timedelta(minutes=2))


def test_verify_with_keys_that_are_none() -> None:
    with pytest.raises(hookbox.InvalidRequest) as refused:
        Verifier.prelude("{")
    assert refused.value.code == "invalid_key"
    with pytest.raises(hookbox.InvalidRequest) as refused:
        Verifier.standard(["whsec_%"])
    assert refused.value.code == "invalid_key"


def test_verify_a_challenge() -> None:
    query = "event=activate&verification_token=t&challenge=123&app_id=54e9ujn"
    answer = answer_challenge(query, "t")
    assert (answer.http_status, answer.challenge, answer.app_id) == (200, 123, "54e9ujn")
    assert json.loads(answer.body) == {"challenge": 123}
    assert answer.content_type == "application/json"
    with pytest.raises(hookbox.NotAuthentic):
        answer_challenge(query, "another")
