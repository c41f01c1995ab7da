"""api: the management API, served by a real server; and what servers differ in, held to the standard."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from support import APP, PATIENCE, TOKEN, Endpoint, World

import hookbox
from hookbox import API_BODY_BYTES_MAX, ApiResponse, Box, Dialect, Grant
from hookbox._library import lib
from hookbox.wsgi import Api

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

WEBHOOKS = f"/v2/session/apps/{APP}/webhooks"
EVENTS = f"/hookbox/v1/apps/{APP}/events"
JSON = {"Content-Type": "application/json"}


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """A thread for each request."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


class Client:
    """Asks a server on the loopback; with a key."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.key = ""

    def request(
        self, method: str, target: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key:
            given.setdefault("Authorization", f"Bearer {self.key}")
        if body is not None:
            given.update(JSON)
        sent = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection = HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE.total_seconds())
        try:
            connection.request(method, target, sent, given)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, json.loads(content) if content else None


@contextmanager
def served(application: WSGIApplication) -> Iterator[Client]:
    """Serves an application, and holds it to the standard."""
    with make_server("127.0.0.1", 0, validator(application), ThreadingServer, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Client(server.server_port)
        finally:
            server.shutdown()
            thread.join()


def test_api_is_served(box: Box, endpoint: Endpoint) -> None:
    with served(Api(box)) as client:
        status, _, refused = client.request("GET", WEBHOOKS)
        assert (status, refused["code"]) == (401, "unauthorized")
        client.key, _ = box.create_api_key(app=APP)
        new = {"url": endpoint.url, "verification_token": TOKEN, "events": ["user.created"]}
        status, _, made = client.request("POST", WEBHOOKS, new)
        assert status == 201
        id_ = made["webhook"]["id"]
        assert box.webhook(APP, id_).url == endpoint.url
        assert client.request("POST", f"{WEBHOOKS}/{id_}/activate")[0] == 200
        status, _, got = client.request("GET", f"{WEBHOOKS}/{id_}")
        assert (status, got["webhook"]["id"]) == (200, id_)
        status, _, listed = client.request("GET", WEBHOOKS)
        assert [webhook["id"] for webhook in listed["webhooks"]] == [id_]
        event = b'{"type":"user.created","payload":{"n":1.50}}'
        status, _, emitted = client.request("POST", EVENTS, event, Idempotency_Key="once")
        assert (status, len(emitted["ids"])) == (201, 1)
        assert client.request("POST", EVENTS, event, Idempotency_Key="once")[2] == emitted
        assert box.event(emitted["ids"][0]).payload == '{"n":1.50}'
        status, _, page = client.request("GET", f"{EVENTS}?type=user.created&limit=1")
        assert [item["id"] for item in page["items"]] == emitted["ids"]
        assert client.request("DELETE", f"{WEBHOOKS}/{id_}")[0] == 204
        assert list(box.webhooks(APP)) == []


def test_api_shows_key_sets_to_everybody(box: Box) -> None:
    with served(Api(box)) as client:
        for target, host in ((f"/v2/session/apps/{APP}/jwks.json", "x"), ("/.well-known/jwks.json", APP)):
            status, headers, jwks = client.request("GET", target, Host=f"{host}.example.com")
            assert (status, jwks) == (200, json.loads(box.jwks(APP)))
            assert "max-age" in headers["cache-control"]


def test_api_has_http_right(box: Box) -> None:
    with served(Api(box)) as client:
        client.key, _ = box.create_api_key(app=APP)
        status, headers, _ = client.request("PUT", WEBHOOKS)
        assert status == 405
        assert {"GET", "POST"} <= set(headers["allow"].split(", "))
        assert client.request("OPTIONS", WEBHOOKS)[0] == 204
        _, got, content = client.request("GET", WEBHOOKS, X_Request_Id="mine")
        assert content == {"webhooks": []}
        status, head, nothing = client.request("HEAD", WEBHOOKS, X_Request_Id="mine")
        assert (status, nothing, head["x-request-id"]) == (200, None, "mine")
        assert head["content-length"] == got["content-length"] != "0"
        assert head["content-type"] == got["content-type"]
        assert client.request("GET", "/nowhere")[0] == 404
        status, _, refused = client.request("POST", WEBHOOKS, b'{"url":"' + b"x" * 64 * 1024 + b'"}')
        assert (status, refused["code"]) == (413, "body_too_large")
        assert client.request("POST", EVENTS, b"x" * (API_BODY_BYTES_MAX + 1))[0] == 413
        assert client.request("POST", EVENTS, b"{")[0] == 400


def test_api_hides_other_apps(box: Box) -> None:
    box.create_app("other")
    with served(Api(box)) as client:
        client.key, _ = box.create_api_key(app="other")
        assert client.request("GET", "/v2/session/apps/other/webhooks")[0] == 200
        there, nowhere = (
            client.request("GET", f"/v2/session/apps/{app}/webhooks") for app in (APP, "nobody")
        )
        assert there[0] == nowhere[0] == 404
        assert there[2]["code"] == nowhere[2]["code"]
        client.key, _ = box.create_api_key(app="other", read_only=True)
        assert client.request("POST", "/hookbox/v1/apps/other/disable")[0] == 403


def test_api_speaks_fingerprint(box: Box) -> None:
    box.create_app("fp", profile="fingerprint")
    with served(Api(box, Dialect.FINGERPRINT)) as client:
        client.key, _ = box.create_api_key(app="fp")
        status, _, made = client.request(
            "POST", "/webhooks", {"url": "https://example.com/"}, X_API_Version="2025-11-20"
        )
        assert status == 201
        assert made["data"]["id"] == next(box.webhooks("fp")).id
        assert client.request("GET", WEBHOOKS)[0] == 404


def test_api_takes_the_hosts_own_word(box: Box) -> None:
    box.create_app("other")
    grants = {"admin": Grant(None), "user": Grant(APP), "guest": Grant(APP, read_only=True)}

    def authorize(environ: WSGIEnvironment) -> Grant | None:
        return grants.get(environ.get("HTTP_X_USER", ""))

    with served(Api(box, authorize=authorize)) as client:
        event = {"type": "user.created", "payload": {}}
        for user, stats, emits, other in (
            ("admin", 200, 201, 200),
            ("user", 403, 201, 404),
            ("guest", 403, 403, 404),
        ):
            assert client.request("GET", "/hookbox/v1/stats", X_User=user)[0] == stats
            assert client.request("POST", EVENTS, event, X_User=user)[0] == emits
            assert client.request("GET", "/hookbox/v1/apps/other", X_User=user)[0] == other
        # Without the host's word a key of the box's opens nothing; what is public stays so.
        client.key, _ = box.create_api_key()
        assert client.request("GET", WEBHOOKS, X_User="stranger")[0] == 401
        assert client.request("GET", WEBHOOKS)[0] == 401
        assert client.request("GET", f"/v2/session/apps/{APP}/jwks.json")[0] == 200


def test_api_dialects_are_the_headers() -> None:
    assert Dialect.PRELUDE == lib.HOOKBOX_API_PRELUDE
    assert Dialect.FINGERPRINT == lib.HOOKBOX_API_FINGERPRINT
    assert len(Dialect) == 2


def test_api_grants_are_checked(world: World) -> None:
    with pytest.raises(ValueError, match="None is for every app"):
        Grant("")
    with pytest.raises(hookbox.NotFound):
        world.box.answer_api("GET", WEBHOOKS, grant=Grant("no app's id"))
    assert "webhooks" not in repr(world.box.answer_api("GET", WEBHOOKS, grant=Grant(APP)))
    world.box.close()
    with pytest.raises(hookbox.Closed):
        world.box.answer_api("GET", WEBHOOKS)
    with pytest.raises(hookbox.Closed):
        asked(Api(world.box), "GET", WEBHOOKS)


def asked(application: Api, method: str, path: str, body: bytes = b"", /, **more: Any) -> tuple[str, bytes]:
    """Calls an application as some server does."""
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": ""}
    setup_testing_defaults(environ)
    environ["wsgi.input"] = io.BytesIO(body)
    environ.update(more)
    started: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        started.append(status)

    content = b"".join(application(environ, start_response))
    (status,) = started
    return status, content


@pytest.fixture
def granted(world: World) -> Api:
    """One that lets everybody in."""
    return Api(world.box, authorize=lambda environ: Grant(APP))


def test_api_takes_bodies_of_every_server(granted: Api) -> None:
    event = b'{"type":"user.created","payload":{}}'
    media = {"CONTENT_TYPE": "application/json"}
    assert asked(granted, "POST", EVENTS, event, CONTENT_LENGTH=str(len(event)), **media)[0] == "201 Created"
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", **media}
    assert asked(granted, "POST", EVENTS, event, **chunked)[0] == "411 Length Required"
    chunked["wsgi.input_terminated"] = "yes"
    assert asked(granted, "POST", EVENTS, event, **chunked)[0] == "201 Created"
    assert asked(granted, "POST", EVENTS, event)[0].startswith("400")  # No length: no body.
    for length in ("-1", "1e3", "²", "9" * 5000):
        assert asked(granted, "POST", EVENTS, event, CONTENT_LENGTH=length)[0] == "400 Bad Request"
    # Of what is too large no more is read than shows it.
    large = io.BytesIO(b"x" * (2 * API_BODY_BYTES_MAX))
    length = str(2 * API_BODY_BYTES_MAX)
    environ = {"wsgi.input": large, "CONTENT_LENGTH": length}
    assert asked(granted, "POST", EVENTS, **environ)[0].startswith("413")
    assert large.tell() == API_BODY_BYTES_MAX + 1


def test_api_finds_its_path_in_every_server(world: World) -> None:
    world.box.add_event_types(["user/created"])
    webhook = world.box.create_webhook(
        APP, "https://example.com/", verification_token=TOKEN, events=["user/created"]
    )
    answered: list[str] = []

    class Listening:
        def answer_api(self, method: str, target: str, **rest: Any) -> ApiResponse:
            answered.append(target)
            return world.box.answer_api(method, target, **rest)

    application = Api(Listening(), authorize=lambda environ: Grant(APP))  # type: ignore[arg-type]
    path = f"{WEBHOOKS}/{webhook.id}/events/user/created"
    raw = f"{WEBHOOKS}/{webhook.id}/events/user%2Fcreated"
    # A server that decodes, and keeps nothing else: the slash is lost. One that keeps it; one with a mount.
    assert asked(application, "DELETE", path)[0].startswith("404")
    assert asked(application, "DELETE", path, RAW_URI=f"{raw}?x=1", QUERY_STRING="x=1")[0] == "200 OK"
    assert answered.pop() == f"{raw}?x=1"
    mounted = {"SCRIPT_NAME": "/a b/c", "REQUEST_URI": f"/a%20b%2Fc{raw}"}
    assert asked(application, "DELETE", path, **mounted)[0].startswith(("200", "400"))
    assert answered.pop() == raw
    # Where what came is another path than the one that the host was told of, the latter counts.
    for uri in ("/elsewhere", f"http://example.com{raw}", f"{WEBHOOKS}#/{webhook.id}"):
        asked(application, "GET", WEBHOOKS, RAW_URI=uri)
        assert answered.pop() == WEBHOOKS
    asked(application, "GET", "/a#b", RAW_URI="/a#b")
    assert answered.pop() == "/a%23b"


def test_api_answers_whatever_comes(granted: Api) -> None:
    strange = "ÿ\x00é%2"
    headers = {"HTTP_X_REQUEST_ID": strange, "HTTP_ÿ": strange, "HTTP_AUTHORIZATION": strange}
    for method in ("GET", "BREW", "", strange):
        for path in ("", "*", f"/{strange}", f"{WEBHOOKS}/{strange}", f"{WEBHOOKS}/{quote(strange)}"):
            for raw in ("", path, strange):
                more = {"RAW_URI": raw, "QUERY_STRING": strange, "CONTENT_TYPE": strange, **headers}
                status, _ = asked(granted, method, path, **more)
                assert status[:3] in ("400", "404", "405"), (method, path, status)
