"""Webhooks: registering, changing, activating."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Union

from hookbox import _read
from hookbox._convert import (
    Headers,
    Structure,
    call,
    json_in,
    pairs_in,
    take,
    text_in,
    texts_in,
    texts_out,
)
from hookbox._handle import Handle, pages
from hookbox._library import CData, lib
from hookbox.model import EventFilter, Page, Webhook

Events = Union[EventFilter, Iterable[str]]
"""Which event types: `ALL_EVENTS`, or a list of them; an empty one hears nothing."""


class _Unchanged(Enum):
    """An argument that was left out, where `None` and "" say something."""

    UNCHANGED = "unchanged"


UNCHANGED = _Unchanged.UNCHANGED


class Webhooks(Handle):
    """Methods of a box about webhooks."""

    def create_webhook(
        self,
        app: str,
        url: str,
        *,
        verification_token: str = "",
        events: Events | None = None,
        description: str = "",
        environment: str = "",
        headers: Headers = (),
        basic_auth: tuple[str, str] | None = None,
        signing_secret: str = "",
        overrides: Mapping[str, Any] | None = None,
        enabled: bool = True,
    ) -> Webhook:
        """Registers a webhook. It is inactive until `activate` (except under a profile without
        verification), and is owed what is emitted from then on.

        `url`: absolute, at most 2048 characters, inside the box's address policy. `verification_token`: at
        most 100 characters, sent with the activation challenge, so that the endpoint knows who asks.
        `events`: which types; `None`: as the profile has it. `environment`: only events of this one are
        owed; empty hears all. `headers`: sent with every delivery, at most 32; their values are kept as
        secrets. `basic_auth`: username and password. `signing_secret`: for profiles that sign with one;
        empty: hookbox makes one. `overrides`: settings in place of those of the app's profile: "timeout"
        (ms), "concurrency", "rate_limit" (requests a second), "retry", "ordering" ("none" or "fifo").

        Raises, checked in this order: `NotFound`, `AppDisabled`, `InvalidRequest`.
        """
        config = Structure("hookbox_webhook_config")
        config.set_text("url", url)
        config.set_text("verification_token", verification_token)
        if events is not None:
            _set_events(config, events)
        config.set_text("description", description)
        config.set_text("environment", environment)
        config.set_array("headers", "header_count", pairs_in(headers))
        _set_basic_auth(config, basic_auth)
        config.set_text("signing_secret", signing_secret)
        config.set_text("overrides", json_in(dict(overrides)) if overrides else "")
        config.pointer.disabled = not enabled
        return self._give(lib.hookbox_webhook_create, app, config.pointer)

    def webhook(self, app: str, webhook: str) -> Webhook:
        """Reads a webhook. Raises `NotFound`."""
        return self._give(lib.hookbox_webhook_get, app, text_in(webhook))

    def webhook_page(
        self,
        app: str,
        *,
        enabled: bool | None = None,
        environment: str = "",
        cursor: str = "",
        limit: int = 0,
    ) -> Page[Webhook]:
        """One page of an app's webhooks in order of registration: those that `enabled` (`None`: either) and
        `environment` (empty: any) let through; at most `limit` (1 to 1000; 0 means 100), after the page that
        gave `cursor`. Raises `NotFound`."""
        choice = {None: lib.HOOKBOX_ANY, True: lib.HOOKBOX_ENABLED, False: lib.HOOKBOX_DISABLED}
        return take(
            "hookbox_webhook_page",
            _read.page(_read.webhook),
            lib.hookbox_webhook_list,
            self._hooks,
            text_in(app),
            choice[enabled],
            text_in(environment),
            text_in(cursor),
            limit,
        )

    def webhooks(
        self, app: str, *, enabled: bool | None = None, environment: str = "", page_size: int = 0
    ) -> Iterator[Webhook]:
        """All of an app's webhooks that `webhook_page` would give, read a page at a time."""
        return pages(
            lambda cursor: self.webhook_page(
                app, enabled=enabled, environment=environment, cursor=cursor, limit=page_size
            )
        )

    def update_webhook(
        self,
        app: str,
        webhook: str,
        *,
        url: str | _Unchanged = UNCHANGED,
        verification_token: str | _Unchanged = UNCHANGED,
        events: Events | _Unchanged = UNCHANGED,
        description: str | _Unchanged = UNCHANGED,
        environment: str | _Unchanged = UNCHANGED,
        headers: Headers | _Unchanged = UNCHANGED,
        basic_auth: tuple[str, str] | _Unchanged | None = UNCHANGED,
        overrides: Mapping[str, Any] | _Unchanged | None = UNCHANGED,
        enabled: bool | _Unchanged = UNCHANGED,
    ) -> Webhook:
        """Changes what is given, as in `create_webhook`; the rest stays. A new `url` un-verifies the
        webhook. `headers` and `overrides` are replaced as a whole; `basic_auth=None` removes it. What the
        webhook was owed before stays owed.

        Raises as `create_webhook` does.
        """
        config = Structure("hookbox_webhook_config")
        fields = 0
        texts = [
            ("url", url, lib.HOOKBOX_WEBHOOK_URL),
            ("verification_token", verification_token, lib.HOOKBOX_WEBHOOK_TOKEN),
            ("description", description, lib.HOOKBOX_WEBHOOK_DESCRIPTION),
            ("environment", environment, lib.HOOKBOX_WEBHOOK_ENVIRONMENT),
        ]
        for name, text, field in texts:
            if not isinstance(text, _Unchanged):
                fields |= field
                config.set_text(name, text)
        if not isinstance(events, _Unchanged):
            fields |= lib.HOOKBOX_WEBHOOK_EVENTS
            _set_events(config, events)
        if not isinstance(headers, _Unchanged):
            fields |= lib.HOOKBOX_WEBHOOK_HEADERS
            config.set_array("headers", "header_count", pairs_in(headers))
        if not isinstance(basic_auth, _Unchanged):
            fields |= lib.HOOKBOX_WEBHOOK_BASIC_AUTH
            _set_basic_auth(config, basic_auth)
        if not isinstance(overrides, _Unchanged):
            fields |= lib.HOOKBOX_WEBHOOK_OVERRIDES
            config.set_text("overrides", json_in(dict(overrides)) if overrides else "")
        if not isinstance(enabled, _Unchanged):
            fields |= lib.HOOKBOX_WEBHOOK_ENABLED
            config.pointer.disabled = not enabled
        update = lib.hookbox_webhook_update
        return self._give(update, app, text_in(webhook), fields, config.pointer)

    def delete_webhook(self, app: str, webhook: str) -> None:
        """Deletes a webhook with its batches and attempts. Raises `NotFound`, `AppDisabled`."""
        call(lib.hookbox_webhook_delete, self._hooks, text_in(app), text_in(webhook))

    def add_event_type(self, app: str, webhook: str, event_type: str) -> Webhook:
        """Subscribes a webhook to one more event type, from now on. Twice is as good as once. Raises as
        `update_webhook` does."""
        add = lib.hookbox_webhook_add_event_type
        return self._give(add, app, text_in(webhook), text_in(event_type))

    def remove_event_type(self, app: str, webhook: str, event_type: str) -> Webhook:
        """Unsubscribes a webhook from an event type, from now on; what it was owed stays owed. Removing
        what is not there is no error. Raises as `update_webhook` does; `InvalidRequest` for a webhook that
        hears all types."""
        remove = lib.hookbox_webhook_remove_event_type
        return self._give(remove, app, text_in(webhook), text_in(event_type))

    def activate(self, app: str, webhook: str) -> Webhook:
        """Asks the endpoint to prove its ownership, and makes the webhook active: verified and enabled. What
        waited for it goes out again. Takes as long as the endpoint does, within the profile's deadline.

        Raises `ActivationFailed`, whose message says what the endpoint did; nothing is changed then.
        `NotFound`, `AppDisabled`.
        """
        return self._give(lib.hookbox_webhook_activate, app, text_in(webhook))

    def verify(self, app: str, webhook: str) -> Webhook:
        """As `activate`, but leaves the operator's switch as it is (Fingerprint's verification call)."""
        return self._give(lib.hookbox_webhook_verify, app, text_in(webhook))

    def deactivate(self, app: str, webhook: str) -> Webhook:
        """Switches a webhook off. It is not owed what is emitted from now on; what it was owed waits.
        Raises `NotFound`, `AppDisabled`."""
        return self._give(lib.hookbox_webhook_deactivate, app, text_in(webhook))

    def signing_secrets(self, app: str, webhook: str) -> list[str]:
        """The secrets a webhook's deliveries are signed with, the current one first; none under a profile
        that signs with the app's key. For the receiver's owner only. Raises `NotFound`, `SealBroken`."""
        secrets = lib.hookbox_webhook_signing_secrets
        where = (self._hooks, text_in(app), text_in(webhook))
        return take("hookbox_texts", texts_out, secrets, *where)

    def roll_signing_secret(
        self, app: str, webhook: str, secret: str = "", *, keep_previous: bool = False
    ) -> str:
        """Makes a signing secret the current one (empty: hookbox makes one), and gives it. With
        `keep_previous` deliveries carry a signature of each until the next call. Raises `InvalidRequest`;
        `Unsupported` where the profile signs with the app's key."""
        roll = lib.hookbox_webhook_roll_signing_secret
        where = (self._hooks, text_in(app), text_in(webhook))
        return take("hookbox_texts", _read.one_text, roll, *where, text_in(secret), keep_previous)

    def _give(self, function: CData, app: str, *rest: object) -> Webhook:
        return take("hookbox_webhook", _read.webhook, function, self._hooks, text_in(app), *rest)


def _set_events(config: Structure, events: Events) -> None:
    if isinstance(events, EventFilter):
        config.pointer.events = lib.HOOKBOX_EVENTS_ALL
    else:
        config.pointer.events = lib.HOOKBOX_EVENTS_ONLY
        config.set_array("event_types", "event_type_count", texts_in(events))


def _set_basic_auth(config: Structure, basic_auth: tuple[str, str] | None) -> None:
    username, password = basic_auth or ("", "")
    config.set_text("username", username)
    config.set_text("password", password)
