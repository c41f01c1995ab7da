"""keys: rotated, retired, published; sealed anew; kept by the host."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from support import APP, VECTORS, HandSetClock, Unraisable, World
from vectors import public_jwk

import hookbox
from hookbox import BatchStatus, KeyPhase, KeyUnavailable, Options, Verifier

PEM = (VECTORS / "rsa2048_pkcs8_test_only.pem").read_text()


class HostSigner:
    """A private key that stays with the host; or does not sign, in one way or another."""

    def __init__(self) -> None:
        key = serialization.load_pem_private_key(PEM.encode(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key
        self.fault: Exception | None = None
        self.length = 256

    def sign(self, sha256: bytes) -> bytes:
        if self.fault is not None:
            raise self.fault
        assert len(sha256) == 32
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        return self._key.sign(sha256, pss, Prehashed(hashes.SHA256()))


def kids(jwks: str) -> set[str]:
    return {key["kid"] for key in json.loads(jwks)["keys"]}


def test_keys_rotate_and_retire(world: World) -> None:
    box = world.box
    (first,) = box.keys(APP)
    assert (first.phase, first.has_private_part) == (KeyPhase.ACTIVE, True)
    assert (first.signs_until, first.published_until) == (None, None)
    assert first.public_jwk["kty"] == "RSA"
    assert "d" not in first.public_jwk

    second = box.rotate_key(APP, pem=PEM, kid="second", lead=timedelta(hours=2))
    assert (second.kid, second.phase) == ("second", KeyPhase.NEXT)
    assert second.signs_from == world.clock.time + timedelta(hours=2)
    assert kids(box.jwks(APP)) == {first.kid, "second"}

    world.pass_time(timedelta(hours=2))
    assert [key.phase for key in box.keys(APP)] == [KeyPhase.RETIRED, KeyPhase.ACTIVE]
    world.webhook()
    world.box.emit(APP, "user.created", "{}")
    assert box.poll().attempts == 1
    (request,) = world.transport.requests
    assert dict(request.headers)["X-Webhook-Signature-Key-Id"] == "second"

    revoked = box.retire_key(APP, first.kid, overlap=timedelta(0))
    assert revoked.phase is KeyPhase.GONE
    assert kids(box.jwks(APP)) == {"second"}
    with pytest.raises(hookbox.InvalidRequest):
        box.retire_key(APP, "second", overlap=timedelta(0))
    with pytest.raises(hookbox.NotFound):
        box.retire_key(APP, "third", overlap=timedelta(0))
    with pytest.raises(hookbox.InvalidRequest) as refused:
        box.rotate_key(APP, pem=(VECTORS / "rsa1024_pkcs8_test_only.pem").read_text())
    assert refused.value.code == "invalid_key"


def test_keys_are_sealed_anew(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    old, new = b"o" * 32, b"n" * 32
    with hookbox.open(path) as box:
        box.create_app(APP)
        box.create_app("standard", profile="standard_webhooks")
        webhook = box.create_webhook("standard", "https://example.com/").id
        secrets = box.signing_secrets("standard", webhook)
    with hookbox.open(path, Options(key_encryption_key=old)) as box:
        assert box.reseal() >= 2
        assert box.reseal() == 0
    with hookbox.open(path, Options(key_encryption_key=new)) as box, pytest.raises(hookbox.SealBroken):
        box.signing_secrets("standard", webhook)
    options = Options(key_encryption_key=new, older_key_encryption_keys=[old])
    with hookbox.open(path, options) as box:
        assert box.signing_secrets("standard", webhook) == secrets
        assert box.reseal() >= 2
    with hookbox.open(path, Options(older_key_encryption_keys=[old, new])) as box:
        assert box.reseal() >= 2  # The way back.
    with hookbox.open(path) as box:
        assert box.signing_secrets("standard", webhook) == secrets


def test_keys_of_the_host(world: World, unraisable: Unraisable) -> None:
    box, signer = world.box, HostSigner()
    key = box.rotate_to_signer(APP, public_jwk("hsm"), signer, lead=timedelta(0))
    assert (key.kid, key.has_private_part) == ("hsm", False)
    webhook = world.webhook()
    box.emit(APP, "user.created", "{}")
    # What it says it cannot do is tried again, and is nobody's fault.
    signer.fault = KeyUnavailable("the safe is locked")
    box.poll()
    assert (world.transport.requests, unraisable.errors) == ([], [])
    # A bug of its is the same, and reported.
    signer.fault = LookupError("a bug of the host's")
    world.pass_time(timedelta(minutes=2))
    box.poll()
    assert (world.transport.requests, unraisable.errors) == ([], [signer.fault])
    assert box.backlog(APP, webhook).consecutive_failures == 0
    signer.fault = None
    world.pass_time(timedelta(minutes=2))
    box.poll()
    (request,) = world.transport.requests
    verifier = Verifier.prelude(box.jwks(APP))
    assert len(verifier.verify(request.headers, request.body, world.clock.time)) == 1

    with pytest.raises(hookbox.NotFound):
        box.register_signer("no id", "hsm", signer)
    with pytest.raises(hookbox.InvalidRequest):
        box.rotate_to_signer(APP, "{}", signer)


def test_keys_of_the_host_are_registered_at_each_opening(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with hookbox.open(path) as box:
        box.create_app(APP)
        box.rotate_to_signer(APP, public_jwk("hsm"), HostSigner(), lead=timedelta(0))
    with World(HandSetClock()) as world:
        options = Options(transport=world.transport)
        with hookbox.open(path, options) as box:
            webhook = box.create_webhook(
                APP, "https://example.com/", verification_token="are-you-there", events=hookbox.ALL_EVENTS
            )
            box.activate(APP, webhook.id)
            box.emit(APP, "user.created", "{}")
            box.poll()
            assert world.transport.requests == []
            box.register_signer(APP, "hsm", HostSigner())
            (batch,) = box.batches(APP)
            assert batch.due_at is not None
            box.poll(batch.due_at)
            assert box.batch(batch.id).status is BatchStatus.DELIVERED
