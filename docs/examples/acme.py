"""A third exchange, whole: Acme speaks JSON, one object a frame, and numbers its updates.

Register it once, then `create_websocket_manager(ExchangeConfig("ACME_SPOT", ...), ...)` gives its manager.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from exchanges.structs import (
    ExchangeConfig,
    PublicWebsocketChannelType,
    ReconnectionPolicy,
    SubscriptionAction,
    Symbol,
    WebSocketConfig,
)
from exchanges.structs.errors import DecodeError
from exchanges.structs.events import BookTickerEvent, BookUpdate, TickerEvent, TradeEvent
from infrastructure.networking.websocket.handlers.base_message_handler import CONTROL
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.migration.stacks import register_exchange
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import Key, SubscriptionRequest
from infrastructure.networking.websocket.ws_manager import WebSocketManager

Channel = PublicWebsocketChannelType
CHANNELS = {Channel.ORDERBOOK: "book", Channel.TRADES: "trade", Channel.BOOK_TICKER: "best", Channel.TICKER: "day"}
KINDS = {name: int(channel) for channel, name in CHANNELS.items()}


class Frame(msgspec.Struct, gc=False):
    """Everything Acme sends; what a type does not have stays at its default."""

    type: str
    symbol: str = ""
    ts: int = 0
    id: int = 0
    price: float = 0.0
    size: float = 0.0
    side: str = ""
    bids: list[tuple[float, float]] = []
    asks: list[tuple[float, float]] = []
    ok: list[str] = []


decode = msgspec.json.Decoder(Frame).decode


# 1. How it is connected to: a mixin with what differs from the common behaviour.
class AcmeConnectionMixin(ConnectionMixin):
    """Five attempts; the ping is a frame of its own."""

    POLICY = ReconnectionPolicy(max_attempts=5, initial_delay=0.5, backoff_factor=2.0, max_delay=10.0)

    def create_heartbeat_message(self) -> str | None:
        """Acme's own ping."""
        return '{"op":"ping"}'


# 2. What it says: detection, four readers, answers, names, subscription frames.
class AcmePublicHandler(AcmeConnectionMixin, NoAuthMixin, PublicMessageHandler):
    """Books, trades, best bid and ask, day figures."""

    def symbol_name(self, symbol: Symbol) -> str:
        """`btc-usdt`."""
        return f"{symbol.base}-{symbol.quote}".lower()

    def symbol_of(self, name: str) -> Symbol:
        """The symbol of `btc-usdt`."""
        base, _, quote = name.upper().partition("-")
        return Symbol(base, quote)

    def channel_name(self, channel: PublicWebsocketChannelType, name: str) -> str:
        """`trade:btc-usdt`."""
        return f"{CHANNELS[channel]}:{name}"

    def create_subscription_messages(
        self, action: SubscriptionAction, keys: Sequence[Key]
    ) -> list[SubscriptionRequest]:
        """One frame with all topics."""
        topics = [self.channel_name(channel, self.symbol_name(symbol)) for channel, symbol in keys]
        text = json.dumps({"op": action.name.lower(), "topics": topics})
        return [SubscriptionRequest(self._next_id(), text, list(keys), None, topics, action)]

    def _detect_message_type(self, raw_message: Any) -> tuple[int, Any]:
        try:
            frame = decode(raw_message)
        except msgspec.MsgspecError as error:
            raise DecodeError(f"unreadable frame: {error}") from error
        return KINDS.get(frame.type, CONTROL), frame

    def _parse_orderbook(self, payload: Frame) -> BookUpdate:
        return BookUpdate(payload.ts, payload.symbol, payload.id, payload.id, payload.bids, payload.asks)

    def _parse_trades(self, payload: Frame) -> list[TradeEvent]:
        return [TradeEvent(payload.symbol, payload.price, payload.size, payload.side, payload.ts, str(payload.id))]

    def _parse_book_ticker(self, payload: Frame) -> BookTickerEvent:
        (bid, ask) = payload.bids[0], payload.asks[0]
        return BookTickerEvent(payload.symbol, *bid, *ask, payload.ts, payload.id)

    def _parse_ticker(self, payload: Frame) -> TickerEvent:
        return TickerEvent(payload.symbol, payload.price, None, None, payload.size, None, None, None, payload.ts)

    def _handle_control(self, payload: Frame) -> None:
        if payload.type == "pong":
            self._keep_alive.note_pong()
        elif payload.type == "subscribed":
            for request in list(self._asked.values()):
                self._confirm(request, list(request.keys), payload.ok)
        else:
            raise DecodeError(f"unknown type {payload.type!r}")


# 3. How it is put together: what the factory calls.
def build(config: ExchangeConfig, is_private: bool, message_handler: Any, connection_handler: Any = None) -> Any:
    """A manager; Acme has no private connections."""
    url = config.websocket_url
    settings = (config.websocket or WebSocketConfig(url)).with_url(url)
    handler = AcmePublicHandler(settings, message_handler=message_handler, connection_handler=connection_handler)
    return WebSocketManager(settings, handler, message_handler, connection_handler)


# 4. Make it known, once, where the application starts.
def register() -> None:
    """From now on the factory knows `ACME_SPOT`."""
    register_exchange("ACME_SPOT", "acme", "spot", new=f"{__name__}:build")
