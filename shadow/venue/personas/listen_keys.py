"""MEXC's listen keys over signed REST: made, listed, extended, closed, expired."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec
import orjson

from shadow.venue.credentials import listen_key_stem
from shadow.venue.wire import RestAnswer

__all__ = ["ListenKeys"]

VALID_S = 3600.0
MOST_KEYS = 60
MOST_CONNECTIONS = 5
PATH = "/api/v3/userDataStream"
_LONGEST_NUMBER = 20
_RECV_WINDOW_MS, _LARGEST_WINDOW_MS = 5000, 60_000


class _Key(msgspec.Struct):
    until_s: float
    connections: int = 0


class ListenKeys:
    """The keys of one account; `time_scale` shortens their hour."""

    def __init__(self, credentials: Mapping[str, str], time_scale: float = 1.0) -> None:
        self._credentials = credentials
        self._valid_s = VALID_S / time_scale
        self._keys: dict[str, _Key] = {}

    def admits(self, key: str, now_s: float) -> bool:
        """Whether a connection may begin with this key now."""
        self.expire(now_s)
        held = self._keys.get(key)
        return held is not None and held.connections < MOST_CONNECTIONS

    def opened(self, key: str) -> None:
        """A connection began."""
        self._keys[key].connections += 1

    def closed(self, key: str) -> None:
        """A connection ended."""
        if key in self._keys:
            self._keys[key].connections -= 1

    def holds(self, key: str, now_s: float) -> bool:
        """Whether a key is still valid."""
        self.expire(now_s)
        return key in self._keys

    def expire(self, now_s: float) -> None:
        """Forget what is over."""
        for key in [key for key, held in self._keys.items() if held.until_s <= now_s]:
            self.forget(key)

    def forget(self, key: str) -> None:
        """A key is over now."""
        self._keys.pop(key, None)

    def answer(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Answer the calls of userDataStream; None for any other path."""
        if path.rstrip("/") != PATH:
            return None
        refusal = self.refusal(query, headers, body, now_s)
        if refusal is not None:
            return refusal
        self.expire(now_s)
        key = query.get("listenKey", "")
        if method == "GET":
            return _json({"listenKey": list(self._keys)})
        if method == "POST":
            return self._create(now_s)
        if method not in ("PUT", "DELETE"):
            return None
        if key not in self._keys:
            return _error(400, 730000, "listen key does not exist")
        if method == "PUT":
            self._keys[key].until_s = now_s + self._valid_s
        else:
            self.forget(key)
        return _json({"listenKey": key})

    def _create(self, now_s: float) -> RestAnswer:
        if len(self._keys) >= MOST_KEYS:
            return _error(429, 429, "too many listen keys")
        key = listen_key_stem(self._credentials["secret"]) + secrets.token_hex(16)
        self._keys[key] = _Key(now_s + self._valid_s)
        return _json({"listenKey": key})

    def refusal(
        self, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Why a signed call is not this account's; None when it is."""
        if headers.get("X-MEXC-APIKEY") != self._credentials["key"]:
            return _error(400, 10072, "Api key info invalid")
        stamp, window = query.get("timestamp", ""), query.get("recvWindow", str(_RECV_WINDOW_MS))
        if not all(text.isdecimal() and len(text) <= _LONGEST_NUMBER for text in (stamp, window)):
            return _error(400, 700003, "Timestamp for this request is outside of the recvWindow.")
        if abs(now_s * 1000 - int(stamp)) > min(int(window), _LARGEST_WINDOW_MS):
            return _error(400, 700003, "Timestamp for this request is outside of the recvWindow.")
        pairs = [(name, value) for name, value in query.items() if name != "signature"]
        signed = urlencode(pairs, errors="replace").encode() + body
        made = hmac.new(self._credentials["secret"].encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(made.encode(), query.get("signature", "").encode(errors="replace")):
            return _error(400, 700002, "Signature for this request is not valid.")
        return None


def _error(status: int, code: int, text: str) -> RestAnswer:
    return RestAnswer(status, orjson.dumps({"code": code, "msg": text}))


def _json(body: object) -> RestAnswer:
    return RestAnswer(200, orjson.dumps(body))
