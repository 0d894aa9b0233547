"""Books whose whole comes once, right behind the subscription (Gate.io's obu): held for the second side, and made again
for whoever comes later."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import orjson

from shadow.venue.outgoing import Frame
from shadow.venue.wire import Push

__all__ = ["WholeBook", "comes_whole"]

_DEPTH: Final = 400


class _Result(msgspec.Struct):
    s: str
    u: int
    t: int = 0
    full: bool = False
    b: list[tuple[str, str]] = []
    a: list[tuple[str, str]] = []


class _Frame(msgspec.Struct):
    channel: str
    result: _Result
    time: Any = None
    time_ms: Any = None


_decode: Final = msgspec.json.Decoder(_Frame).decode


def comes_whole(key: str) -> bool:
    """Whether the subscription begins with a whole book."""
    return key.partition("|")[0].endswith(".obu")


class WholeBook:
    """One stream: what is held back, and the book as it stands."""

    def __init__(self) -> None:
        self.held: list[Frame] | None = []
        """Frames for both sides to begin with; None once they have begun."""
        self._last: _Frame | None = None
        self._bids: dict[Decimal, tuple[str, str]] = {}
        self._asks: dict[Decimal, tuple[str, str]] = {}

    def apply(self, payload: bytes) -> None:
        """Move the book on; a frame that cannot be read changes nothing."""
        try:
            frame = _decode(payload)
            changes = [(self._bids, _levels(frame.result.b)), (self._asks, _levels(frame.result.a))]
        except (msgspec.MsgspecError, InvalidOperation):
            return
        if frame.result.full:
            self._bids.clear()
            self._asks.clear()
        elif self._last is None:
            return
        self._last = frame
        for side, levels in changes:
            for price, level in levels:
                if Decimal(level[1]):
                    side[price] = level
                else:
                    side.pop(price, None)

    def snapshot(self, symbol: str) -> Push | None:
        """The book as the exchange would tell it now; None while no whole one has come."""
        last = self._last
        if last is None:
            return None
        result = {
            "t": last.result.t,
            "full": True,
            "s": last.result.s,
            "u": last.result.u,
            "b": [self._bids[price] for price in sorted(self._bids, reverse=True)[:_DEPTH]],
            "a": [self._asks[price] for price in sorted(self._asks)[:_DEPTH]],
        }
        head = {"channel": last.channel, "result": result, "time": last.time, "time_ms": last.time_ms}
        return Push("book", symbol, None, last.result.u, orjson.dumps({**head, "event": "update"}), True)


def _levels(items: Iterable[tuple[str, str]]) -> list[tuple[Decimal, tuple[str, str]]]:
    return [(Decimal(price), (price, size)) for price, size in items]
