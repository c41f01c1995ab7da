"""The management API as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http.client import responses
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hookbox.box import Box
from hookbox.model import API_BODY_BYTES_MAX, Dialect, Grant

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# The digits of a length that is no attack.
LENGTH_DIGITS_MAX = 18
# What stays as it came in a path or a query: all of ASCII that can be seen, but what would end either.
VISIBLE = "".join(map(chr, range(0x21, 0x7F))).replace("#", "")


class Api:
    """Answers the management API of a box: a vendor's, by `dialect`, hookbox's own under /hookbox/v1, and the
    public key sets. `docs/api.md` says what there is.

    Without `authorize` a request must carry one of the box's API keys (`Box.create_api_key`) as
    `Authorization: Bearer hbk_…`. With it the host decides by itself: `authorize` is called with the
    environment of each request and gives a `Grant`; or `None`: the request is answered as one without a key,
    and an `Authorization` header of its own counts for nothing. When it raises, the server answers 500.

    Mounted under a path, it answers what comes below that. An encoded slash in a path is told from a plain
    one where the server gives the path as it came (`RAW_URI` or `REQUEST_URI`: gunicorn, uWSGI, mod_wsgi …).
    """

    def __init__(
        self,
        box: Box,
        dialect: Dialect = Dialect.PRELUDE,
        *,
        authorize: Callable[[WSGIEnvironment], Grant | None] | None = None,
    ) -> None:
        self._box = box
        self._dialect = dialect
        self._authorize = authorize

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        refused, body = _body(environ)
        if refused:
            start_response(refused, [("Content-Type", "text/plain"), ("Content-Length", "0")])
            return [b""]
        method = environ["REQUEST_METHOD"]
        headers = _headers_for_api(environ)
        grant = None
        if self._authorize is not None:
            grant = self._authorize(environ)
            # The host decides, not the box's keys: without a grant there is no key either.
            headers = [pair for pair in headers if pair[0] != "AUTHORIZATION"]
        answer = self._box.answer_api(
            # The body is left out below, when its length is known.
            "GET" if method == "HEAD" else method,
            _target(environ),
            headers=headers,
            body=body,
            dialect=self._dialect,
            grant=grant,
        )
        given = list(answer.headers)
        if answer.http_status != 204:
            given.append(("Content-Length", str(len(answer.body))))
        start_response(f"{answer.http_status} {responses.get(answer.http_status, 'Other')}", given)
        return [] if method == "HEAD" or answer.http_status == 204 else [answer.body]


def _body(environ: WSGIEnvironment) -> tuple[str, bytes]:
    """The status of a request whose body cannot be read, or empty; and the body. Of one that is too large: as
    much as shows it, so that the API says so in its own words."""
    length = environ.get("CONTENT_LENGTH") or ""
    if length and not (length.isascii() and length.isdigit() and len(length) <= LENGTH_DIGITS_MAX):
        return "400 Bad Request", b""
    ends_by_itself = bool(environ.get("wsgi.input_terminated"))
    if not length and not ends_by_itself:
        # A body without a length cannot be read from such a server; no body at all is well.
        return ("411 Length Required" if "HTTP_TRANSFER_ENCODING" in environ else ""), b""
    most = API_BODY_BYTES_MAX + 1
    return "", environ["wsgi.input"].read(min(int(length), most) if length else most)


def _headers_for_api(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """The request's headers, the media type with them. WSGI makes texts of their bytes as of Latin-1."""
    headers = headers_of(environ)
    if environ.get("CONTENT_TYPE"):
        headers.append(("CONTENT-TYPE", environ["CONTENT_TYPE"]))
    return [(name, value.encode("latin-1").decode("utf-8", "replace")) for name, value in headers]


def _target(environ: WSGIEnvironment) -> str:
    """Path and query as in the request line, without what this application is mounted under."""
    mount = environ.get("SCRIPT_NAME", "").encode("latin-1")
    path = environ.get("PATH_INFO", "").encode("latin-1")
    query = environ.get("QUERY_STRING", "").encode("latin-1")
    target = _path_as_it_came(environ, mount, path) or quote_from_bytes(path)
    return f"{target}?{quote_from_bytes(query, safe=VISIBLE)}" if query else target


def _path_as_it_came(environ: WSGIEnvironment, mount: bytes, path: bytes) -> str:
    """The path below the mount, still encoded, where the server gives it; empty where it does not, or where
    that is another path: the one that the host was told of counts."""
    uri = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    raw = uri.encode("latin-1").partition(b"?")[0]
    # Encoded, the mount has three times its length at most.
    for end in range(min(len(raw), 3 * len(mount) + 1)):
        is_end = raw[end : end + 1] == b"/" and unquote_to_bytes(raw[:end]) == mount
        if is_end and unquote_to_bytes(raw[end:]) == path:
            return quote_from_bytes(raw[end:], safe=VISIBLE)
    return ""


def headers_of(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """The request's headers. WSGI has their names in capitals with underscores."""
    return [
        (name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")
    ]
