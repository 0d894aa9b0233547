"""Gate.io frames, spot and futures, by the wire page: JSON text to events by the plain library, exact decimals."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shadow.reference.events import Book, BookTicker, DecodeError, Event, Levels, Ticker, Trade
from shadow.reference.gateio_private import PRIVATE_EVENTS
from shadow.reference.gateio_values import Frame, decimal, millis
from shadow.reference.numbers import exact, probe, read_json

__all__ = ["decode", "rest_book"]


def decode(payload: bytes, is_text: bool = True) -> list[Event]:
    """The events of one frame; none for acks, pongs, notices, errors and channels without an event type.

    Raises DecodeError for text that is no JSON object, or an update that lacks what its channel needs.
    """
    frame = parse(payload)
    make = EVENTS.get(str(frame.get("channel")))
    if make is None or frame.get("event") not in ("update", "all") or frame.get("error"):
        return []
    try:
        return [make(item, frame) for item in flat(frame.get("result")) if not is_partial(item, frame)]
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DecodeError(f"{frame['channel']}: {error!r}") from error


def rest_book(payload: bytes, symbol: str) -> Book:
    """The book of a REST answer asked with `with_id` (`id`, `bids`, `asks`). DecodeError when it is none."""
    answer = parse(payload)
    try:
        bids, asks = levels(answer["bids"]), levels(answer["asks"])
        return Book(symbol, None, int(answer["id"]), True, bids, asks, rest_millis(answer.get("current")))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DecodeError(f"no order book answer: {error!r}") from error


def parse(payload: bytes) -> Frame:
    """The text as a JSON object, fractions as exact decimals."""
    try:
        frame = read_json(payload)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"no JSON: {error!r}") from error
    if not isinstance(frame, dict):
        raise DecodeError("no JSON object")
    return frame


def flat(result: Any) -> list[Any]:
    """The items of a result: an object, an array of them, or (on old futures tickers) an array in an array."""
    if not isinstance(result, list):
        return [result]
    return [item for part in result for item in flat(part)]


def is_partial(item: Any, frame: Frame) -> bool:
    """A futures ticker without a last price: some pushes hold only a part of the keys."""
    return frame["channel"] == "futures.tickers" and isinstance(item, dict) and not item.get("last")


def rest_millis(value: Any) -> int | None:
    """A REST time in ms: futures answers give it in seconds with a fraction, spot answers in whole ms."""
    return int(value * 1000) if isinstance(value, Decimal) else millis(value)


def levels(rows: list[Any] | None) -> Levels:
    """Levels as texts, whether they come as `[price, amount]` or as `{"p":..,"s":..}`."""
    pairs = ((row["p"], row["s"]) if isinstance(row, dict) else (row[0], row[1]) for row in rows or [])
    found = [[str(price), str(amount)] for price, amount in pairs]
    for price, amount in found:
        probe(price)
        probe(amount)
    return found


def envelope_time(frame: Frame) -> int | None:
    """The push's own time, ms: `time_ms`, or `time` in seconds where that is absent."""
    if frame.get("time_ms"):
        return int(frame["time_ms"])
    return int(frame["time"]) * 1000 if frame.get("time") else None


def times_of(frame: Frame, item: Frame) -> tuple[int, ...]:
    """Every time of the frame in ms, those given in seconds times 1000."""
    exact = [millis(holder.get(key)) for holder, key in ((frame, "time_ms"), (item, "t"), (item, "create_time_ms"))]
    seconds = [millis(holder.get(key)) for holder, key in ((frame, "time"), (item, "E"), (item, "create_time"))]
    return tuple(time for time in exact if time) + tuple(time * 1000 for time in seconds if time)


def book(item: Frame, frame: Frame) -> Event:
    bids, asks = levels(item.get("b")), levels(item.get("a"))
    full, ts = bool(item.get("full", False)), millis(item.get("t"))
    return Book(str(item["s"]), millis(item.get("U")), int(item["u"]), full, bids, asks, ts, times_of(frame, item))


def trade(item: Frame, frame: Frame) -> Event:
    side = item["side"]
    if side not in ("buy", "sell"):
        raise ValueError(f"side {side!r}")
    ts = millis(item["create_time_ms"])
    price, amount = decimal(item["price"]), decimal(item["amount"])
    return Trade(str(item["currency_pair"]), str(item["id"]), price, amount, side, ts, times_of(frame, item))


def book_ticker(item: Frame, frame: Frame) -> Event:
    bid, bid_quantity, ask, ask_quantity = (decimal(item.get(key)) for key in ("b", "B", "a", "A"))
    seq, ts = millis(item.get("u")), millis(item.get("t"))
    return BookTicker(str(item["s"]), bid, bid_quantity, ask, ask_quantity, seq, ts, times_of(frame, item))


def ticker(item: Frame, frame: Frame) -> Event:
    return Ticker(
        symbol=str(item["currency_pair"]),
        last=decimal(item.get("last")),
        bid=decimal(item.get("highest_bid")),
        ask=decimal(item.get("lowest_ask")),
        base_volume=decimal(item.get("base_volume")),
        quote_volume=decimal(item.get("quote_volume")),
        high=decimal(item.get("high_24h")),
        low=decimal(item.get("low_24h")),
        ts=envelope_time(frame),
        times=times_of(frame, item),
    )


def futures_trade(item: Frame, frame: Frame) -> Event:
    """A futures trade: the sign of its size is the taker's side."""
    size = exact(str(item["size"]))
    if not size:
        raise ValueError("size 0")
    ts = millis(item.get("create_time_ms")) or millis(item["create_time"] * 1000)
    quantity = f"{abs(size):f}"
    side = "buy" if size > 0 else "sell"
    return Trade(
        str(item["contract"]), str(item["id"]), decimal(item["price"]), quantity, side, ts, times_of(frame, item)
    )


def futures_ticker(item: Frame, frame: Frame) -> Event:
    """24-hour figures of a contract: volumes in base and quote currency; the channel has no bid or ask."""
    return Ticker(
        symbol=str(item["contract"]),
        last=decimal(item.get("last")),
        bid=None,
        ask=None,
        base_volume=decimal(item.get("volume_24h_base")),
        quote_volume=decimal(item.get("volume_24h_quote")),
        high=decimal(item.get("high_24h")),
        low=decimal(item.get("low_24h")),
        ts=envelope_time(frame),
        times=times_of(frame, item),
    )


EVENTS: dict[str, Callable[[Frame, Frame], Event]] = {
    "spot.order_book_update": book,
    "spot.trades": trade,
    "spot.book_ticker": book_ticker,
    "spot.tickers": ticker,
    "futures.order_book_update": book,
    "futures.trades": futures_trade,
    "futures.book_ticker": book_ticker,
    "futures.tickers": futures_ticker,
    **PRIVATE_EVENTS,
}
