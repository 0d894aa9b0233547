"""NaN and infinity, however spelt, in any figure of a public frame: refused with a typed error, counted, kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.integrations.gateio import frames as gateio_frames
from exchanges.integrations.gateio import futures_frames
from exchanges.integrations.mexc import frames as mexc_frames
from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs.errors import UNREADABLE, DecodeError
from exchanges.structs.events import read_number

SPELT = ("NaN", "nan", "-nan", "inf", "-inf", "Infinity", "-INFINITY", "1e999", "-1e999")
TRADE = {"id": 7, "create_time_ms": "1700000000000.5", "side": "buy", "currency_pair": "BTC_USDT"}
SPOT_TICKER = {"currency_pair": "BTC_USDT"} | dict.fromkeys(
    ("lowest_ask", "highest_bid", "base_volume", "quote_volume", "high_24h", "low_24h"), "1"
)
FUTURES_TICKER = {"contract": "BTC_USDT", "volume_24h_base": "1", "volume_24h_quote": "1", "high_24h": "1"}
Frame = dict[str, Any]

GATEIO: dict[str, tuple[Callable[[bytes], Any], Callable[[str], Frame]]] = {
    "spot trade price": (
        gateio_frames.decode_spot,
        lambda bad: {"channel": "spot.trades", "result": TRADE | {"amount": "1", "price": bad}},
    ),
    "spot trade amount": (
        gateio_frames.decode_spot,
        lambda bad: {"channel": "spot.trades", "result": TRADE | {"amount": bad, "price": "1"}},
    ),
    "spot book": (
        gateio_frames.decode_spot,
        lambda bad: {
            "channel": "spot.order_book_update",
            "result": {"s": "BTC_USDT", "t": 1, "U": 1, "u": 1, "b": [["1", "1"]], "a": [["1", "1"], [bad, "1"]]},
        },
    ),
    "spot best bid size": (
        gateio_frames.decode_spot,
        lambda bad: {
            "channel": "spot.book_ticker",
            "result": {"s": "BTC_USDT", "t": 1, "u": 1, "b": "1", "B": bad, "a": "1", "A": "1"},
        },
    ),
    "spot ticker": (
        gateio_frames.decode_spot,
        lambda bad: {"channel": "spot.tickers", "result": SPOT_TICKER | {"last": bad}},
    ),
    "spot REST book": (gateio_frames.decode_snapshot, lambda bad: {"id": 1, "bids": [["1", bad]], "asks": []}),
    "futures book": (
        futures_frames.decode_futures,
        lambda bad: {
            "channel": "futures.order_book_update",
            "result": {"s": "BTC_USDT", "t": 1, "U": 1, "u": 1, "b": [{"p": bad, "s": 1}]},
        },
    ),
    "futures size": (
        futures_frames.decode_futures,
        lambda bad: {
            "channel": "futures.trades",
            "result": [{"contract": "BTC_USDT", "size": bad, "id": 1, "price": "1", "create_time": 1}],
        },
    ),
    "futures best ask": (
        futures_frames.decode_futures,
        lambda bad: {
            "channel": "futures.book_ticker",
            "result": {"s": "BTC_USDT", "t": 1, "u": 1, "b": "1", "B": 1, "a": bad, "A": 1},
        },
    ),
    "futures ticker": (
        futures_frames.decode_futures,
        lambda bad: {"channel": "futures.tickers", "result": [FUTURES_TICKER | {"last": "1", "low_24h": bad}]},
    ),
    "futures REST book": (
        futures_frames.decode_snapshot,
        lambda bad: {"id": 1, "bids": [], "asks": [{"p": "1", "s": bad}]},
    ),
    "MEXC REST book": (mexc_frames.decode_snapshot, lambda bad: {"lastUpdateId": 1, "bids": [[bad, "1"]], "asks": []}),
}


@pytest.mark.parametrize("figure", GATEIO)
def test_a_decoder_takes_a_number_and_nothing_that_only_looks_like_one(figure: str) -> None:
    decode, make = GATEIO[figure]
    decode(json.dumps(make("1.5")).encode())
    for bad in SPELT:
        with pytest.raises(UNREADABLE):
            decode(json.dumps(make(bad)).encode())


LOOSE: dict[str, tuple[Callable[[Any], list[Any]], Callable[[str], Any]]] = {
    "spot best bid": (
        gateio_frames.loose_book_tickers,
        lambda bad: {"t": 1, "u": 1, "s": "BTC_USDT", "b": bad, "B": "1", "a": "", "A": ""},
    ),
    "spot trades": (gateio_frames.loose_trades, lambda bad: [TRADE | {"amount": "1", "price": bad}]),
    "futures best bid": (
        futures_frames.loose_book_tickers,
        lambda bad: {"t": 1, "u": 1, "s": "BTC_USDT", "b": bad, "B": "1", "a": "", "A": "0"},
    ),
    "futures tickers": (futures_frames.loose_tickers, lambda bad: [[FUTURES_TICKER | {"last": bad}]]),
}


@pytest.mark.parametrize("figure", LOOSE)
def test_nor_does_the_second_path(figure: str) -> None:
    read, make = LOOSE[figure]
    for text in ("1.5", *SPELT):
        envelope = gateio_frames.decode_envelope(json.dumps({"result": make(text)}).encode())
        if text == "1.5":
            assert len(read(envelope)) == 1
        else:
            with pytest.raises(UNREADABLE):
                read(envelope)


def mexc_pushes(bad: str) -> Iterator[tuple[Callable[[Any], Any], PushDataV3ApiWrapper]]:
    """A push of each type with each figure in turn being `bad`."""
    for place in range(2):
        push = PushDataV3ApiWrapper(sendTime=1)
        push.publicAggreDepths.toVersion = "5"
        push.publicAggreDepths.asks.add(**dict(zip(("price", "quantity"), ("1", bad)[:: 1 - 2 * place], strict=True)))
        yield mexc_frames.read_book, push
        push = PushDataV3ApiWrapper(sendTime=1)
        figures = dict(zip(("price", "quantity"), ("1", bad)[:: 1 - 2 * place], strict=True))
        push.publicAggreDeals.deals.add(tradeType=1, **figures)
        yield mexc_frames.read_trades, push
    for name in ("bidPrice", "bidQuantity", "askPrice", "askQuantity"):
        push = PushDataV3ApiWrapper(sendTime=1)
        push.publicAggreBookTicker.bidPrice = "1"
        setattr(push.publicAggreBookTicker, name, bad)
        yield mexc_frames.read_book_ticker, push
    for name in ("price", "quantity", "volume", "high", "low"):
        push = PushDataV3ApiWrapper(sendTime=1)
        push.publicMiniTicker.price = "1"
        setattr(push.publicMiniTicker, name, bad)
        yield mexc_frames.read_ticker, push


def test_every_figure_of_a_mexc_push_is_a_number() -> None:
    for read, push in mexc_pushes("1.5"):
        assert read((push.SerializeToString(), "BTC_USDT"))
    for bad in SPELT:
        for read, push in mexc_pushes(bad):
            with pytest.raises(DecodeError):
                read((push.SerializeToString(), "BTC_USDT"))


@pytest.mark.no_cover
@given(st.floats(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_as_the_nearest_float(value: float, exact: Decimal) -> None:
    assert read_number(repr(value)) == value
    if math.isfinite(float(exact)):
        assert read_number(f"{exact:f}" if abs(exact.adjusted()) < 300 else f"{exact:E}") == float(exact)
