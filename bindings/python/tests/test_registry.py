"""registry: apps, event types and webhooks; created, listed in pages, changed field by field, deleted."""

from __future__ import annotations

import pytest
from support import APP, World

import hookbox

URL = "https://example.com/hooks"


def test_registry_of_apps(world: World) -> None:
    for number in range(5):
        world.box.create_app(f"app{number}")
    names = sorted([APP, *(f"app{number}" for number in range(5))])
    assert [app.id for app in world.box.apps(page_size=4)] == names
    page = world.box.app_page(limit=4)
    assert len(page) == 4
    assert page.next_cursor
    rest = world.box.app_page(cursor=page.next_cursor, limit=4)
    assert [app.id for app in (*page, *rest)] == names
    assert not rest.next_cursor

    world.box.disable_app("app1")
    assert not world.box.app("app1").enabled
    world.box.enable_app("app1")
    assert world.box.app("app1").enabled
    world.box.delete_app("app1")
    with pytest.raises(hookbox.NotFound):
        world.box.delete_app("app1")


def test_registry_of_profiles(world: World) -> None:
    profile = hookbox.profile("standard_webhooks")
    profile["name"] = "ours"
    app = world.box.create_app("ours", profile=profile)
    assert (app.profile_name, app.profile["name"]) == ("ours", "ours")
    assert app.profile == profile
    assert world.box.create_app("theirs", profile="fingerprint").profile_name == "fingerprint"


def test_registry_of_event_types(world: World) -> None:
    types = world.box.event_types()
    assert len(types) == 7
    assert "user.created" in types
    world.box.add_event_types(["a.b", "user.created"])
    assert world.box.event_types() == sorted([*types, "a.b"])
    world.box.replace_event_types(["c"])
    assert world.box.event_types() == ["c"]
    with pytest.raises(hookbox.InvalidRequest):
        world.box.add_event_types(["no spaces"])


def test_registry_of_webhooks(world: World) -> None:
    box = world.box
    made = box.create_webhook(
        APP,
        URL,
        verification_token="hush",
        events=["user.created"],
        description="the first",
        environment="live",
        headers={"X-Ours": "hush"},
        basic_auth=("user", "hush"),
        overrides={"concurrency": 2, "ordering": "fifo"},
        enabled=False,
    )
    assert box.webhook(APP, made.id) == made
    assert "hush" not in repr(made)
    assert (made.app_id, made.url, made.description) == (APP, URL, "the first")
    assert (made.all_events, made.event_types) == (False, ("user.created",))
    assert (made.verified, made.enabled, made.active) == (False, False, False)
    assert (made.environment, made.header_names) == ("live", ("X-Ours",))
    assert made.has_basic_auth
    assert (made.overrides["concurrency"], made.overrides["ordering"]) == (2, "fifo")
    assert made.created_at == made.updated_at == world.clock.time
    assert (made.last_http_code, made.last_http_code_at, made.last_enabled_at) == (None, None, None)

    others = [box.create_webhook(APP, URL, events=hookbox.ALL_EVENTS).id for _ in range(4)]
    assert [one.id for one in box.webhooks(APP, page_size=2)] == [made.id, *others]
    assert [one.id for one in box.webhooks(APP, enabled=True)] == others
    assert [one.id for one in box.webhooks(APP, enabled=False)] == [made.id]
    assert [one.id for one in box.webhooks(APP, environment="live", enabled=False)] == [made.id]
    box.delete_webhook(APP, others[0])
    with pytest.raises(hookbox.NotFound):
        box.webhook(APP, others[0])


def test_registry_updates_each_field(world: World) -> None:
    box = world.box
    webhook = world.webhook(description="before", basic_auth=("user", "hush"))

    def changed(**fields: object) -> hookbox.Webhook:
        before = box.webhook(APP, webhook)
        after = box.update_webhook(APP, webhook, **fields)  # type: ignore[arg-type]
        assert box.webhook(APP, webhook) == after
        assert after.description == before.description or "description" in fields
        return after

    assert changed() == box.webhook(APP, webhook)
    assert changed(description="after").description == "after"
    assert not changed(description="").description
    assert changed(environment="live").environment == "live"
    assert not changed(environment="").environment
    assert changed(events=["user.created"]).event_types == ("user.created",)
    assert changed(events=[]).event_types == ()
    assert changed(events=hookbox.ALL_EVENTS).all_events
    assert changed(headers=[("X-A", "1"), ("X-B", "2")]).header_names == ("X-A", "X-B")
    assert changed(headers={}).header_names == ()
    assert not changed(basic_auth=None).has_basic_auth
    assert changed(basic_auth=("a", "b")).has_basic_auth
    assert changed(overrides={"concurrency": 3}).overrides["concurrency"] == 3
    assert changed(overrides=None).overrides["concurrency"] is None
    assert not changed(enabled=False).active
    assert changed(enabled=True).active
    assert changed(verification_token="another").verified
    moved = changed(url="https://example.org/")
    assert (moved.url, moved.verified) == ("https://example.org/", False)

    assert changed(events=["user.created"]).event_types == ("user.created",)
    added = box.add_event_type(APP, webhook, "user.deleted")
    assert set(added.event_types) == {"user.created", "user.deleted"}
    assert box.remove_event_type(APP, webhook, "user.created").event_types == ("user.deleted",)


def test_registry_of_activation(world: World) -> None:
    webhook = world.webhook()
    assert not world.box.deactivate(APP, webhook).active
    # To verify is not to switch on.
    assert not world.box.verify(APP, webhook).active
    assert world.box.activate(APP, webhook).active


def test_registry_of_signing_secrets(world: World) -> None:
    box = world.box
    box.create_app("standard", profile="standard_webhooks")
    webhook = box.create_webhook("standard", URL).id
    (first,) = box.signing_secrets("standard", webhook)
    second = box.roll_signing_secret("standard", webhook, keep_previous=True)
    assert box.signing_secrets("standard", webhook) == [second, first]
    given = "whsec_" + "A" * 32
    assert box.roll_signing_secret("standard", webhook, given) == given
    assert box.signing_secrets("standard", webhook) == [given]
    with pytest.raises(hookbox.Unsupported):
        box.roll_signing_secret(APP, world.webhook())
