"""Keys of the management API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from hookbox import _read
from hookbox._convert import Structure, call, milliseconds_of, take, text_in
from hookbox._handle import Handle, pages
from hookbox._library import ffi, lib
from hookbox.model import ApiKey, Page


class ApiKeys(Handle):
    """Methods of a box about keys of the management API."""

    def create_api_key(
        self,
        *,
        name: str = "",
        app: str = "",
        read_only: bool = False,
        requests_per_second: int = 0,
        expires_at: datetime | None = None,
    ) -> tuple[str, ApiKey]:
        """Makes an API key, and gives the key itself and its record. The former is the only copy: the box
        keeps a digest.

        `name`: what it is for, at most 100 characters. `app`: the one app it is for; empty: every app.
        `read_only`: for looking only. `requests_per_second`: in the long run, 1 to 10 000; 0 means 50; twice
        as many may come at once. `expires_at`: from when on it is refused; `None`: never.

        Raises `InvalidRequest`, `NotFound`.
        """
        new = Structure("hookbox_new_api_key")
        new.pointer.requests_per_second = requests_per_second
        new.set_text("name", name)
        new.set_text("app", app)
        new.pointer.expires_at_ms = 0 if expires_at is None else milliseconds_of(expires_at)
        new.pointer.read_only = read_only
        secret = ffi.new("hookbox_texts **")
        create = lib.hookbox_api_key_create
        record = take("hookbox_api_key", _read.api_key, create, self._hooks, new.pointer, secret)
        try:
            return _read.one_text(secret[0]), record
        finally:
            lib.hookbox_texts_free(secret[0])

    def api_key_page(self, *, app: str = "", cursor: str = "", limit: int = 0) -> Page[ApiKey]:
        """One page of the API keys, the oldest first, revoked and expired ones too: those of one app, or all
        (empty); at most `limit` (1 to 1000; 0 means 100), after the page that gave `cursor`."""
        read = _read.page(_read.api_key)
        where = (self._hooks, text_in(app), text_in(cursor), limit)
        return take("hookbox_api_key_page", read, lib.hookbox_api_key_list, *where)

    def api_keys(self, *, app: str = "", page_size: int = 0) -> Iterator[ApiKey]:
        """All API keys that `api_key_page` would give, read a page at a time."""
        return pages(lambda cursor: self.api_key_page(app=app, cursor=cursor, limit=page_size))

    def revoke_api_key(self, key: str) -> None:
        """Revokes an API key by its id, for good. Revoking it again changes nothing. Raises `NotFound`."""
        call(lib.hookbox_api_key_revoke, self._hooks, text_in(key))
