"""wsgi: a receiver as a WSGI application, held to the standard by wsgiref's validator."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from support import APP, TOKEN, World
from vectors import BODY, public_jwk, signed_by_openssl

import hookbox
from hookbox import ReceivedEvent, Verifier
from hookbox.wsgi import Receiver

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

JWKS = json.dumps({"keys": [public_jwk("k1")]})
OTHER_JWKS = json.dumps({"keys": [public_jwk("k2")]})
SIGNED = signed_by_openssl("openssl_salt32.sig")


class Server:
    """Calls an application as a server does."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = validator(application)
        self.log = io.StringIO()

    def request(
        self,
        method: str,
        *,
        query: str = "",
        headers: tuple[tuple[str, str], ...] | list[tuple[str, str]] = (),
        body: bytes = b"",
        **more: str,
    ) -> tuple[str, dict[str, str], bytes]:
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "QUERY_STRING": query}
        setup_testing_defaults(environ)
        environ.update({f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers})
        environ.update({"wsgi.input": io.BytesIO(body), "wsgi.errors": self.log})
        if method == "POST":
            environ["CONTENT_LENGTH"] = str(len(body))
        environ.update(more)
        started: list[tuple[str, dict[str, str]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
            started.append((status, dict(headers)))
            return lambda data: None

        answer = self._application(environ, start_response)
        try:
            content = b"".join(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        ((status, given),) = started
        return status, given, content


def test_wsgi_receives(world: World) -> None:
    received: list[ReceivedEvent] = []
    receiver = Receiver(Verifier.prelude(JWKS), received.extend, verification_token=TOKEN)
    server = Server(receiver)
    query = f"event=activate&verification_token={TOKEN}&challenge=7&app_id={APP}"
    status, headers, body = server.request("GET", query=query)
    assert (status, headers["Content-Type"]) == ("200 OK", "application/json")
    assert json.loads(body) == {"challenge": 7}
    assert server.request("POST", headers=SIGNED, body=BODY)[0] == "200 OK"
    assert [event.id for event in received] == ["evt_1"]
    assert server.log.getvalue() == ""


def test_wsgi_refuses() -> None:
    received: list[ReceivedEvent] = []
    server = Server(Receiver(Verifier.prelude(JWKS), received.extend, body_bytes_max=1000))
    assert server.request("POST", headers=SIGNED, body=BODY + b" ")[0].startswith("401")
    assert server.request("POST", body=BODY)[0].startswith("401")
    assert server.request("GET", query="challenge=7")[0].startswith("401")
    assert server.request("POST", headers=SIGNED, body=b"x" * 1001)[0].startswith("413")
    assert server.request("POST", headers=SIGNED, CONTENT_LENGTH="")[0].startswith("411")
    status, headers, _ = server.request("DELETE")
    assert (status[:3], headers["Allow"]) == ("405", "GET, POST")
    assert received == []
    assert server.log.getvalue().count("hookbox: refused: ") == 3


def test_wsgi_passes_on_what_the_handler_raises() -> None:
    def handle(_: list[ReceivedEvent]) -> None:
        raise LookupError("a bug")

    server = Server(Receiver(Verifier.prelude(JWKS), handle))
    with pytest.raises(LookupError):
        server.request("POST", headers=SIGNED, body=BODY)


def test_wsgi_fetches_keys_anew_once_a_minute() -> None:
    fetched: list[str] = []
    published = [OTHER_JWKS, JWKS]
    now = [0.0]

    def refresh() -> Verifier:
        fetched.append(published[len(fetched)])
        return Verifier.prelude(fetched[-1])

    received: list[ReceivedEvent] = []
    server = Server(
        Receiver(Verifier.prelude(OTHER_JWKS), received.extend, refresh=refresh, clock=lambda: now[0])
    )
    expected = [(0.0, "401", 1), (59.0, "401", 1), (60.0, "200", 2), (300.0, "200", 2)]
    for now[0], status, fetches in expected:
        assert server.request("POST", headers=SIGNED, body=BODY)[0].startswith(status)
        assert len(fetched) == fetches
    assert len(received) == 2
    assert isinstance(received[0], hookbox.ReceivedEvent)
