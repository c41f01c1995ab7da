"""What the tests deliver to, and what they put in place of the network and of the time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import hookbox
from hookbox import Answered, Options, Outcome, Request

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

APP = "54e9ujn"
TOKEN = "are-you-there"
PATIENCE = timedelta(minutes=2)
"""More than any wait here takes, unless it is for ever."""
VECTORS = Path(__file__).parents[3] / "tests" / "vectors"
START = datetime(2025, 3, 15, 10, 30, tzinfo=timezone.utc)

Answer = Callable[[Request], Outcome]


def well(_: Request) -> Outcome:
    """The endpoint is well."""
    return Answered(200)


def failing(_: Request) -> Outcome:
    """The endpoint fails."""
    return Answered(500, body=b"out of order")


class Endpoint:
    """An HTTP server on the loopback: answers challenges, and keeps what it gets."""

    def __init__(self) -> None:
        self.requests: list[tuple[list[tuple[str, str]], bytes]] = []
        self.status = 200
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                try:
                    answer = hookbox.answer_challenge(self.path.partition("?")[2], TOKEN)
                except hookbox.NotAuthentic:
                    self._answer(401, b"")
                else:
                    self._answer(answer.http_status, answer.body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.requests.append((list(self.headers.items()), body))
                self._answer(endpoint.status, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"

    def options(self, **more: Any) -> Options:
        """Options that allow to deliver here."""
        return Options(allow_http=True, allow_networks=["127.0.0.0/8"], **more)

    def __enter__(self) -> Endpoint:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class HandSetClock:
    """Time that stands still until it is set."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


class ScriptedTransport:
    """No network: answers challenges, keeps deliveries, and answers them as it is told."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Answer = well

    def send(self, request: Request) -> Outcome:
        if request.method == "GET":
            answer = hookbox.answer_challenge(request.url.partition("?")[2], TOKEN)
            return Answered(answer.http_status, body=answer.body)
        self.requests.append(request)
        return self.answer(request)


class World:
    """A box without a network, whose time is set by hand."""

    def __init__(self, clock: HandSetClock, **more: Any) -> None:
        self.clock = clock
        self.transport = ScriptedTransport()
        self.box = hookbox.open_in_memory(Options(transport=self.transport, clock=clock, **more))
        self.box.create_app(APP)

    def webhook(self, app: str = APP, **more: Any) -> str:
        """Registers and activates a webhook."""
        url = "https://example.com/hooks"
        made = self.box.create_webhook(app, url, verification_token=TOKEN, events=hookbox.ALL_EVENTS, **more)
        return self.box.activate(app, made.id).id

    def pass_time(self, span: timedelta) -> None:
        """Moves the clock."""
        self.clock.time += span

    def __enter__(self) -> World:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.box.close()


class Unraisable:
    """Collects exceptions in the place of `sys.unraisablehook`."""

    def __init__(self) -> None:
        self.errors: list[BaseException | None] = []

    def __call__(self, given: UnraisableHookArgs) -> None:
        self.errors.append(given.exc_value)


def run_python(program: str) -> str:
    """Runs a program in a process of its own, and gives what it printed, to both outputs."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE.total_seconds(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
