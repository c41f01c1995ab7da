"""How a box is to be opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from hookbox import _callbacks
from hookbox._convert import call, span_in, text_in
from hookbox._library import CData, ffi, lib
from hookbox.host import Clock, Transport
from hookbox.model import Notice

KEK_BYTES = 32


@dataclass(frozen=True)
class Options:
    """How a box is to be opened. Everything has a sound default; ranges are checked when it is opened."""

    payload_bytes_max: int | None = None
    """Bytes of a payload at most: 1 byte to 64 MiB. The file keeps what was set last; 256 KiB at first."""
    workers: int | None = None
    """Requests that the threads of `Box.start` send at once to webhooks that answer: 1 to 1024; 16 by
    default. Webhooks that were not tried yet get as many beside them, and those that failed last a quarter
    of it."""
    slow_requests_max: int | None = None
    """Requests that may be out beside those because their endpoint has not answered for more than 250 ms:
    0 to 4096; 1024 by default. Each costs a thread while it waits."""
    retention: timedelta | None = None
    """How long ended batches, their attempts and events are kept: a minute at least; 30 days by default;
    zero keeps them for good. What is still owed is never deleted."""
    key_lead: timedelta = timedelta(hours=1)
    """How long a new signing key is published before it signs."""
    key_overlap: timedelta = timedelta(days=15)
    """How long an old signing key stays published after it signed."""
    key_encryption_key: bytes | None = field(default=None, repr=False)
    """Seals private keys, tokens and other secrets in the box: 32 bytes. What was stored before stays as
    it was until `Box.reseal`."""
    older_key_encryption_keys: Sequence[bytes] = field(default=(), repr=False)
    """They still open what they sealed: 32 bytes each. Without a current one: the way back."""
    allow_http: bool = False
    """Allows http:// URLs as well as https://."""
    allow_networks: Sequence[str] = ()
    """Allows endpoints in these networks ("10.0.0.0/8", "fd00::/8") although they are not public."""
    ports: Sequence[int] | None = None
    """Allows exactly these ports. By default: 443, 80 where http is allowed, and every port from 1024."""
    proxy: str | None = field(default=None, repr=False)
    """Sends through an HTTP proxy ("http://user:password@proxy:3128"): no environment variable is read."""
    extra_root_pem: str | None = None
    """Trusts these certificate authorities (PEM) beside Mozilla's, which are compiled in."""
    user_agent: str | None = None
    """The User-Agent header of requests; "hookbox/" and the version by default."""
    postgres_pool: int | None = None
    """Connections to a PostgreSQL server at most, beside the one that listens: 1 to 1000; 8 by default."""
    on_notice: Callable[[Notice], object] | None = None
    """Is told of operational notices, on hookbox's threads and on those that call `Box.poll` and the like;
    several at once. It may call anything but `start`, `stop` and `close` of the same box. An exception in
    it goes to `sys.unraisablehook`."""
    transport: Transport | None = None
    """Sends with the host's own HTTP client."""
    clock: Clock | None = None
    """Where the time comes from; the system's by default."""


@contextmanager
def options_in(options: Options | None) -> Iterator[CData]:
    """A `hookbox_options *`, while a box is opened with it."""
    out = ffi.new("hookbox_options **")
    call(lib.hookbox_options_new, out)
    try:
        _set_numbers(out[0], options or Options())
        _set_addresses(out[0], options or Options())
        _set_secrets(out[0], options or Options())
        _set_host(out[0], options or Options())
        yield out[0]
    finally:
        lib.hookbox_options_free(out[0])


def _set_numbers(out: CData, options: Options) -> None:
    numbers = [
        (lib.hookbox_options_set_payload_bytes_max, options.payload_bytes_max),
        (lib.hookbox_options_set_workers, options.workers),
        (lib.hookbox_options_set_slow_requests_max, options.slow_requests_max),
        (lib.hookbox_options_set_postgres_pool, options.postgres_pool),
    ]
    for setter, number in numbers:
        if number is not None:
            call(setter, out, number)
    if options.retention is not None:
        call(lib.hookbox_options_set_retention_ms, out, span_in(options.retention))
    lead, overlap = span_in(options.key_lead), span_in(options.key_overlap)
    call(lib.hookbox_options_set_key_rotation_ms, out, lead, overlap)


def _set_addresses(out: CData, options: Options) -> None:
    call(lib.hookbox_options_set_allow_http, out, options.allow_http)
    for network in options.allow_networks:
        call(lib.hookbox_options_allow_network, out, text_in(network))
    if options.ports is not None:
        ports = ffi.new("uint16_t[]", list(options.ports))
        call(lib.hookbox_options_set_ports, out, ports, len(options.ports))
    texts = [
        (lib.hookbox_options_set_proxy, options.proxy),
        (lib.hookbox_options_set_extra_root_pem, options.extra_root_pem),
        (lib.hookbox_options_set_user_agent, options.user_agent),
    ]
    for setter, text in texts:
        if text is not None:
            call(setter, out, text_in(text))


def _set_secrets(out: CData, options: Options) -> None:
    current, older = options.key_encryption_key, options.older_key_encryption_keys
    if current is None and not older:
        return
    for key in (*older, *([] if current is None else [current])):
        if len(key) != KEK_BYTES:
            raise ValueError(f"a key-encryption key has {KEK_BYTES} bytes, not {len(key)}")
    first = ffi.NULL if current is None else ffi.from_buffer("uint8_t[]", current)
    rest = ffi.from_buffer("uint8_t[]", b"".join(older))
    call(lib.hookbox_options_set_key_encryption_key, out, first, rest, len(older))


def _set_host(out: CData, options: Options) -> None:
    if options.on_notice is not None:
        handle = _callbacks.handle_of(options.on_notice)
        on_notice, destroy = _callbacks.on_notice, _callbacks.destroy
        call(lib.hookbox_options_set_on_notice, out, on_notice, handle, destroy)
    if options.transport is not None:
        transport = _callbacks.transport_in(options.transport)
        call(lib.hookbox_options_set_transport, out, transport.pointer)
    if options.clock is not None:
        clock = _callbacks.clock_in(options.clock)
        call(lib.hookbox_options_set_clock, out, clock.pointer)
