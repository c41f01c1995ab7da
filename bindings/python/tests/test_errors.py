"""errors: each kind that a program acts on, and the table of them held to the header."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from support import APP, PATIENCE, Endpoint, World

import hookbox
from hookbox import Box, Error, Status
from hookbox.errors import CLASSES

HEADER = (Path(hookbox.__file__).parent / "include" / "hookbox.h").read_text(encoding="utf-8")


def statuses_of_header() -> dict[str, int]:
    """The constants between HOOKBOX_OK and the first one that is no status."""
    table = HEADER[HEADER.index("#define HOOKBOX_OK ") : HEADER.index("#define HOOKBOX_ID_BYTES")]
    return {name: int(number) for name, number in re.findall(r"#define HOOKBOX_(\w+) (\d+)", table)}


def test_errors_table_is_the_headers() -> None:
    expected = statuses_of_header()
    assert expected.pop("OK") == 0
    assert {status.name: status.value for status in Status} == expected
    assert set(CLASSES) == set(Status)
    for kind in set(CLASSES.values()):
        assert CLASSES[kind.default_status] is kind or kind.default_status is Status.INTERNAL


def caught(error: type[Error], status: Status, code: str, http_status: int, raised: Error) -> None:
    """An error has all of its parts."""
    assert type(raised) is error
    assert (raised.status, raised.code) == (status, code)
    assert (raised.http_status, raised.retryable) == (http_status, False)
    assert str(raised)
    assert "\n" not in str(raised)


def test_errors_have_their_parts(box: Box) -> None:
    with pytest.raises(hookbox.NotFound) as not_found:
        box.app("nobody")
    caught(hookbox.NotFound, Status.APP_NOT_FOUND, "app_not_found", 404, not_found.value)

    with pytest.raises(hookbox.Conflict) as conflict:
        box.create_app(APP)
    caught(hookbox.Conflict, Status.APP_EXISTS, "app_exists", 409, conflict.value)

    with pytest.raises(hookbox.InvalidRequest) as url:
        box.create_webhook(APP, "https://10.0.0.1/")
    status, code = Status.WEBHOOK_INVALID_URL, "webhook_invalid_url"
    caught(hookbox.InvalidRequest, status, code, 400, url.value)

    with pytest.raises(hookbox.NotFound) as webhook:
        box.webhook(APP, "web_01jqebhswje1ka1z7ahr9rfsgt")
    caught(hookbox.NotFound, Status.WEBHOOK_NOT_FOUND, "webhook_not_found", 404, webhook.value)

    box.disable_app(APP)
    with pytest.raises(hookbox.AppDisabled) as disabled:
        box.emit(APP, "user.created", "{}")
    caught(hookbox.AppDisabled, Status.SESSION_DISABLED, "session_disabled", 403, disabled.value)


def test_errors_of_activation_say_why(box: Box, endpoint: Endpoint) -> None:
    webhook = box.create_webhook(APP, endpoint.url, verification_token="another token")
    with pytest.raises(hookbox.ActivationFailed, match="401") as failed:
        box.activate(APP, webhook.id)
    assert failed.value.code == "webhook_activation_failed"


def test_errors_of_bad_arguments_are_refused(box: Box) -> None:
    with pytest.raises(hookbox.InvalidRequest, match="UTF-8") as utf8:
        box.app("\ud800")
    assert utf8.value.status == Status.INVALID_UTF8
    with pytest.raises(TypeError, match="not the text"):
        box.add_event_types("user.created")
    with pytest.raises(OverflowError):
        box.app_page(limit=-1)
    with pytest.raises(hookbox.InvalidRequest):
        box.app_page(limit=1001)
    with pytest.raises(TypeError, match="offset-naive"):
        box.prune(box.app(APP).created_at.replace(tzinfo=None))
    with pytest.raises(hookbox.InvalidRequest):
        hookbox.open_in_memory(hookbox.Options(workers=0))
    with pytest.raises(ValueError, match="32 bytes, not 5"):
        hookbox.open_in_memory(hookbox.Options(key_encryption_key=b"short"))
    with pytest.raises(hookbox.InvalidRequest):
        hookbox.profile("nobody's")


def test_errors_of_storage(tmp_path: Path) -> None:
    with pytest.raises(hookbox.StorageError):
        hookbox.open_read_only(tmp_path / "missing.db")
    (tmp_path / "text.db").write_text("this is no database, but long enough to be looked at\n" * 100)
    with pytest.raises(hookbox.StorageError) as corrupt:
        hookbox.open(tmp_path / "text.db")
    assert (corrupt.value.status, corrupt.value.code) == (Status.STORAGE_CORRUPT, "storage_corrupt")
    assert corrupt.value.http_status >= 500


def test_errors_are_not_the_threads(world: World) -> None:
    # Two threads fail at once, each in its own way, many times: neither sees the other's error.
    wrong: list[Error] = []
    barrier = threading.Barrier(2, timeout=PATIENCE.total_seconds())

    def fail(name: str) -> None:
        for _ in range(300):
            barrier.wait()
            with pytest.raises(hookbox.NotFound) as raised:
                world.box.app(name)
            if name not in str(raised.value):
                wrong.append(raised.value)

    threads = [threading.Thread(target=fail, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_errors_hold_no_secret(box: Box) -> None:
    options = hookbox.Options(key_encryption_key=b"k" * 32, proxy="http://user:hush@proxy:3128")
    assert "hush" not in repr(options)
    assert "kkkk" not in repr(options)
    with pytest.raises(hookbox.InvalidRequest) as refused:
        box.create_webhook(APP, "https://example.com/", headers={"x\ny": "hush"})
    assert "hush" not in str(refused.value)
