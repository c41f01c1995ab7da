"""WSGI applications (PEP 3333), to be mounted in any Python web server: a receiver, the management API."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hookbox._wsgi_api import Api, headers_of
from hookbox.errors import NotAuthentic, UnknownKey
from hookbox.model import ReceivedEvent
from hookbox.receive import BODY_BYTES_MAX, Verifier, answer_challenge

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["Api", "Receiver"]

REFRESH_SECONDS = 60


class Receiver:
    """Verifies deliveries, answers activation challenges, and hands over the events.

    `handle` is called with the events of each request, before it is answered: when it raises, the server
    answers 500, and the sender tries again. Events may come more than once: remember their ids.

    `verification_token` is what the webhook was registered with; without one every challenge is refused.
    `refresh` makes a verifier out of the sender's JWK set, fetched anew: called, at most once a minute,
    when a request names a key that the set did not have. `clock` counts seconds for that.

    What is not authentic gets 401, and a line in `wsgi.errors` says why.
    """

    def __init__(
        self,
        verifier: Verifier,
        handle: Callable[[list[ReceivedEvent]], object],
        *,
        verification_token: str | None = None,
        refresh: Callable[[], Verifier] | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verifier = verifier
        self._handle = handle
        self._token = verification_token
        self._refresh = refresh
        self._body_bytes_max = body_bytes_max
        self._clock = clock
        self._refreshed_at: float | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        method = environ["REQUEST_METHOD"]
        try:
            if method == "GET":
                status, content_type, body = self._challenge(environ)
            elif method == "POST":
                status, content_type, body = self._delivery(environ)
            else:
                status, content_type, body = "405 Method Not Allowed", "text/plain", b""
        except NotAuthentic as error:
            environ["wsgi.errors"].write(f"hookbox: refused: {error}\n")
            status, content_type, body = "401 Unauthorized", "text/plain", b""
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        if status.startswith("405"):
            headers.append(("Allow", "GET, POST"))
        start_response(status, headers)
        return [body]

    def _challenge(self, environ: WSGIEnvironment) -> tuple[str, str, bytes]:
        if self._token is None:
            raise NotAuthentic("this receiver has no verification token: it answers no challenge")
        answer = answer_challenge(environ.get("QUERY_STRING", ""), self._token)
        return f"{answer.http_status} OK", answer.content_type, answer.body

    def _delivery(self, environ: WSGIEnvironment) -> tuple[str, str, bytes]:
        length = environ.get("CONTENT_LENGTH") or ""
        if not (length.isascii() and length.isdigit()):
            return "411 Length Required", "text/plain", b""
        if int(length) > self._body_bytes_max:
            return "413 Content Too Large", "text/plain", b""
        body: bytes = environ["wsgi.input"].read(int(length))
        self._handle(self._verified(headers_of(environ), body))
        return "200 OK", "text/plain", b""  # The Prelude profile takes nothing else for success.

    def _verified(self, headers: list[tuple[str, str]], body: bytes) -> list[ReceivedEvent]:
        verifier = self._verifier
        try:
            return verifier.verify(headers, body)
        except UnknownKey:
            if not self._refreshes(verifier):
                raise
        return self._verifier.verify(headers, body)

    def _refreshes(self, verifier: Verifier) -> bool:
        """Whether there is another verifier now than this one."""
        with self._lock:
            now = self._clock()
            lately = self._refreshed_at is not None and now - self._refreshed_at < REFRESH_SECONDS
            if self._refresh is not None and not lately and self._verifier is verifier:
                self._refreshed_at = now
                self._verifier = self._refresh()
            return self._verifier is not verifier
