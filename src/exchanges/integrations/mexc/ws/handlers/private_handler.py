"""MEXC spot, an account's data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from exchanges.integrations.mexc.endpoints import PRIVATE_CHANNELS
from exchanges.integrations.mexc.listen_key_mixin import ListenKeyRefused, MexcListenKeyMixin
from exchanges.integrations.mexc.private_frames import read_balances, read_fills, read_orders
from exchanges.integrations.mexc.ws.handlers.control import MexcControlMixin, channel_of
from exchanges.structs.events import SubscriptionEvent
from exchanges.structs.symbols import from_mexc, to_mexc
from exchanges.structs.types import Fill, Order, Position, PrivateWebsocketChannelType, Symbol
from infrastructure.networking.websocket.handlers.base_message_handler import CONTROL
from infrastructure.networking.websocket.handlers.private_message_handler import PrivateMessageHandler
from infrastructure.networking.websocket.mixins.connection_mixin import MexcConnectionMixin
from infrastructure.networking.websocket.mixins.renewal_mixin import RenewalMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import PrivateKey

__all__ = ["MexcPrivateHandler"]

KINDS: Final = {text.encode(): int(channel) for channel, text in PRIVATE_CHANNELS.items()}
INVALID_KEY = "Invalid listen key"


def is_key_refusal(frame: bytes) -> bool:
    """Whether a frame is the bare text by which a listen key is refused."""
    return frame.decode(errors="replace").strip() == INVALID_KEY


class MexcPrivateHandler(
    MexcConnectionMixin,
    MexcListenKeyMixin,
    MexcControlMixin[PrivateWebsocketChannelType],
    RenewalMixin[PrivateWebsocketChannelType],
    PrivateMessageHandler,
):
    """Orders, own trades and balances of MEXC spot, for every symbol of the account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._symbols: dict[str, Symbol] = {}

    def set_subscriptions(self, symbols: list[Symbol], channels: list[PrivateWebsocketChannelType]) -> None:
        """As everywhere; the symbols tell how their names are to be read."""
        super().set_subscriptions(symbols, channels)
        self._symbols.update((to_mexc(symbol), symbol) for symbol in symbols)

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """As everywhere; the symbols tell how their names are to be read."""
        await super().subscribe(symbols)
        self._symbols.update((to_mexc(symbol), symbol) for symbol in symbols)

    def symbol_of(self, name: str) -> Symbol:
        """The caller's symbol of that name, else by the known quote assets; ValueError for an unknown one."""
        return self._symbols.get(name) or from_mexc(name)

    def channel_name(self, channel: PrivateWebsocketChannelType) -> str:
        """The full channel string."""
        return PRIVATE_CHANNELS[channel]

    def _channel_text(self, key: PrivateKey) -> str:
        return PRIVATE_CHANNELS[key[0]]

    # The listen key

    async def _restore_subscriptions(self) -> None:
        """Ask for the channels; the exchange's first answer says that it takes the listen key."""
        await super()._restore_subscriptions()
        if not self._asked:
            self._note_accepted()
        await self.authenticate()

    def _deliver_subscription(self, event: SubscriptionEvent) -> None:
        self._note_accepted()
        super()._deliver_subscription(event)

    def _handle_control(self, payload: bytes | None) -> None:
        """As on public connections, and the text by which a listen key is refused; it is no JSON."""
        if payload is not None and is_key_refusal(payload):
            self._refuse_key(INVALID_KEY)
        else:
            super()._handle_control(payload)

    def _read_answer(self, frame: bytes) -> list[str] | None:
        """As on public connections; ListenKeyRefused where the key does not let a second connection in."""
        if is_key_refusal(frame):
            raise ListenKeyRefused(INVALID_KEY)
        return super()._read_answer(frame)

    # Data

    def _detect_message_type(self, raw_message: Any) -> tuple[int, Any]:
        """By the channel string at its usual place, as on public connections; the payload is the frame."""
        try:
            return KINDS[raw_message[2 : 2 + raw_message[1]]], raw_message
        except (KeyError, IndexError, TypeError):
            frame = raw_message.encode() if isinstance(raw_message, str) else raw_message
        channel = channel_of(frame)
        if not channel:
            return CONTROL, frame
        kind = KINDS.get(channel)
        return (kind, frame) if kind is not None else (CONTROL, None)

    def _parse_orders(self, payload: bytes) -> list[Order]:
        return read_orders(payload, self.symbol_of)

    def _parse_fills(self, payload: bytes) -> list[Fill]:
        return read_fills(payload, self.symbol_of)

    _parse_balances = staticmethod(read_balances)

    def _parse_positions(self, payload: bytes) -> list[Position]:
        """Spot has none."""
        return []
