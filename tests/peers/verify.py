"""Verifies hookbox's requests with `cryptography` and `standardwebhooks`, then signs some itself.

Usage: verify.py PEERS_JSON [SIGNED_BY_PYTHON_JSON]
"""

import base64
import hashlib
import hmac
import json
import sys
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

PREFIX = "rsassa-pss-sha256="


class Refused(Exception):
    pass


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def pss(salt):
    return padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=salt)


def check_rsa(request, headers, body):
    jwk = {key["kid"]: key for key in request["jwks"]}[headers["x-webhook-signature-key-id"]]
    number = lambda name: int.from_bytes(unpadded(jwk[name]), "big")
    key = rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for name, content in (("x-webhook-signature", body), ("x-webhook-signature-v2", signed)):
        header = headers[name]
        if not header.startswith(PREFIX):
            raise Refused(f"{name} has another prefix")
        encoded = header[len(PREFIX):]
        if len(encoded) % 4:
            raise Refused(f"{name} is not padded")
        signature = base64.b64decode(encoded.replace("-", "+").replace("_", "/"), validate=True)
        try:
            for salt in (32, padding.PSS.AUTO):
                key.verify(signature, content, pss(salt), hashes.SHA256())
        except InvalidSignature:
            raise Refused(f"{name} does not match") from None


def check_fingerprint(request, headers, body):
    # As the vendor's SDKs do it: split without trimming, compare hex.
    for secret in request["secrets"]:
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        found = False
        for entry in headers["fpjs-event-signature"].split(","):
            version, value = entry.split("=", 1)
            found |= version == "v1" and hmac.compare_digest(value, expected)
        if not found:
            raise Refused("no fingerprint signature matches")


def check_standard(request, headers, body):
    for secret in request["secrets"]:
        if secret.startswith("whsec_"):
            try:
                Webhook(secret).verify(body.decode("utf-8", "surrogateescape"), headers)
            except (WebhookVerificationError, ValueError) as error:
                raise Refused(f"standardwebhooks: {error}") from None
        else:
            # The package knows HMAC only; Ed25519 is checked with `cryptography`.
            key = ed25519.Ed25519PublicKey.from_public_bytes(
                base64.b64decode(secret.removeprefix("whpk_"), validate=True)
            )
            content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            for entry in headers["webhook-signature"].split(" "):
                version, value = entry.split(",", 1)
                try:
                    if version == "v1a":
                        key.verify(base64.b64decode(value, validate=True), content)
                        break
                except InvalidSignature:
                    pass
            else:
                raise Refused("no Ed25519 signature matches")


CHECKS = {"rsa-pss": check_rsa, "fingerprint": check_fingerprint, "standard": check_standard}


def verify(path):
    with open(path, encoding="utf-8") as file:
        requests = json.load(file)
    if not requests:
        sys.exit("verify.py: there is nothing to verify")
    for index, request in enumerate(requests):
        headers = {name.lower(): value for name, value in request["headers"]}
        body = base64.b64decode(request["body_base64"], validate=True)
        check = CHECKS[request["scheme"]]
        try:
            check(request, headers, body)
        except Refused as reason:
            sys.exit(f"verify.py: request {index} ({request['scheme']}) is refused: {reason}")
        try:
            check(request, headers, bytes([body[0] ^ 1]) + body[1:])
        except Refused:
            continue
        sys.exit(f"verify.py: request {index} ({request['scheme']}) passes with a flipped bit")
    print(f"python: {len(requests)} requests verified, and refused with a flipped bit")


def sign(path):
    body = '{"app_id":"54e9ujn","events":[{"id":"évt"}]}'.encode()
    seconds = int(time.time())
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    numbers = key.public_key().public_numbers()
    encode = lambda n: base64.urlsafe_b64encode(
        n.to_bytes((n.bit_length() + 7) // 8, "big")
    ).rstrip(b"=").decode()
    jwk = {"kty": "RSA", "kid": "py", "n": encode(numbers.n), "e": encode(numbers.e)}
    signature = base64.b64encode(key.sign(body, pss(32), hashes.SHA256())).decode()
    secret = "whsec_" + base64.b64encode(b"python signs with these bytes 24+").decode()
    from datetime import datetime, timezone

    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    standard = Webhook(secret).sign("msg_py", moment, body.decode())
    fingerprint = hmac.new(b"py", body, hashlib.sha256).hexdigest()
    requests = [
        {
            "scheme": "rsa-pss",
            "jwks": [jwk],
            "headers": [
                ["X-Webhook-Signature-Key-Id", "py"],
                ["X-Webhook-Signature", PREFIX + signature],
            ],
        },
        {
            "scheme": "fingerprint",
            "secrets": ["py"],
            "headers": [["fpjs-event-signature", f"v1={fingerprint}"]],
        },
        {
            "scheme": "standard",
            "secrets": [secret],
            "headers": [
                ["webhook-id", "msg_py"],
                ["webhook-timestamp", str(seconds)],
                ["webhook-signature", standard],
            ],
        },
    ]
    for request in requests:
        request["body_base64"] = base64.b64encode(body).decode()
    with open(path, "w", encoding="utf-8") as file:
        json.dump(requests, file)


verify(sys.argv[1])
if len(sys.argv) > 2:
    sign(sys.argv[2])
