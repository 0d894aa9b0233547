"""The reference decoder, written apart from the venue, reads from each frame what the market said."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shadow.reference import events, gateio, mexc
from shadow.venue.market import market_for
from shadow.venue.personas.registry import PERSONAS
from shadow.venue.symbol_market import contract_size
from shadow.venue.wire import Level, MarketEvent, Push

NOW_MS = 1_790_281_243_450
DECODERS = {"gateio": gateio.decode, "mexc": mexc.decode}


def step(connection: str, type_: str) -> list[tuple[MarketEvent, Push, list[events.Event]]]:
    exchange, kind, _ = connection.split(".")
    market = market_for(exchange, kind, ["BTC_USDT", "ETH_USDT"], 1, NOW_MS)
    persona = PERSONAS[connection](market)
    key = persona.default_variant(type_, "BTC_USDT")
    read = []
    for place in range(40):
        event = market.step(type_, "BTC_USDT", NOW_MS + place)
        push = persona.encode(event, key)
        assert push is not None
        read.append((event, push, DECODERS[exchange](push.payload, push.is_text)))
        assert len(read[-1][2]) == push.events
        assert all(one.symbol == push.symbol for one in read[-1][2])
    return read


def exact(levels: tuple[Level, ...] | list[list[str]]) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(quantity)) for price, quantity in levels]


@pytest.mark.parametrize("connection", PERSONAS)
def test_books(connection: str) -> None:
    for event, _, (read,) in step(connection, "book"):
        assert isinstance(read, events.Book)
        assert (read.first, read.last, read.snapshot) == (event.first, event.last, False)
        assert (exact(read.bids), exact(read.asks)) == (exact(event.bids), exact(event.asks))


@pytest.mark.parametrize("connection", PERSONAS)
def test_trades(connection: str) -> None:
    ids = []
    for event, _, read in step(connection, "trade"):
        for one, trade in zip(read, event.trades, strict=True):
            assert isinstance(one, events.Trade)
            assert (one.price, one.quantity, one.side) == (trade.price, trade.quantity, trade.side)
            assert one.ts == trade.time_us // 1000
            ids.append(one.id)
    assert len(set(ids)) == len(ids)
    assert None not in ids


@pytest.mark.parametrize("connection", PERSONAS)
def test_book_tickers(connection: str) -> None:
    for event, _, (read,) in step(connection, "book_ticker"):
        assert isinstance(read, events.BookTicker)
        assert ((read.bid, read.bid_quantity), (read.ask, read.ask_quantity)) == (event.bid, event.ask)
        assert read.seq == event.last


@pytest.mark.parametrize("connection", PERSONAS)
def test_tickers(connection: str) -> None:
    for event, _, (read,) in step(connection, "ticker"):
        assert isinstance(read, events.Ticker)
        assert event.figures is not None
        for name in ("last", "high", "low"):
            assert getattr(read, name) == event.figures[name]
        # A contract's volumes stand on the wire in base and quote currency, in the market in contracts.
        size = contract_size("BTC_USDT") if connection.startswith("gateio.futures") else Decimal(1)
        for name in ("base_volume", "quote_volume"):
            assert Decimal(getattr(read, name)) == Decimal(event.figures[name]) * size
