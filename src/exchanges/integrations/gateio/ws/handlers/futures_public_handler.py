"""Gate.io futures settled in USDT, public data; sizes are contracts."""

from __future__ import annotations

from typing import Any, ClassVar

from exchanges.integrations.gateio.endpoints import FUTURES_BOOK_OPTIONS, FUTURES_CHANNELS
from exchanges.integrations.gateio.futures_frames import (
    decode_futures,
    loose_book_tickers,
    loose_tickers,
    loose_trades,
    read_book,
    read_book_ticker,
    read_tickers,
    read_trades,
)
from exchanges.integrations.gateio.ws.handlers.public_handler import GateioPublicHandler
from exchanges.structs.errors import UNREADABLE
from exchanges.structs.types import PublicWebsocketChannelType
from infrastructure.networking.websocket.handlers.base_message_handler import CONTROL

__all__ = ["GateioFuturesPublicHandler"]


def detect(raw_message: Any) -> tuple[int, Any]:
    """The decoder's tagged union tells; what fails it takes the second path."""
    try:
        frame = decode_futures(raw_message)
    except UNREADABLE:
        return CONTROL, raw_message
    return frame.kind, frame


class GateioFuturesPublicHandler(GateioPublicHandler):
    """Books, trades, best bid/ask and tickers of Gate.io's USDT contracts."""

    PING_CHANNEL = "futures.ping"
    IS_FUTURES = True
    HAS_TICKER_LISTS = True
    CHANNELS = FUTURES_CHANNELS
    BOOK_OPTIONS = FUTURES_BOOK_OPTIONS
    LOOSE: ClassVar = {
        PublicWebsocketChannelType.TRADES: loose_trades,
        PublicWebsocketChannelType.BOOK_TICKER: loose_book_tickers,
        PublicWebsocketChannelType.TICKER: loose_tickers,
    }

    # The functions as they are: a method around each costs a tenth of a small frame.
    _detect_message_type = staticmethod(detect)
    _parse_orderbook = staticmethod(read_book)
    _parse_trades = staticmethod(read_trades)
    _parse_book_ticker = staticmethod(read_book_ticker)
    _parse_ticker = staticmethod(read_tickers)
