"""The management API: a request in, a response out."""

from __future__ import annotations

from hookbox import _read
from hookbox._convert import Headers, Structure, pairs_in, take
from hookbox._handle import Handle
from hookbox._library import ffi, lib
from hookbox.model import ApiResponse, Dialect, Grant


class ManagementApi(Handle):
    """The method of a box that answers the management API."""

    def answer_api(
        self,
        method: str,
        target: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        dialect: Dialect = Dialect.PRELUDE,
        grant: Grant | None = None,
    ) -> ApiResponse:
        """Answers a request to the management API: a vendor's, by `dialect`, hookbox's own under
        /hookbox/v1, and the public key sets. For any server: give what came, send what is given back,
        whatever its status. `hookbox.wsgi.Api` does so.

        `target`: path and query as in the request line, still percent-encoded. `body`: more than
        `hookbox.API_BODY_BYTES_MAX` is never taken. Without a `grant` the request must carry one of the box's
        API keys (`create_api_key`); with one the program has authorized it by itself.

        Activating waits for the endpoint; everything else for the storage alone: an asynchronous server calls
        it on a thread. Raises what is wrong with the call, never what is wrong with the request: `Closed`,
        `NotFound` when `grant.app` cannot be an app's id.
        """
        request = Structure("hookbox_api_request")
        request.set_text("method", method)
        request.set_text("target", target)
        request.set_array("headers", "header_count", pairs_in(headers))
        request.set_text("body", body)
        given = None if grant is None else _grant_in(grant)
        where = (dialect, ffi.NULL if given is None else given.pointer, request.pointer)
        handle = lib.hookbox_api_handle
        return take("hookbox_api_response", _read.api_response, handle, self._hooks, *where)


def _grant_in(grant: Grant) -> Structure:
    given = Structure("hookbox_grant")
    given.pointer.read_only = grant.read_only
    given.set_text("app", "" if grant.app is None else grant.app)
    return given
