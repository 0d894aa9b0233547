"""What every persona's session shares: what is subscribed, and the closes that time alone makes due."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple, TypeVar

import msgspec
import orjson

from shadow.venue.wire import Reply

__all__ = ["Lifetime", "TimedSession", "opaque_id", "read_request"]

ABNORMAL = 1006
_Request = TypeVar("_Request", bound=msgspec.Struct)


class Lifetime(NamedTuple):
    """Seconds after which an exchange closes a socket: without a subscription, without data, in any case."""

    unsubscribed_s: float
    silent_s: float
    life_s: float | None
    idle_code: int
    life_code: int = 1000


def opaque_id(*parts: object) -> str:
    """Sixteen hex digits that look like the exchange's own ids and repeat with the same parts."""
    return blake2b("/".join(map(str, parts)).encode(), digest_size=8).hexdigest()


def read_request(decode: Callable[[str | bytes], _Request], data: str | bytes) -> _Request | None:
    """A client's frame; None where it is no request, or holds what no answer could repeat (a number over 64 bits)."""
    try:
        request = decode(data)
        orjson.dumps(msgspec.structs.astuple(request))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, orjson.JSONEncodeError):
        return None
    return request


class TimedSession:
    """Subscriptions and clocks of one connection. Any client message counts as a ping.

    A close code of 1006 asks the server to drop the TCP connection without a close frame.
    """

    def __init__(self, lifetime: Lifetime, now_s: float, time_scale: float) -> None:
        self.subscriptions: set[str] = set()
        self.last_push_s: float | None = None
        self._lifetime = lifetime
        self._opened_s = now_s
        self._heard_s = now_s
        # Only the day is compressed: idle limits stand against pings that clients send in real time.
        self._life_s = None if lifetime.life_s is None else lifetime.life_s / time_scale
        self._is_closed = False

    def heard(self, now_s: float) -> None:
        """A client message arrived."""
        self._heard_s = now_s

    def due(self, now_s: float) -> list[Reply]:
        """The close that is due, once: 24 hours, no subscription, or subscribed and silent."""
        if self._is_closed:
            return []
        if self._life_s is not None and now_s - self._opened_s >= self._life_s:
            return [self.close(self._lifetime.life_code, "connection life is over")]
        if not self.subscriptions and now_s - self._heard_s >= self._lifetime.unsubscribed_s:
            return [self.close(self._lifetime.idle_code, "no subscription")]
        if self.subscriptions and self._quiet_s(now_s) >= self._lifetime.silent_s:
            return [self.close(self._lifetime.idle_code, "no data")]
        return []

    def ended(self) -> None:
        """The connection is gone; a session that holds something gives it back."""
        return

    def close(self, code: int, reason: str) -> Reply:
        """A close reply; later calls of `due` have nothing more to say."""
        self._is_closed = True
        return Reply("close", close_code=code, close_reason=reason)

    def _quiet_s(self, now_s: float) -> float:
        if self.last_push_s is None:
            return 0.0
        return now_s - max(self.last_push_s, self._heard_s)
