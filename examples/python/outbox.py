"""Register, activate, emit, deliver, verify, look: an outbox and a receiver in one program. It says what it
does.

A real receiver is another program, on another machine, behind https.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import hookbox
from hookbox import Box, Notice, Options, ReceivedEvent, Verifier
from hookbox.wsgi import Api, Receiver

TOKEN = "are-you-there"


def send(path: Path, receiver: Receiving) -> None:
    """The sender: its own file, its own threads."""
    # Loopback and plain http, because the receiver is in this program: neither is allowed by default.
    options = Options(allow_http=True, allow_networks=["127.0.0.0/8"], on_notice=on_notice)
    with hookbox.open(path, options) as box:
        box.create_app("54e9ujn")
        receiver.publish(box.jwks("54e9ujn"))
        print("created the app 54e9ujn, and published its keys")

        webhook = box.create_webhook(
            "54e9ujn", receiver.url, verification_token=TOKEN, events=["user.created"]
        )
        box.activate("54e9ujn", webhook.id)
        print(f"activated the webhook {webhook.url}")

        box.start()
        event = box.emit("54e9ujn", "user.created", {"user_id": "usr_1"})
        print(f"emitted {event[:4]}…: it survives power loss now")
        again = box.emit("54e9ujn", "user.created", '{"user_id":"usr_2"}', idempotency_key="signup-2")
        assert box.emit("54e9ujn", "user.created", '{"user_id":"usr_2"}', idempotency_key="signup-2") == again

        assert box.wait_idle(timedelta(seconds=30))
        for batch in box.batches("54e9ujn"):
            print(f"delivered a batch of {batch.event_count} at attempt {batch.attempts}")
        print("the story:", *box.explain_event(event).batches[0].sentences, sep="\n  ")
        look(box)


def look(box: Box) -> None:
    """The management API, served for one request."""
    secret, key = box.create_api_key(name="dashboard", app="54e9ujn", read_only=True)
    with make_server("127.0.0.1", 0, Api(box), WSGIServer, Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        connection = HTTPConnection("127.0.0.1", server.server_port)
        headers = {"Authorization": f"Bearer {secret}"}
        connection.request("GET", "/v2/session/apps/54e9ujn/webhooks", headers=headers)
        response = connection.getresponse()
        print(f"asked with the key {key.name}: {response.status}, {len(response.read())} bytes")
        connection.close()
        thread.join()
    box.revoke_api_key(key.id)


def on_notice(notice: Notice) -> None:
    """Runs on one of hookbox's threads."""
    print("notice:", notice.kind, notice.app_id, notice.webhook_id)


class Receiving:
    """The receiver: a web server, as any WSGI server is."""

    def __init__(self) -> None:
        self.received: list[ReceivedEvent] = []

    def publish(self, jwks: str) -> None:
        """Starts the server, with the keys it would have fetched from the sender."""
        seen: set[str] = set()

        def handle(events: list[ReceivedEvent]) -> None:
            for event in events:
                if event.id not in seen:  # A delivery can come twice.
                    seen.add(event.id)
                    print(f"received {event.event_type}: {event.payload}")
                    self.received.append(event)

        application = Receiver(Verifier.prelude(jwks), handle, verification_token=TOKEN)

        self._server.set_app(application)

    def __enter__(self) -> Receiving:
        self._server = make_server("127.0.0.1", 0, lambda *_: [], WSGIServer, Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Quiet(WSGIRequestHandler):
    """A server that prints no log."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def main() -> int:
    """Runs it all."""
    with tempfile.TemporaryDirectory() as folder, Receiving() as receiver:
        send(Path(folder) / "webhooks.db", receiver)
        payloads = sorted(event.payload for event in receiver.received)
    return 0 if payloads == ['{"user_id":"usr_1"}', '{"user_id":"usr_2"}'] else 1


if __name__ == "__main__":
    sys.exit(main())
