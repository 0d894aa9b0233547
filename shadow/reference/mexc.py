"""MEXC spot frames by the wire table: the events among the pushes.

Text frames are control (acks, pongs, refusals) and hold no event.
"""

from __future__ import annotations

from typing import Any

from shadow.reference.events import Book, BookTicker, DecodeError, Event, Levels, Ticker, Trade
from shadow.reference.mexc_private import PRIVATE_EVENTS
from shadow.reference.mexc_wire import SIDE, Push, decode_push, symbol_of, times_of
from shadow.reference.numbers import number, probe, read_json

__all__ = ["Push", "decode", "decode_push", "rest_book"]


LONGEST_VERSION = 20


def decode(payload: bytes, is_text: bool = False) -> list[Event]:
    """The events of one frame in wire order; none for control frames, empty wrappers and kinds without an event.

    Raises DecodeError when the bytes are damaged.
    """
    if is_text:
        return []
    push = decode_push(payload)
    make = EVENTS.get(push.name)
    try:
        return make(push) if make else []
    except ValueError as error:
        raise DecodeError(f"{push.name}: {error}") from error


def rest_book(payload: bytes, symbol: str) -> Book:
    """The book of a REST depth answer (`lastUpdateId`, `bids`, `asks`). DecodeError when it is none."""
    try:
        answer = read_json(payload)
        bids, asks = (probed([[str(price), str(size)] for price, size in answer[side]]) for side in ("bids", "asks"))
        return Book(symbol, None, int(answer["lastUpdateId"]), True, bids, asks, answer.get("timestamp"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DecodeError(f"no depth answer: {error!r}") from error


def levels(items: list[dict[str, Any]]) -> Levels:
    """Level items as price and quantity texts; an absent text is the proto3 default, so zero."""
    return probed([[item.get("price") or "0", item.get("quantity") or "0"] for item in items])


def probed(found: Levels) -> Levels:
    """The same levels. ValueError where one is no number."""
    for price, quantity in found:
        probe(price)
        probe(quantity)
    return found


def version(text: str | None) -> int | None:
    """A decimal version text as a number, None when absent. DecodeError when it is no number."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_VERSION):
        raise DecodeError(f"version {text[:40]!r}")
    return int(text)


def book(push: Push) -> list[Event]:
    body = push.body
    first, last = version(body.get("fromVersion")), version(body.get("toVersion"))
    bids, asks = levels(body.get("bids", [])), levels(body.get("asks", []))
    return [Book(symbol_of(push), first, last, False, bids, asks, push.send_time, times_of(push))]


def trades(push: Push) -> list[Event]:
    symbol, times = symbol_of(push), times_of(push)
    return [
        Trade(
            symbol,
            deal.get("tradeId") or None,
            number(deal.get("price")),
            number(deal.get("quantity")),
            SIDE.get(deal.get("tradeType", 0)),
            deal.get("time"),
            times,
        )
        for deal in push.body.get("deals", [])
    ]


def book_ticker(push: Push) -> list[Event]:
    names = ("bidPrice", "bidQuantity", "askPrice", "askQuantity")
    bid, bid_quantity, ask, ask_quantity = (number(push.body.get(name)) for name in names)
    seq, symbol = version(push.body.get("version")), symbol_of(push)
    return [BookTicker(symbol, bid, bid_quantity, ask, ask_quantity, seq, push.send_time, times_of(push))]


def ticker(push: Push) -> list[Event]:
    body = push.body
    base, quote, high, low = (number(body.get(name)) for name in ("quantity", "volume", "high", "low"))
    symbol = push.symbol or body.get("symbol") or symbol_of(push)
    return [
        Ticker(symbol, number(body.get("price")), None, None, base, quote, high, low, push.send_time, times_of(push))
    ]


EVENTS = {
    "publicAggreDepths": book,
    "publicAggreDeals": trades,
    "publicAggreBookTicker": book_ticker,
    "publicMiniTicker": ticker,
    **PRIVATE_EVENTS,
}
