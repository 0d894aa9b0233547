"""Gate.io futures settled in USDT, public data; sizes are contracts."""

from __future__ import annotations

from typing import ClassVar

from exchanges.integrations.gateio.endpoints import FUTURES_BOOK_OPTIONS, FUTURES_CHANNELS
from exchanges.integrations.gateio.futures_frames import (
    decode_futures,
    loose_book_tickers,
    loose_tickers,
    loose_trades,
    read_book,
    read_tickers,
    read_trades,
)
from exchanges.integrations.gateio.ws.handlers.public_handler import GateioPublicHandler
from exchanges.structs.types import PublicWebsocketChannelType
from infrastructure.networking.websocket.handlers.public_routes import read_result

__all__ = ["GateioFuturesPublicHandler"]


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
    _decode = staticmethod(decode_futures)
    _parse_orderbook = staticmethod(read_book)
    _parse_trades = staticmethod(read_trades)
    _parse_book_ticker = staticmethod(read_result)
    _parse_ticker = staticmethod(read_tickers)
