"""Signing keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hookbox import _read
from hookbox._callbacks import signer_in
from hookbox._convert import call, json_in, span_in, take, text_in
from hookbox._handle import Handle
from hookbox._library import ffi, lib
from hookbox.host import Signer
from hookbox.model import Key


class Keys(Handle):
    """Methods of a box about signing keys."""

    def rotate_key(
        self,
        app: str,
        *,
        pem: str = "",
        kid: str = "",
        bits: int = 0,
        lead: timedelta = timedelta(hours=1),
    ) -> Key:
        """Publishes a new key now, which takes over signing after `lead` (zero: at once); the one before
        stays published for the options' `key_overlap`. hookbox makes the key (`bits`: 2048, 3072 or 4096; 0
        means 2048), or takes the PEM text given, under the id `kid` (empty: a random UUID).

        Raises `NotFound`, `InvalidRequest`.
        """
        return take(
            "hookbox_key",
            _read.key,
            lib.hookbox_key_rotate,
            self._hooks,
            text_in(app),
            bits,
            text_in(pem),
            text_in(kid),
            span_in(lead),
        )

    def rotate_to_signer(
        self,
        app: str,
        public_jwk: str | Mapping[str, Any],
        signer: Signer,
        *,
        lead: timedelta = timedelta(hours=1),
    ) -> Key:
        """As `rotate_key`, for a key whose private part stays with the host: `public_jwk` (with a kid) is
        published, and `signer` signs. Register the signer again after each opening.

        Raises `NotFound`, `InvalidRequest`.
        """
        with signer_in(signer) as table:
            return take(
                "hookbox_key",
                _read.key,
                lib.hookbox_key_rotate_to_signer,
                self._hooks,
                text_in(app),
                text_in(json_in(public_jwk)),
                table,
                span_in(lead),
            )

    def register_signer(self, app: str, kid: str, signer: Signer) -> None:
        """Signs with the host's signer for a key of `rotate_to_signer`. Until it is registered, deliveries
        of that app wait. Whether there is such an app, with such a key, is not looked up. Raises `NotFound`
        when the text cannot be an app's id, `InvalidRequest`."""
        with signer_in(signer) as table:
            register = lib.hookbox_key_register_signer
            call(register, self._hooks, text_in(app), text_in(kid), table)

    def retire_key(self, app: str, kid: str, *, overlap: timedelta) -> Key:
        """Retires a key: it signs no more, and is published for `overlap` more. With zero it is revoked.
        Raises `NotFound`; `InvalidRequest` when no other key could sign."""
        where = (self._hooks, text_in(app), text_in(kid))
        retire = lib.hookbox_key_retire
        return take("hookbox_key", _read.key, retire, *where, span_in(overlap))

    def keys(self, app: str) -> list[Key]:
        """An app's keys, oldest first. Raises `NotFound`."""
        return take("hookbox_key_list", _read.keys, lib.hookbox_keys, self._hooks, text_in(app))

    def jwks(self, app: str) -> str:
        """The JWK set to publish for an app's receivers, as one JSON text: the keys that will sign, that
        sign, and that signed until lately. Raises `NotFound`."""
        return take("hookbox_texts", _read.one_text, lib.hookbox_jwks, self._hooks, text_in(app))

    def reseal(self) -> int:
        """Seals every private key, token and secret anew that is not sealed with the current
        key-encryption key, and gives how many values that were. May be interrupted, and called again.
        Raises `SealBroken` for a value that none of the keys opens."""
        count = ffi.new("size_t *")
        call(lib.hookbox_keys_reseal, self._hooks, count)
        return int(count[0])
