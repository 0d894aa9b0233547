"""MEXC spot, public data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from exchanges.integrations.mexc.endpoints import SPOT_CHANNELS
from exchanges.integrations.mexc.frames import read_book, read_book_ticker, read_ticker, read_trades
from exchanges.integrations.mexc.ws.handlers.control import MexcControlMixin, channel_of
from exchanges.structs.symbols import to_mexc
from exchanges.structs.types import PublicWebsocketChannelType, SubscriptionAction, Symbol
from infrastructure.networking.websocket.handlers.base_message_handler import CONTROL
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import MexcConnectionMixin
from infrastructure.networking.websocket.mixins.renewal_mixin import RenewalMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import Key, SubscriptionRequest

__all__ = ["MexcPublicHandler"]


class MexcPublicHandler(
    MexcConnectionMixin,
    NoAuthMixin,
    MexcControlMixin[PublicWebsocketChannelType],
    RenewalMixin[PublicWebsocketChannelType],
    PublicMessageHandler,
):
    """Books, trades, best bid/ask and tickers of MEXC spot."""

    # Checklist targets of one frame for protobuf: book 50 us, trade 30 us, tickers 20 us.
    TARGETS_NS: ClassVar[tuple[int, ...]] = (1_000_000_000, 50_000, 30_000, 20_000, 20_000, 0, 0, 0, 0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What a channel string stands for, by its bytes; filled at subscription, kept for pushes behind an unsubscribe.
        self._table: dict[bytes, tuple[int, str]] = {}

    def symbol_name(self, symbol: Symbol) -> str:
        """`BTCUSDT`."""
        return to_mexc(symbol)

    def symbol_of(self, name: str) -> Symbol:
        """The symbol as it was subscribed; a name alone does not tell where its quote begins."""
        return self._symbols[name]

    def channel_name(self, channel: PublicWebsocketChannelType, name: str) -> str:
        """The full channel string."""
        return SPOT_CHANNELS[channel].format(name)

    def create_subscription_messages(
        self, action: SubscriptionAction, keys: Sequence[Key]
    ) -> list[SubscriptionRequest]:
        """One frame with all channel strings, which are noted for the pushes to come."""
        for channel, symbol in keys:
            name = to_mexc(symbol)
            self._table[SPOT_CHANNELS[channel].format(name).encode()] = (int(channel), name)
            self._symbols[name] = symbol
        return super().create_subscription_messages(action, keys)

    def _channel_text(self, key: Key) -> str:
        return SPOT_CHANNELS[key[0]].format(to_mexc(key[1]))

    # Data

    def _detect_message_type(self, raw_message: Any) -> tuple[int, Any]:
        """By the channel string at its usual place: field 1 comes first and is shorter than 128 bytes.

        What stands there is looked up, never believed; a frame that does not show a channel there is parsed in full.
        """
        try:
            kind, name = self._table[raw_message[2 : 2 + raw_message[1]]]
        except (KeyError, IndexError, TypeError):
            return self._detect_slowly(raw_message)
        return kind, (raw_message, name)

    def _detect_slowly(self, raw_message: bytes | str) -> tuple[int, Any]:
        """Control text, a push with its fields in another order, or one that nobody asked for."""
        frame = raw_message.encode() if isinstance(raw_message, str) else raw_message
        channel = channel_of(frame)
        if not channel:
            return CONTROL, frame
        known = self._table.get(channel)
        return (known[0], (frame, known[1])) if known is not None else (CONTROL, None)

    # The readers as they are: a method around each costs a tenth of a small frame.
    _parse_orderbook = staticmethod(read_book)
    _parse_trades = staticmethod(read_trades)
    _parse_book_ticker = staticmethod(read_book_ticker)
    _parse_ticker = staticmethod(read_ticker)
