"""Apps, and the catalogue of event types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hookbox import _read
from hookbox._convert import Structure, call, json_in, take, text_in, texts_in, texts_out
from hookbox._handle import Handle, pages
from hookbox._library import lib
from hookbox.model import App, Page


class Apps(Handle):
    """Methods of a box about apps."""

    def create_app(
        self,
        app: str,
        *,
        profile: str | Mapping[str, Any] = "",
        key_pem: str = "",
        key_id: str = "",
        key_bits: int = 0,
    ) -> App:
        """Creates an app, with a signing key where its profile signs with one.

        `app`: its id, 1 to 64 characters of A-Z a-z 0-9 . _ -, the first one alphanumeric. `profile`: which
        wire contract its webhooks follow: "prelude" (by default), "fingerprint", "standard_webhooks", or one
        of `hookbox.profile()` that was changed. `key_pem`: a signing key of the host's own (PKCS#8 or PKCS#1,
        2048 bits or more) under the id `key_id`; else hookbox makes one of `key_bits`: 2048, 3072 or 4096.

        Raises `Conflict`, `NotFound` when the text cannot be an app's id, `InvalidRequest`.
        """
        new = Structure("hookbox_new_app")
        new.pointer.key_bits = key_bits
        new.set_text("id", app)
        new.set_text("profile", json_in(profile))
        new.set_text("key_pem", key_pem)
        new.set_text("key_id", key_id)
        return take("hookbox_app", _read.app, lib.hookbox_app_create, self._hooks, new.pointer)

    def app(self, app: str) -> App:
        """Reads an app. Raises `NotFound`."""
        return take("hookbox_app", _read.app, lib.hookbox_app_get, self._hooks, text_in(app))

    def app_page(self, *, cursor: str = "", limit: int = 0) -> Page[App]:
        """One page of the apps in order of id: at most `limit` (1 to 1000; 0 means 100), after the page
        that gave `cursor`."""
        read = _read.page(_read.app)
        list_page = lib.hookbox_app_list
        return take("hookbox_app_page", read, list_page, self._hooks, text_in(cursor), limit)

    def apps(self, *, page_size: int = 0) -> Iterator[App]:
        """All apps in order of id, read a page at a time."""
        return pages(lambda cursor: self.app_page(cursor=cursor, limit=page_size))

    def enable_app(self, app: str) -> None:
        """Lets an app take events and changes again; its deliveries go on. Raises `NotFound`."""
        call(lib.hookbox_app_enable, self._hooks, text_in(app))

    def disable_app(self, app: str) -> None:
        """Disables an app: emits and changes raise `AppDisabled`, and its deliveries wait. Raises
        `NotFound`."""
        call(lib.hookbox_app_disable, self._hooks, text_in(app))

    def delete_app(self, app: str) -> None:
        """Deletes an app with everything of its: keys, webhooks, events, batches and attempts. Raises
        `NotFound`."""
        call(lib.hookbox_app_delete, self._hooks, text_in(app))

    def event_types(self) -> list[str]:
        """The catalogue of event types, in order of name; by default the seven of the Prelude profile."""
        return take("hookbox_texts", texts_out, lib.hookbox_event_types_list, self._hooks)

    def add_event_types(self, types: Iterable[str]) -> None:
        """Adds event types to the catalogue: 1 to 128 characters of A-Z a-z 0-9 . _ - / : each. Raises
        `InvalidRequest`."""
        given = texts_in(types)
        call(lib.hookbox_event_types_add, self._hooks, given.items, given.count)

    def replace_event_types(self, types: Iterable[str]) -> None:
        """Makes these the whole catalogue. Events and subscriptions of other types stay as they are; new
        ones are refused. Raises `InvalidRequest`."""
        given = texts_in(types)
        call(lib.hookbox_event_types_replace, self._hooks, given.items, given.count)


def profile(name: str) -> dict[str, Any]:
    """A built-in profile, to be changed and given to `Box.create_app`: "prelude", "fingerprint" or
    "standard_webhooks". Raises `InvalidRequest` for another name."""
    return take("hookbox_texts", _read.one_json, lib.hookbox_profile, text_in(name))
