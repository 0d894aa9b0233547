"""Gate.io spot, public data."""

from __future__ import annotations

from typing import Any, ClassVar

from exchanges.integrations.gateio.endpoints import SPOT_BOOK_OPTIONS, SPOT_CHANNELS
from exchanges.integrations.gateio.frames import (
    decode_spot,
    loose_book_tickers,
    loose_tickers,
    loose_trades,
    read_book,
    read_book_ticker,
    read_ticker,
    read_trades,
)
from exchanges.integrations.gateio.ws.handlers.public_handler import GateioPublicHandler
from exchanges.structs.errors import UNREADABLE
from exchanges.structs.types import PublicWebsocketChannelType
from infrastructure.networking.websocket.handlers.base_message_handler import CONTROL

__all__ = ["GateioSpotPublicHandler"]


def detect(raw_message: Any) -> tuple[int, Any]:
    """The decoder's tagged union tells; what fails it takes the second path."""
    try:
        frame = decode_spot(raw_message)
    except UNREADABLE:
        return CONTROL, raw_message
    return frame.kind, frame


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
    _detect_message_type = staticmethod(detect)
    _parse_orderbook = staticmethod(read_book)
    _parse_trades = staticmethod(read_trades)
    _parse_book_ticker = staticmethod(read_book_ticker)
    _parse_ticker = staticmethod(read_ticker)
