"""Gate.io spot, public data."""

from __future__ import annotations

from typing import ClassVar

from exchanges.integrations.gateio.endpoints import SPOT_BOOK_OPTIONS, SPOT_CHANNELS
from exchanges.integrations.gateio.frames import (
    decode_spot,
    loose_book_tickers,
    loose_tickers,
    loose_trades,
)
from exchanges.integrations.gateio.spot_routes import read_ticker, read_trades, ticker_route, trade_route
from exchanges.integrations.gateio.ws.handlers.public_handler import GateioPublicHandler
from exchanges.structs.types import PublicWebsocketChannelType
from infrastructure.networking.websocket.handlers.public_routes import Route, read_result

__all__ = ["GateioSpotPublicHandler"]


class GateioSpotPublicHandler(GateioPublicHandler):
    """Books, trades, best bid/ask and tickers of Gate.io spot."""

    CHANNELS = SPOT_CHANNELS
    BOOK_OPTIONS = SPOT_BOOK_OPTIONS
    LOOSE: ClassVar = {
        PublicWebsocketChannelType.TRADES: loose_trades,
        PublicWebsocketChannelType.BOOK_TICKER: loose_book_tickers,
        PublicWebsocketChannelType.TICKER: loose_tickers,
    }

    # The functions as they are: a method around each costs a tenth of a small frame.
    _decode = staticmethod(decode_spot)
    _parse_orderbook = staticmethod(read_result)
    _parse_trades = staticmethod(read_trades)
    _parse_book_ticker = staticmethod(read_result)
    _parse_ticker = staticmethod(read_ticker)

    def _make_trades_route(self) -> Route:
        return trade_route(self._recent_trades, self._on_trades)

    def _make_ticker_route(self) -> Route:
        return ticker_route(self._on_ticker)
