"""Records: batches, attempts, backlogs, stories; what may be done with them; upkeep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime

from hookbox import _read
from hookbox._convert import call, milliseconds_of, take, text_in, texts_out
from hookbox._handle import Handle, pages
from hookbox._library import ffi, lib
from hookbox.model import (
    Attempt,
    Backlog,
    Batch,
    BatchStatus,
    BatchStory,
    EventStory,
    Page,
    Stats,
)


class Records(Handle):
    """Methods of a box about records."""

    def batch(self, batch: str) -> Batch:
        """Reads a batch. Raises `NotFound`."""
        get = lib.hookbox_batch_get
        return take("hookbox_batch", _read.batch, get, self._hooks, text_in(batch))

    def batch_page(
        self,
        app: str,
        *,
        webhook: str = "",
        status: BatchStatus | None = None,
        cursor: str = "",
        limit: int = 0,
    ) -> Page[Batch]:
        """One page of an app's batches, the newest first: of one webhook, or all (empty); of one status, or
        all; at most `limit` (1 to 1000; 0 means 100), after the page that gave `cursor`. Raises
        `NotFound`."""
        return take(
            "hookbox_batch_page",
            _read.page(_read.batch),
            lib.hookbox_batch_list,
            self._hooks,
            text_in(app),
            text_in(webhook),
            lib.HOOKBOX_BATCH_ANY if status is None else status,
            text_in(cursor),
            limit,
        )

    def batches(
        self,
        app: str,
        *,
        webhook: str = "",
        status: BatchStatus | None = None,
        page_size: int = 0,
    ) -> Iterator[Batch]:
        """All batches that `batch_page` would give, read a page at a time."""
        return pages(
            lambda cursor: self.batch_page(
                app, webhook=webhook, status=status, cursor=cursor, limit=page_size
            )
        )

    def attempt_page(
        self, app: str, *, webhook: str = "", batch: str = "", cursor: str = "", limit: int = 0
    ) -> Page[Attempt]:
        """One page of an app's attempts, the newest first: of one webhook, or all (empty); of one batch, or
        all (empty); at most `limit` (1 to 1000; 0 means 100), after the page that gave `cursor`. Raises
        `NotFound`."""
        return take(
            "hookbox_attempt_page",
            _read.page(_read.attempt),
            lib.hookbox_attempt_list,
            self._hooks,
            text_in(app),
            text_in(webhook),
            text_in(batch),
            text_in(cursor),
            limit,
        )

    def attempts(
        self, app: str, *, webhook: str = "", batch: str = "", page_size: int = 0
    ) -> Iterator[Attempt]:
        """All attempts that `attempt_page` would give, read a page at a time."""
        return pages(
            lambda cursor: self.attempt_page(
                app, webhook=webhook, batch=batch, cursor=cursor, limit=page_size
            )
        )

    def backlog(self, app: str, webhook: str) -> Backlog:
        """Where a webhook stands. Raises `NotFound`."""
        where = (self._hooks, text_in(app), text_in(webhook))
        return take("hookbox_backlog", _read.backlog, lib.hookbox_backlog_get, *where)

    def resend(self, app: str, batch: str) -> Batch:
        """Sends an ended batch again: the same bytes under the same id, with a new budget of attempts.
        Raises `NotFound`; `Conflict` for one that has not ended, or was split."""
        where = (self._hooks, text_in(app), text_in(batch))
        return take("hookbox_batch", _read.batch, lib.hookbox_batch_resend, *where)

    def cancel(self, app: str, batch: str) -> Batch:
        """Gives up a batch that has not ended. One that is being sent may still arrive. Raises `NotFound`,
        `Conflict`."""
        where = (self._hooks, text_in(app), text_in(batch))
        return take("hookbox_batch", _read.batch, lib.hookbox_batch_cancel, *where)

    def replay(self, app: str, webhook: str, since: datetime) -> int:
        """Owes a webhook once more every event emitted from `since` on that it is subscribed to now, as new
        batches with the same event ids. Gives how many log positions will be looked at. Raises
        `NotFound`."""
        positions = ffi.new("uint64_t *")
        where = (self._hooks, text_in(app), text_in(webhook))
        call(lib.hookbox_webhook_replay, *where, milliseconds_of(since), positions)
        return int(positions[0])

    def explain_batch(self, batch: str) -> BatchStory:
        """Tells what happened to a batch, what comes next, and when. Raises `NotFound`."""
        where = (self._hooks, text_in(batch))
        explain = lib.hookbox_batch_explain
        return take("hookbox_batch_story", _read.batch_story, explain, *where)

    def explain_event(self, event: str) -> EventStory:
        """Tells what happened to an event, for each webhook. Raises `NotFound`."""
        where = (self._hooks, text_in(event))
        explain = lib.hookbox_event_explain
        return take("hookbox_event_story", _read.event_story, explain, *where)

    def prune(self, before: datetime) -> None:
        """Deletes everything that ended before this time and is owed to nobody. The threads do so by
        themselves (`Options.retention`)."""
        call(lib.hookbox_box_prune, self._hooks, milliseconds_of(before))

    def check(self) -> list[str]:
        """Checks the box's integrity: what is wrong, in sentences; none, as a rule."""
        return take("hookbox_texts", texts_out, lib.hookbox_box_check, self._hooks)

    def backup(self, to: str | os.PathLike[str]) -> None:
        """Writes a compact copy of the box to a new file, as of one moment, while it is in use. Raises
        `InvalidRequest` when the file exists; `Unsupported` for storages that cannot."""
        call(lib.hookbox_box_backup, self._hooks, text_in(os.fspath(to)))

    def stats(self) -> Stats:
        """The box's sizes."""
        return take("hookbox_stats", _read.stats, lib.hookbox_box_stats, self._hooks)
