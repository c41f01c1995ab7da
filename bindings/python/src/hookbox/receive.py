"""For receivers: is this request what hookbox sent?"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hookbox import _read
from hookbox._convert import (
    Headers,
    Structure,
    call,
    milliseconds_of,
    pairs_in,
    span_in,
    take,
    text_in,
    texts_in,
)
from hookbox._library import ffi, lib
from hookbox.model import ChallengeAnswer, ReceivedEvent

TOLERANCE = timedelta(minutes=5)
BODY_BYTES_MAX = 4 * 1024 * 1024


class Verifier:
    """What a receiver verifies with. Immutable: any number of threads may use it at once."""

    def __init__(
        self,
        scheme: int,
        keys: Iterable[str],
        *,
        replay_protection: bool = False,
        any_salt: bool = False,
        tolerance: timedelta = TOLERANCE,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        options = Structure("hookbox_verify_options")
        options.pointer.replay_protection = replay_protection
        options.pointer.any_salt = any_salt
        options.pointer.tolerance_ms = span_in(tolerance)
        options.pointer.body_bytes_max = body_bytes_max
        given = texts_in(keys)
        out = ffi.new("hookbox_verifier **")
        call(lib.hookbox_verifier_new, scheme, given.items, given.count, options.pointer, out)
        self._verifier = ffi.gc(out[0], lib.hookbox_verifier_free)

    @classmethod
    def prelude(
        cls,
        jwks: str,
        *,
        replay_protection: bool = False,
        any_salt: bool = False,
        tolerance: timedelta = TOLERANCE,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> Verifier:
        """For the Prelude profile: RSA-PSS with the sender's JWK set, fetched from an address that was
        configured, never from one that a request names.

        `replay_protection`: also demand `X-Webhook-Signature-V2`, which covers id and time. `any_salt`:
        accept salts of any length, not of 32 bytes only. `tolerance`: how far the sender's clock may be off.
        `body_bytes_max`: the largest body that is looked at. Raises `InvalidRequest` for keys that cannot be
        used.
        """
        return cls(
            lib.HOOKBOX_VERIFY_PRELUDE,
            [jwks],
            replay_protection=replay_protection,
            any_salt=any_salt,
            tolerance=tolerance,
            body_bytes_max=body_bytes_max,
        )

    @classmethod
    def fingerprint(cls, secrets: Iterable[str], *, body_bytes_max: int = BODY_BYTES_MAX) -> Verifier:
        """For the Fingerprint profile: HMAC with the webhook's secrets."""
        scheme = lib.HOOKBOX_VERIFY_FINGERPRINT
        return cls(scheme, secrets, body_bytes_max=body_bytes_max)

    @classmethod
    def standard(
        cls,
        secrets: Iterable[str],
        *,
        tolerance: timedelta = TOLERANCE,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> Verifier:
        """For Standard Webhooks: HMAC or Ed25519 with the webhook's secrets ("whsec_…", "whpk_…")."""
        scheme = lib.HOOKBOX_VERIFY_STANDARD
        return cls(scheme, secrets, tolerance=tolerance, body_bytes_max=body_bytes_max)

    def verify(self, headers: Headers, body: bytes, now: datetime | None = None) -> list[ReceivedEvent]:
        """Verifies a request and reads its events. Give all of its headers, and the body exactly as it came,
        before any JSON parser touched it. `now`: the time; the system's clock by default. Events may come
        more than once: remember their ids.

        Raises `NotAuthentic`; `UnknownKey`: fetch the JWK set anew, at most once a minute, and verify again.
        """
        pairs = pairs_in(headers)
        now_ms = 0 if now is None else milliseconds_of(now)
        where = (self._verifier, pairs.items, pairs.count, text_in(body), now_ms)
        return take("hookbox_received", _read.received, lib.hookbox_verify, *where)


def answer_challenge(query: str, verification_token: str) -> ChallengeAnswer:
    """Answers the activation challenge that came as a GET with this query (what stands after the question
    mark), if it carries the verification token given at the registration. Raises `NotAuthentic`."""
    answer = lib.hookbox_answer_challenge
    where = (text_in(query), text_in(verification_token))
    return take("hookbox_challenge_answer", _read.challenge_answer, answer, *where)
