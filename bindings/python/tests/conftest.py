"""Fixtures: everything that is opened is closed again."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from support import APP, Endpoint, HandSetClock, Unraisable, World

import hookbox
from hookbox import Box


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """A real HTTP server."""
    with Endpoint() as server:
        yield server


@pytest.fixture
def box(endpoint: Endpoint) -> Iterator[Box]:
    """A box in memory that may deliver to it, with an app."""
    with hookbox.open_in_memory(endpoint.options()) as opened:
        opened.create_app(APP)
        yield opened


@pytest.fixture
def world() -> Iterator[World]:
    """A box whose time and whose network are the test's."""
    with World(HandSetClock()) as made:
        yield made


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Unraisable:
    """What was reported through `sys.unraisablehook`."""
    seen = Unraisable()
    monkeypatch.setattr(sys, "unraisablehook", seen)
    return seen
