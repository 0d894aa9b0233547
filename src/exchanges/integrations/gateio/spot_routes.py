"""What becomes of Gate.io spot's trades and tickers: routes to the consumer, for decoded frames or for bytes."""

from __future__ import annotations

from collections.abc import Callable
from math import trunc
from typing import Any, Literal

import msgspec

from exchanges.integrations.gateio.frames import TickerFrame, TradeFrame
from exchanges.structs.errors import UNREADABLE, InexactFrame
from exchanges.structs.events import TickerEvent, TradeEvent
from infrastructure.networking.websocket.handlers.public_routes import Decode, Route, decoded
from infrastructure.networking.websocket.handlers.recent_trades import NumberedTrades

__all__ = ["read_ticker", "read_trades", "ticker_route", "trade_route"]


class _TradeTime(msgspec.Struct, gc=False):
    create_time_ms: str


class _TradeTimeFrame(msgspec.Struct, gc=False):
    """A trade's time as it stands on the wire, in an envelope that the second path would take for an update."""

    event: Literal["update"]
    result: _TradeTime
    id: int | None = None
    error: None = None
    time: int = 0
    time_ms: int = 0


_decode_trade_time = msgspec.json.Decoder(_TradeTimeFrame).decode


def read_trades(payload: TradeFrame) -> list[TradeEvent]:
    """The trade. InexactFrame where its time may be of the next millisecond."""
    trades: list[TradeEvent] = []
    trade_route(NumberedTrades(), trades.extend)(payload)
    return trades


def trade_route(
    recent: NumberedTrades, call_back: Callable[[list[TradeEvent]], None], decode: Decode = decoded
) -> Route:
    """Trades: those that were not delivered before; no event is made of the others. With `decode`, from bytes."""
    numbers = recent.numbers

    def take(payload: Any) -> None:
        trade = decode(payload).result
        number, symbol, time_ms = trade.id, trade.currency_pair, trade.create_time_ms
        try:
            timestamp = trunc(time_ms)
        except (ValueError, OverflowError) as error:
            raise InexactFrame(f"a trade at {time_ms} ms") from error
        # Whole, it may have been rounded up; not whole, it lies within its millisecond.
        if time_ms.is_integer():
            timestamp = _exact_time_ms(payload)
        try:
            seen = numbers[symbol]
        except KeyError:
            seen = recent.start(symbol)
        if number > seen.highest:
            seen.highest = number
            note = seen.note
            note(number)
        elif not recent.is_new(symbol, number):
            return
        call_back([TradeEvent(symbol, trade.price, trade.amount, trade.side, timestamp, str(number))])

    return take


def _exact_time_ms(payload: Any) -> int:
    """A trade's time out of its bytes, cut as text; InexactFrame where there is only a frame, or no such text."""
    if isinstance(payload, TradeFrame):
        raise InexactFrame(f"a trade at {payload.result.create_time_ms} ms")
    try:
        return int(_decode_trade_time(payload).result.create_time_ms.partition(".")[0])
    except (*UNREADABLE, ValueError) as error:
        raise InexactFrame(f"a trade at no exact time: {error}") from error


def read_ticker(payload: TickerFrame) -> TickerEvent:
    """The ticker with its envelope's time."""
    tickers: list[TickerEvent] = []
    ticker_route(tickers.append)(payload)
    return tickers[0]


def ticker_route(call_back: Callable[[TickerEvent], None], decode: Decode = decoded) -> Route:
    """Tickers, each with its envelope's time. With `decode`, from bytes."""

    def take(payload: Any) -> None:
        frame = decode(payload)
        ticker = frame.result
        ticker.timestamp = frame.time_ms or frame.time * 1000
        call_back(ticker)

    return take
