"""The limit: one typed decode, a float book, a plain callback; no metrics, no errors, no abstraction.

A callback gets all that the events of the stacks hold: a trade's id as text and its time in whole milliseconds, too.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import msgspec

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper

__all__ = ["Take", "lean", "metered"]

Take = Callable[[bytes], None]
Pair = tuple[float, float]


class BookResult(msgspec.Struct, gc=False):
    t: int
    s: str
    U: int
    u: int
    b: list[Pair]
    a: list[Pair]


class TradeResult(msgspec.Struct, gc=False):
    id: int
    create_time_ms: str
    side: str
    currency_pair: str
    amount: float
    price: float


class BestResult(msgspec.Struct, gc=False):
    t: int
    u: int
    s: str
    b: float
    B: float
    a: float
    A: float


class TickerResult(msgspec.Struct, gc=False):
    currency_pair: str
    last: float
    lowest_ask: float
    highest_bid: float
    base_volume: float
    quote_volume: float
    high_24h: float
    low_24h: float


class BookFrame(msgspec.Struct, gc=False, tag_field="channel", tag="spot.order_book_update"):
    result: BookResult


class TradeFrame(msgspec.Struct, gc=False, tag_field="channel", tag="spot.trades"):
    result: TradeResult


class BestFrame(msgspec.Struct, gc=False, tag_field="channel", tag="spot.book_ticker"):
    result: BestResult


class TickerFrame(msgspec.Struct, gc=False, tag_field="channel", tag="spot.tickers"):
    result: TickerResult
    time_ms: int = 0


GateioFrame = BookFrame | TradeFrame | BestFrame | TickerFrame


def apply(levels: dict[float, float], changes: list[Pair]) -> None:
    for price, quantity in changes:
        if quantity:
            levels[price] = quantity
        else:
            levels.pop(price, None)


def gateio(event_type: str, callback: Callable[[Any], None]) -> Take:
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(GateioFrame, strict=False).decode
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}

    def book(raw: bytes) -> None:
        update = decode(raw).result
        apply(bids, update.b)
        apply(asks, update.a)
        callback(update)

    def trade(raw: bytes) -> None:
        result = decode(raw).result
        callback((result, str(result.id), int(result.create_time_ms[:13])))

    def ticker(raw: bytes) -> None:
        frame = decode(raw)
        callback((frame.result, frame.time_ms))

    def book_ticker(raw: bytes) -> None:
        callback(decode(raw).result)

    return {"book": book, "trade": trade, "book_ticker": book_ticker, "ticker": ticker}[event_type]


def mexc(event_type: str, callback: Callable[[Any], None]) -> Take:
    parse = PushDataV3ApiWrapper.FromString
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}

    def book(raw: bytes) -> None:
        push = parse(raw)
        body = push.publicAggreDepths
        bid_changes = [(float(level.price), float(level.quantity)) for level in body.bids]
        ask_changes = [(float(level.price), float(level.quantity)) for level in body.asks]
        apply(bids, bid_changes)
        apply(asks, ask_changes)
        callback((push.symbol, push.sendTime, int(body.fromVersion), int(body.toVersion), bid_changes, ask_changes))

    def trade(raw: bytes) -> None:
        push = parse(raw)
        symbol = push.symbol
        callback(
            [
                (symbol, deal.tradeId, float(deal.price), float(deal.quantity), deal.tradeType, deal.time)
                for deal in push.publicAggreDeals.deals
            ]
        )

    def book_ticker(raw: bytes) -> None:
        push = parse(raw)
        best = push.publicAggreBookTicker
        bid, ask = (float(best.bidPrice), float(best.bidQuantity)), (float(best.askPrice), float(best.askQuantity))
        callback((push.symbol, push.sendTime, bid, ask, int(best.version)))

    def ticker(raw: bytes) -> None:
        push = parse(raw)
        body = push.publicMiniTicker
        figures = (float(body.price), float(body.quantity), float(body.volume), float(body.high), float(body.low))
        callback((push.symbol, push.sendTime, figures))

    return {"book": book, "trade": trade, "book_ticker": book_ticker, "ticker": ticker}[event_type]


def lean(exchange: str, event_type: str, callback: Callable[[Any], None]) -> Take:
    """What takes one frame to its callback, for one exchange and type."""
    return gateio(event_type, callback) if exchange == "gateio" else mexc(event_type, callback)


def metered(take: Take) -> Take:
    """The same behind the least that per-message latency costs: a call, two clock readings and a bucket."""
    buckets = [0] * 64
    now = perf_counter_ns

    def handle(raw: bytes) -> None:
        started = now()
        take(raw)
        buckets[(now() - started).bit_length()] += 1

    return handle
