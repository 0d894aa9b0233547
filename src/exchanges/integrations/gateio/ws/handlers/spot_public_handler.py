"""Gate.io spot, public data."""

from __future__ import annotations

from typing import ClassVar, get_args

from exchanges.integrations.gateio.endpoints import SPOT_BOOK_OPTIONS, SPOT_CHANNELS
from exchanges.integrations.gateio.frames import (
    SpotFrame,
    decode_spot,
    loose_book_tickers,
    loose_tickers,
    loose_trades,
)
from exchanges.integrations.gateio.places import placed_decoders, telling_place
from exchanges.integrations.gateio.spot_routes import read_ticker, read_trades, ticker_route, trade_route
from exchanges.integrations.gateio.ws.handlers.public_handler import GateioPublicHandler
from exchanges.structs.types import PublicWebsocketChannelType
from infrastructure.networking.websocket.handlers.placed_frames import PlacedFramesMixin
from infrastructure.networking.websocket.handlers.public_routes import (
    Decode,
    Route,
    book_route,
    read_result,
    result_route,
)

__all__ = ["GateioSpotPublicHandler"]


class GateioSpotPublicHandler(PlacedFramesMixin, GateioPublicHandler):
    """Books, trades, best bid/ask and tickers of Gate.io spot."""

    CHANNELS = SPOT_CHANNELS
    BOOK_OPTIONS = SPOT_BOOK_OPTIONS
    TELLING_AT = telling_place("spot")
    PLACED: ClassVar = placed_decoders("spot", get_args(SpotFrame))
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

    def _bind_data_routes(self) -> None:
        super()._bind_data_routes()
        self._bind_takes()

    def _make_take(self, kind: int, decode: Decode) -> Route | None:
        if kind == PublicWebsocketChannelType.ORDERBOOK:
            return book_route(read_result, self._books, self._on_book, decode)
        if kind == PublicWebsocketChannelType.TRADES:
            return trade_route(self._recent_trades, self._on_trades, decode)
        if kind == PublicWebsocketChannelType.BOOK_TICKER:
            return result_route(decode, self._on_book_ticker)
        return ticker_route(self._on_ticker, decode) if kind == PublicWebsocketChannelType.TICKER else None

    def _make_trades_route(self) -> Route:
        return trade_route(self._recent_trades, self._on_trades)

    def _make_ticker_route(self) -> Route:
        return ticker_route(self._on_ticker)
