"""MEXC spot, public channels: the dialogue of one socket, as in the wire reference of MEXC v3."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from shadow.venue.personas import mexc_frames as frames
from shadow.venue.personas import mexc_rest
from shadow.venue.personas.session import ABNORMAL, Lifetime, TimedSession, read_request
from shadow.venue.wire import MarketEvent, MarketView, Push, Refused, Reply, RestAnswer

__all__ = ["MexcSpotPublic", "MexcSpotSession"]

_LIFETIME = Lifetime(unsubscribed_s=30.0, silent_s=60.0, life_s=86_400.0, idle_code=ABNORMAL)
_MOST_SUBSCRIPTIONS = 30
_MOST_MESSAGES_A_SECOND = 100
_POLICY_VIOLATION = 1008


class _Request(msgspec.Struct):
    method: str
    params: Any = None
    id: int = 0


_decode = msgspec.json.Decoder(_Request).decode


class MexcSpotPublic:
    """The persona; `time_scale` 1440 makes the connection's 24 hours last a minute."""

    id = "mexc.spot.public"
    exchange = "mexc"
    market = "spot"
    ws_path = "/ws"

    def __init__(self, market: MarketView, time_scale: float = 1.0) -> None:
        self.view = market
        self.time_scale = time_scale
        self.names = {self.spell(symbol): symbol for symbol in market.symbols}
        self._encoders: dict[str, tuple[str, str, frames.Encoder]] = {}

    def spell(self, symbol: str) -> str:
        """`BTCUSDT` for `BTC_USDT`."""
        return symbol.replace("_", "")

    def open(self, target: str, headers: Mapping[str, str], now_s: float) -> MexcSpotSession:
        """A session for the handshake; Refused 404 on any other path."""
        if target.partition("?")[0].rstrip("/") != self.ws_path:
            raise Refused(404, f"no MEXC spot socket at {target}")
        return MexcSpotSession(self, now_s)

    def variant(self, key: str) -> tuple[str, str]:
        """(event type, Gate.io-spelt symbol) of a subscription string; ValueError when it is not offered."""
        channel = frames.parse_channel(key)
        if channel.symbol not in self.names:
            raise ValueError(f"MEXC symbol {channel.symbol!r} is not served")
        return frames.EVENT_TYPES[channel.stream], self.names[channel.symbol]

    def default_variant(self, channel: str, symbol: str) -> str:
        """The string that both stacks subscribe: the 100ms streams, and the mini ticker at UTC+8."""
        spelt = self.spell(symbol)
        return {
            "book": f"spot@public.aggre.depth.v3.api.pb@100ms@{spelt}",
            "trade": f"spot@public.aggre.deals.v3.api.pb@100ms@{spelt}",
            "book_ticker": f"spot@public.aggre.bookTicker.v3.api.pb@100ms@{spelt}",
            "ticker": f"spot@public.miniTicker.v3.api.pb@{spelt}@UTC+8",
        }[channel]

    def encode(self, event: MarketEvent, key: str) -> Push | None:
        """The binary frame of this event for the key; None when the key is of another type or symbol."""
        known = self._encoders.get(key)
        if known is None:
            type_, symbol = self.variant(key)
            known = self._encoders[key] = (type_, symbol, frames.encoder(key, symbol, self.view))
        type_, symbol, encode = known
        return encode(event) if event.type == type_ and event.symbol == symbol else None

    def rest(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Answer the public spot calls."""
        return mexc_rest.answer(self.view, self.names, method, path, query, now_s)

    def serves(self, key: str) -> bool:
        """Whether the exchange offers this subscription string."""
        try:
            self.variant(key)
        except ValueError:
            return False
        return True


class MexcSpotSession(TimedSession):
    """One client's socket."""

    def __init__(self, persona: MexcSpotPublic, now_s: float) -> None:
        super().__init__(_LIFETIME, now_s, persona.time_scale)
        self._persona = persona
        self._recent: deque[float] = deque()

    def on_message(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Answer one frame: subscription, unsubscription, ping; more than 100 frames in a second end the socket."""
        return self._answer(data, now_s, is_barred=False)

    def refuse(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Refuse a subscription as blocked; answer other frames as usual."""
        return self._answer(data, now_s, is_barred=True)

    def opening(self, variant: str) -> list[Push]:
        """MEXC owes no snapshot."""
        return []

    def _answer(self, data: str | bytes, now_s: float, *, is_barred: bool) -> list[Reply]:
        self.heard(now_s)
        if self._is_flooded(now_s):
            return [self.close(_POLICY_VIOLATION, "too many messages")]
        request = read_request(_decode, data)
        if request is None:
            return [Reply("error", frames.control(0, "unreadable message"))]
        if request.method in ("PING", "ping"):
            return [Reply("pong", frames.control(request.id, "PONG"))]
        channels = _texts(request.params)
        if request.method not in ("SUBSCRIPTION", "UNSUBSCRIPTION") or not channels:
            return [Reply("refused", frames.control(request.id, f"unknown request {request.method}"))]
        if request.method == "UNSUBSCRIPTION":
            return [self._unsubscribe(request.id, channels)]
        return [self._subscribe(request.id, channels, is_barred)]

    def _subscribe(self, request_id: int, channels: tuple[str, ...], is_barred: bool) -> Reply:
        served = tuple(filter(self._persona.serves, channels))
        wanted = self.subscriptions.union(channels)
        if is_barred or len(served) < len(channels) or len(wanted) > _MOST_SUBSCRIPTIONS:
            refused = tuple(channel for channel in served if channel not in self.subscriptions)
            return Reply("refused", frames.control(request_id, frames.refusal_text(channels)), variants=refused)
        self.subscriptions.update(channels)
        return Reply("ack", frames.control(request_id, ",".join(channels)), variants=channels)

    def _unsubscribe(self, request_id: int, channels: tuple[str, ...]) -> Reply:
        self.subscriptions.difference_update(channels)
        served = tuple(filter(self._persona.serves, channels))
        return Reply("ack", frames.control(request_id, ",".join(channels)), variants=served, unsubscribe=True)

    def _is_flooded(self, now_s: float) -> bool:
        recent = self._recent
        recent.append(now_s)
        while recent[0] <= now_s - 1.0:
            recent.popleft()
        return len(recent) > _MOST_MESSAGES_A_SECOND


def _texts(params: Any) -> tuple[str, ...]:
    if not isinstance(params, list) or not all(isinstance(item, str) for item in params):
        return ()
    return tuple(params)
