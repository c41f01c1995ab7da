"""The fixtures of tests/vectors."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support import VECTORS

BODY = (VECTORS / "body.json").read_bytes()


def public_jwk(kid: str) -> dict[str, str]:
    """The public part of the vectors' key."""
    pem = (VECTORS / "rsa2048_public_test_only.pem").read_bytes()
    key = serialization.load_pem_public_key(pem)
    assert isinstance(key, rsa.RSAPublicKey)
    numbers = key.public_numbers()
    return {"kty": "RSA", "kid": kid, "n": unpadded(numbers.n), "e": unpadded(numbers.e)}


def unpadded(number: int) -> str:
    """A number as JSON Web Keys have it."""
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed_by_openssl(name: str) -> list[tuple[str, str]]:
    """The headers of a request with one of the signatures."""
    signature = base64.urlsafe_b64encode((VECTORS / name).read_bytes()).decode()
    return [
        ("x-webhook-signature-key-id", "k1"),
        ("X-Webhook-Signature", f"rsassa-pss-sha256={signature}"),
    ]
