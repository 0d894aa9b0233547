"""MEXC spot, public data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import orjson

from exchanges.integrations.mexc.endpoints import SPOT_CHANNELS
from exchanges.integrations.mexc.frames import (
    Control,
    decode_control,
    is_text,
    parse,
    read_book,
    read_book_ticker,
    read_ticker,
    read_trades,
    refused_channels,
)
from exchanges.structs.errors import UNREADABLE, DecodeError
from exchanges.structs.symbols import to_mexc
from exchanges.structs.types import PublicWebsocketChannelType, SubscriptionAction, Symbol
from infrastructure.networking.websocket.handlers.base_message_handler import CONTROL
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import MexcConnectionMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import Key, SubscriptionRequest

__all__ = ["MexcPublicHandler"]

METHODS = {SubscriptionAction.SUBSCRIBE: "SUBSCRIPTION", SubscriptionAction.UNSUBSCRIBE: "UNSUBSCRIPTION"}


class MexcPublicHandler(MexcConnectionMixin, NoAuthMixin, PublicMessageHandler):
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
        """One frame with all channel strings."""
        params = [self._note_channel(channel, symbol) for channel, symbol in keys]
        frame = {"method": METHODS[action], "params": params, "id": self._next_id()}
        return [SubscriptionRequest(self._last_id, orjson.dumps(frame).decode(), list(keys), None, params, action)]

    def _note_channel(self, channel: PublicWebsocketChannelType, symbol: Symbol) -> str:
        name = to_mexc(symbol)
        text = SPOT_CHANNELS[channel].format(name)
        self._table[text.encode()] = (int(channel), name)
        self._symbols[name] = symbol
        return text

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
        if is_text(frame):
            return CONTROL, frame
        try:
            channel = parse(frame).channel
        except DecodeError:
            channel = ""
        if not channel:  # plain text may happen to parse, as unknown fields; a push has its channel
            return CONTROL, frame
        known = self._table.get(channel.encode())
        return (known[0], (frame, known[1])) if known is not None else (CONTROL, None)

    # The readers as they are: a method around each costs a tenth of a small frame.
    _parse_orderbook = staticmethod(read_book)
    _parse_trades = staticmethod(read_trades)
    _parse_book_ticker = staticmethod(read_book_ticker)
    _parse_ticker = staticmethod(read_ticker)

    # Everything else

    def _handle_control(self, payload: bytes | None) -> None:
        if payload is None:
            return
        try:
            control = decode_control(payload)
        except UNREADABLE as error:
            raise DecodeError(f"unreadable frame: {payload[:80].decode(errors='replace')!r}") from error
        if control.msg == "PONG":
            self._keep_alive.note_pong()
        elif (refused := refused_channels(control.msg)) is not None:
            self._on_refused(control, refused)
        else:
            self._on_accepted(control)

    def _on_accepted(self, control: Control) -> None:
        """Only an answer that repeats the channels that were sent is a success."""
        request = self._find_request(control.msg.split(","), control.id)
        if request is None:
            raise DecodeError(f"answer to nothing that was asked: {control.msg!r}")
        accepted = control.msg.split(",")
        keys = [key for name, key in self._names(request) if name in accepted]
        if keys:
            self._confirm(request, keys, accepted)
        else:
            self._refuse(request, list(request.keys), request.names, control.msg)

    def _on_refused(self, control: Control, refused: list[str]) -> None:
        request = self._find_request(refused, control.id)
        if request is None:
            raise DecodeError(f"refusal of nothing that was asked: {control.msg!r}")
        keys = [key for name, key in self._names(request) if name in refused] or list(request.keys)
        self._refuse(request, keys, refused, control.msg)

    def _find_request(self, names: list[str], request_id: int) -> SubscriptionRequest | None:
        """By the channels named, else by the id, which is 0 where the exchange does not echo it."""
        for request in self._asked.values():
            if names and set(names) <= {name for name, _ in self._names(request)}:
                return request
        return self._asked.get(request_id)

    def _names(self, request: SubscriptionRequest) -> list[tuple[str, Key]]:
        return [(self.channel_name(key[0], to_mexc(key[1])), key) for key in request.keys]
