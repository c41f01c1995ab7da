"""Structures of the library's, read into plain data: everything is copied."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from hookbox._convert import (
    bytes_out,
    moment_out,
    optional_moment_out,
    text_out,
    texts_out,
)
from hookbox._library import CData
from hookbox.model import (
    ApiKey,
    ApiResponse,
    App,
    Attempt,
    Backlog,
    Batch,
    BatchStatus,
    BatchStory,
    ChallengeAnswer,
    Event,
    EventStory,
    Key,
    KeyPhase,
    Notice,
    Page,
    ReceivedEvent,
    Request,
    Stats,
    Webhook,
)

T = TypeVar("T")


def many(read: Callable[[CData], T], items: CData, count: int) -> tuple[T, ...]:
    """The items of an array."""
    return tuple(read(items[index]) for index in range(count))


def page(read: Callable[[CData], T]) -> Callable[[CData], Page[T]]:
    """Reads a page of such items."""

    def read_page(given: CData) -> Page[T]:
        return Page(many(read, given.items, given.count), text_out(given.next_cursor))

    return read_page


def app(given: CData) -> App:
    """Reads a `hookbox_app`."""
    return App(
        id=text_out(given.id),
        enabled=given.enabled,
        created_at=moment_out(given.created_at_ms),
        profile_name=text_out(given.profile_name),
        profile=json.loads(text_out(given.profile)),
    )


def webhook(given: CData) -> Webhook:
    """Reads a `hookbox_webhook`."""
    return Webhook(
        id=text_out(given.id),
        app_id=text_out(given.app_id),
        url=text_out(given.url),
        all_events=given.all_events,
        event_types=many(text_out, given.event_types, given.event_type_count),
        verified=given.verified,
        enabled=given.enabled,
        active=given.active,
        has_basic_auth=given.has_basic_auth,
        last_http_code=given.last_http_code or None,
        last_http_code_at=optional_moment_out(given.last_http_code_at_ms),
        description=text_out(given.description),
        environment=text_out(given.environment),
        overrides=json.loads(text_out(given.overrides) or "{}"),
        header_names=many(text_out, given.header_names, given.header_name_count),
        created_at=moment_out(given.created_at_ms),
        updated_at=moment_out(given.updated_at_ms),
        last_enabled_at=optional_moment_out(given.last_enabled_at_ms),
        last_disabled_at=optional_moment_out(given.last_disabled_at_ms),
    )


def event(given: CData) -> Event:
    """Reads a `hookbox_event`."""
    return Event(
        id=text_out(given.id),
        position=given.position,
        app_id=text_out(given.app_id),
        event_type=text_out(given.event_type),
        payload=text_out(given.payload),
        created_at=moment_out(given.created_at_ms),
        idempotency_key=text_out(given.idempotency_key),
        environment=text_out(given.environment),
        at_most_once=given.at_most_once,
    )


def key(given: CData) -> Key:
    """Reads a `hookbox_key`."""
    return Key(
        kid=text_out(given.kid),
        public_jwk=json.loads(text_out(given.public_jwk)),
        phase=KeyPhase(given.phase),
        has_private_part=given.has_private_part,
        created_at=moment_out(given.created_at_ms),
        signs_from=moment_out(given.signs_from_ms),
        signs_until=optional_moment_out(given.signs_until_ms),
        published_until=optional_moment_out(given.published_until_ms),
    )


def keys(given: CData) -> list[Key]:
    """Reads a `hookbox_key_list`."""
    return list(many(key, given.items, given.count))


def api_key(given: CData) -> ApiKey:
    """Reads a `hookbox_api_key`."""
    return ApiKey(
        id=text_out(given.id),
        name=text_out(given.name),
        app_id=text_out(given.app_id),
        read_only=given.read_only,
        requests_per_second=given.requests_per_second,
        created_at=moment_out(given.created_at_ms),
        expires_at=optional_moment_out(given.expires_at_ms),
        revoked_at=optional_moment_out(given.revoked_at_ms),
        last_used_at=optional_moment_out(given.last_used_at_ms),
    )


def batch(given: CData) -> Batch:
    """Reads a `hookbox_batch`."""
    return Batch(
        id=text_out(given.id),
        app_id=text_out(given.app_id),
        webhook_id=text_out(given.webhook_id),
        parent_id=text_out(given.parent_id),
        status=BatchStatus(given.status),
        at_most_once=given.at_most_once,
        end_reason=text_out(given.end_reason),
        event_count=given.event_count,
        first_position=given.first_position,
        last_position=given.last_position,
        attempts=given.attempts,
        failures=given.failures,
        created_at=moment_out(given.created_at_ms),
        due_at=optional_moment_out(given.due_at_ms),
        ended_at=optional_moment_out(given.ended_at_ms),
    )


def attempt(given: CData) -> Attempt:
    """Reads a `hookbox_attempt`."""
    return Attempt(
        batch_id=text_out(given.batch_id),
        webhook_id=text_out(given.webhook_id),
        number=given.number,
        http_status=given.http_status or None,
        failure=text_out(given.failure),
        started_at=moment_out(given.started_at_ms),
        duration=timedelta(milliseconds=given.duration_ms),
        excerpt=text_out(given.excerpt),
    )


def backlog(given: CData) -> Backlog:
    """Reads a `hookbox_backlog`."""
    return Backlog(
        events_owed=given.events_owed,
        oldest_owed_at=optional_moment_out(given.oldest_owed_at_ms),
        batches_waiting=given.batches_waiting,
        batches_leased=given.batches_leased,
        batches_parked=given.batches_parked,
        batches_exhausted=given.batches_exhausted,
        consecutive_failures=given.consecutive_failures,
        failing_since=optional_moment_out(given.failing_since_ms),
        last_success_at=optional_moment_out(given.last_success_at_ms),
        paused_until=optional_moment_out(given.paused_until_ms),
        next_due=optional_moment_out(given.next_due_ms),
    )


def batch_story(given: CData) -> BatchStory:
    """Reads a `hookbox_batch_story`."""
    return BatchStory(
        batch=batch(given.batch),
        attempts=many(attempt, given.attempts, given.attempt_count),
        sentences=many(text_out, given.sentences, given.sentence_count),
    )


def event_story(given: CData) -> EventStory:
    """Reads a `hookbox_event_story`."""
    return EventStory(
        event=event(given.event),
        batches=many(batch_story, given.batches, given.batch_count),
        sentences=many(text_out, given.sentences, given.sentence_count),
    )


def stats(given: CData) -> Stats:
    """Reads a `hookbox_stats`."""
    return Stats(last_position=given.last_position, bytes=given.bytes, wal_bytes=given.wal_bytes)


def one_text(given: CData) -> str:
    """Reads a `hookbox_texts` of one text."""
    (text,) = texts_out(given)
    return text


def one_json(given: CData) -> dict[str, Any]:
    """Reads a `hookbox_texts` of one JSON object."""
    value: dict[str, Any] = json.loads(one_text(given))
    return value


def header(given: CData) -> tuple[str, str]:
    """Reads a `hookbox_pair`."""
    return text_out(given.name), text_out(given.value)


def request(given: CData) -> Request:
    """Reads a `hookbox_request`."""
    return Request(
        method=text_out(given.method),
        url=text_out(given.url),
        headers=many(header, given.headers, given.header_count),
        body=bytes_out(given.body),
        timeout=timedelta(milliseconds=given.timeout_ms),
    )


def notice(given: CData) -> Notice:
    """Reads a `hookbox_notice`."""
    return Notice(
        kind=text_out(given.kind),
        app_id=text_out(given.app_id),
        webhook_id=text_out(given.webhook_id),
        batch_id=text_out(given.batch_id),
        details=json.loads(text_out(given.json)),
    )


def received_event(given: CData) -> ReceivedEvent:
    """Reads a `hookbox_received_event`."""
    return ReceivedEvent(
        id=text_out(given.id),
        event_type=text_out(given.event_type),
        payload=text_out(given.payload),
        created_at=text_out(given.created_at),
    )


def received(given: CData) -> list[ReceivedEvent]:
    """Reads a `hookbox_received`."""
    return list(many(received_event, given.items, given.count))


def challenge_answer(given: CData) -> ChallengeAnswer:
    """Reads a `hookbox_challenge_answer`."""
    return ChallengeAnswer(
        http_status=given.http_status,
        content_type=text_out(given.content_type),
        body=bytes_out(given.body),
        challenge=given.challenge,
        app_id=text_out(given.app_id),
    )


def api_response(given: CData) -> ApiResponse:
    """Reads a `hookbox_api_response`."""
    return ApiResponse(
        http_status=given.http_status,
        headers=many(header, given.headers, given.header_count),
        body=bytes_out(given.body),
    )
