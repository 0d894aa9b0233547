"""A recorded feed as the venue plays it, wherever it was read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from shadow.venue.wire import Level

__all__ = ["Capture", "RecordedFrame", "RecordedMarket"]


class RecordedFrame(msgspec.Struct, frozen=True):
    """One data frame as it was received; `at_s` counts from the first, `symbol` is in the Gate.io spelling.

    `wire_channel` is what the keys of its subscriptions begin with, whatever their options.
    """

    at_s: float
    wire_channel: str
    channel: str
    symbol: str
    first: int | None
    last: int | None
    payload: bytes
    is_text: bool = True
    events: int = 1


class RecordedMarket(msgspec.Struct):
    """The recorded symbols and books as a `wire.MarketView`; books stay as recorded whatever the replay's position."""

    symbols: Sequence[str]
    books: dict[str, tuple[int, list[Level], list[Level]]]
    tickers: dict[str, dict[str, str]]

    def book(self, symbol: str) -> tuple[int, Sequence[Level], Sequence[Level]]:
        """Version, bids and asks; version 0 and no levels when none was recorded."""
        return self.books.get(symbol, (0, [], []))

    def figures(self, symbol: str) -> Mapping[str, str]:
        """The first recorded ticker's figures, zeros when there is none."""
        names = ("last", "bid", "ask", "base_volume", "quote_volume", "high", "low", "change")
        return self.tickers.get(symbol) or dict.fromkeys(names, "0")


class Capture(msgspec.Struct, frozen=True):
    """A recorded feed with what it takes to serve it."""

    connections: tuple[str, ...]
    channels: tuple[str, ...]
    symbols: tuple[str, ...]
    frames: list[RecordedFrame]
    market: RecordedMarket
