"""Gate.io, public data: what spot and futures have in common."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar

import orjson

from exchanges.integrations.gateio.frames import Envelope, decode_envelope
from exchanges.integrations.gateio.ws.handlers.answers import GateioAnswersMixin
from exchanges.structs.errors import UNREADABLE, DecodeError
from exchanges.structs.symbols import from_gateio, to_gateio
from exchanges.structs.types import PublicWebsocketChannelType, SubscriptionAction, Symbol
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.handlers.recent_trades import NumberedTrades
from infrastructure.networking.websocket.handlers.tagged_frames import TaggedFramesMixin
from infrastructure.networking.websocket.mixins.auth_mixin import NoAuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import GateioConnectionMixin
from infrastructure.networking.websocket.mixins.subscription_mixin import Key, SubscriptionRequest

__all__ = ["GateioPublicHandler"]

ORDERBOOK = PublicWebsocketChannelType.ORDERBOOK


class GateioPublicHandler(
    GateioConnectionMixin,
    NoAuthMixin,
    GateioAnswersMixin[PublicWebsocketChannelType],
    TaggedFramesMixin,
    PublicMessageHandler,
):
    """Requests, answers and odd frames, the same on both markets; a market gives its channels and its decoder.

    `LOOSE` reads, by channel type, frames in a form that the decoder does not take; each gives a list of events.
    """

    IS_FUTURES: ClassVar[bool] = False
    CHANNELS: ClassVar[dict[PublicWebsocketChannelType, str]]
    BOOK_OPTIONS: ClassVar[tuple[str, ...]]
    LOOSE: ClassVar[dict[PublicWebsocketChannelType, Callable[[Envelope], list[Any]]]]
    _recent_trades: NumberedTrades

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._types = {name: channel for channel, name in self.CHANNELS.items()}
        super().__init__(*args, **kwargs)

    def symbol_name(self, symbol: Symbol) -> str:
        """`BTC_USDT`."""
        return to_gateio(symbol)

    def symbol_of(self, name: str) -> Symbol:
        """The symbol of `BTC_USDT`; DecodeError for a name without a separator."""
        try:
            return from_gateio(name, self.IS_FUTURES)
        except ValueError as error:
            raise DecodeError(str(error)) from error

    def channel_name(self, channel: PublicWebsocketChannelType, name: str) -> str:
        """`spot.trades`, `futures.trades` and the like, the same for all symbols."""
        return self.CHANNELS[channel]

    def create_subscription_messages(
        self, action: SubscriptionAction, keys: Sequence[Key]
    ) -> list[SubscriptionRequest]:
        """One frame per book (pair and speed), one per other channel with all its pairs."""
        pairs: dict[PublicWebsocketChannelType, list[Symbol]] = defaultdict(list)
        for channel, symbol in keys:
            pairs[channel].append(symbol)
        requests = []
        for channel, symbols in pairs.items():
            groups = [[symbol] for symbol in symbols] if channel is ORDERBOOK else [symbols]
            requests += [self._request(action, channel, group) for group in groups]
        return requests

    def _request(
        self, action: SubscriptionAction, channel: PublicWebsocketChannelType, symbols: list[Symbol]
    ) -> SubscriptionRequest:
        payload = [to_gateio(symbol) for symbol in symbols]
        if channel is ORDERBOOK:
            payload += self.BOOK_OPTIONS
        frame = {
            "time": int(time.time()),
            "id": self._next_id(),
            "channel": self.CHANNELS[channel],
            "event": action.name.lower(),
            "payload": payload,
        }
        keys = [(channel, symbol) for symbol in symbols]
        return SubscriptionRequest(
            self._last_id, orjson.dumps(frame).decode(), keys, self.CHANNELS[channel], payload, action
        )

    def _make_recent_trades(self) -> NumberedTrades:
        return NumberedTrades()

    # Everything else

    def _handle_control(self, payload: Any) -> None:
        try:
            envelope = decode_envelope(payload)
        except UNREADABLE as error:
            raise DecodeError(f"unreadable frame: {error}") from error
        if envelope.channel.endswith(".pong"):
            self._keep_alive.note_pong()
        elif envelope.error is not None:
            self._on_refused(envelope, envelope.error.message)
        elif envelope.event in ("subscribe", "unsubscribe"):
            self._on_accepted(envelope)
        elif envelope.event == "update" and envelope.channel in self._types:
            self._handle_odd_data(envelope)

    def _handle_odd_data(self, envelope: Envelope) -> None:
        """A frame of a known channel in a form that the typed decoder does not take: an empty side, a list."""
        kind = self._types[envelope.channel]
        try:
            if kind is ORDERBOOK:
                raise DecodeError(f"unreadable book update: {bytes(envelope.result)[:80]!r}")
            events = self.LOOSE[kind](envelope)
        except (*UNREADABLE, ValueError) as error:
            raise DecodeError(f"unreadable {envelope.channel} frame: {error}") from error
        if kind is PublicWebsocketChannelType.TRADES:
            for _, trades in groupby(events, attrgetter("symbol")):
                if fresh := self._recent_trades.fresh(list(trades)):
                    self._on_trades(fresh)
            return
        call_back = self._on_ticker if kind is PublicWebsocketChannelType.TICKER else self._on_book_ticker
        for event in events:
            call_back(event)
