"""MEXC spot, private channels: a listen key in the address is the whole authentication."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec

from shadow.venue.account_events import AccountEvent
from shadow.venue.personas import mexc_account_rest, mexc_frames, mexc_orders_rest
from shadow.venue.personas.listen_keys import ListenKeys
from shadow.venue.personas.mexc_private_frames import CHANNELS, encode
from shadow.venue.personas.session import ABNORMAL, Lifetime, TimedSession, read_request
from shadow.venue.wire import MarketView, OwnAccount, Push, Refused, Reply, RestAnswer

__all__ = ["MexcSpotPrivate"]

_LIFETIME = Lifetime(unsubscribed_s=30.0, silent_s=60.0, life_s=86_400.0, idle_code=ABNORMAL)
INVALID_KEY = b"Invalid listen key"
_TELLING: dict[str, Callable[[OwnAccount, str, Mapping[str, str]], RestAnswer]] = {
    **dict.fromkeys(mexc_orders_rest.PATHS, mexc_orders_rest.answer),
    **dict.fromkeys(mexc_account_rest.PATHS, mexc_account_rest.answer),
}
"""What tells of the account, by path."""


class _Request(msgspec.Struct):
    method: str
    params: Any = None
    id: int = 0


_decode = msgspec.json.Decoder(_Request).decode


class MexcSpotPrivate:
    """The persona; `credentials` hold key and secret of the one account that exists."""

    id = "mexc.spot.private"
    exchange = "mexc"
    market = "spot"
    ws_path = "/ws/private"

    def __init__(
        self, market: MarketView, time_scale: float = 1.0, credentials: Mapping[str, str] | None = None
    ) -> None:
        self.view = market
        self.time_scale = time_scale
        self.keys = ListenKeys(dict(credentials or {"key": "", "secret": ""}), time_scale)
        self.account: OwnAccount | None = None
        """Which is told over REST."""

    def spell(self, symbol: str) -> str:
        """`BTCUSDT` for `BTC_USDT`."""
        return symbol.replace("_", "")

    def open(self, target: str, headers: Mapping[str, str], now_s: float) -> MexcPrivateSession:
        """A session for the handshake; Refused 404 on any other path. A bad key is told on the open socket."""
        path, _, query = target.partition("?")
        if path.rstrip("/") != self.ws_path:
            raise Refused(404, f"no private MEXC spot socket at {path}")
        key = parse_qs(query).get("listenKey", [""])[0]
        return MexcPrivateSession(self, key, self.keys.admits(key, now_s), now_s)

    def variant(self, key: str) -> tuple[str, str]:
        """(event type, "") of a subscription string: a private subscription covers every symbol."""
        if key not in CHANNELS:
            raise ValueError(f"not a private MEXC channel: {key!r}")
        return CHANNELS[key], ""

    def default_variant(self, channel: str, symbol: str) -> str:
        """The string that both stacks subscribe."""
        return next(name for name, type_ in CHANNELS.items() if type_ == channel)

    def encode(self, event: AccountEvent, key: str) -> Push | None:
        """The binary frame of an event for a key; None when the key is of another type."""
        return encode(key, event) if CHANNELS[key] == event.type else None

    def rest(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Answer the calls about listen keys, own orders and what the account has."""
        tell = _TELLING.get(path) if method == "GET" else None
        if tell is not None and self.account is not None:
            refusal = self.keys.refusal(query, headers, body, now_s)
            return tell(self.account, path, query) if refusal is None else refusal
        return self.keys.answer(method, path, query, headers, body, now_s)


class MexcPrivateSession(TimedSession):
    """One client's socket; it ends with its listen key."""

    def __init__(self, persona: MexcSpotPrivate, key: str, is_admitted: bool, now_s: float) -> None:
        super().__init__(_LIFETIME, now_s, persona.time_scale)
        self._persona = persona
        self._key = key
        self._is_admitted = self._holds_place = is_admitted
        if is_admitted:
            persona.keys.opened(key)

    def on_message(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Answer one frame; without a valid key only that it is invalid."""
        return self._answer(data, now_s, is_barred=False)

    def refuse(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Refuse a subscription; other frames as usual."""
        return self._answer(data, now_s, is_barred=True)

    def opening(self, variant: str) -> list[Push]:
        """Nothing is owed behind an ack."""
        return []

    def due(self, now_s: float) -> list[Reply]:
        """As every session's; and the end, when the key is gone."""
        if self._is_closed:
            return []
        if not self._is_admitted or not self._persona.keys.holds(self._key, now_s):
            return self._turned_away()
        return super().due(now_s)

    def ended(self) -> None:
        """Give the key's place back, once."""
        if self._holds_place:
            self._persona.keys.closed(self._key)
        self._holds_place = False

    def deny(self, data: str | bytes, now_s: float) -> list[Reply] | None:
        """What a client hears whose key is not accepted, whatever it asks."""
        self._is_admitted = False
        return self._turned_away()

    def expire(self) -> None:
        """The listen key is over now."""
        self._persona.keys.forget(self._key)

    def _turned_away(self) -> list[Reply]:
        return [Reply("refused", INVALID_KEY), self.close(1008, "listen key")]

    def _answer(self, data: str | bytes, now_s: float, *, is_barred: bool) -> list[Reply]:
        if not self._is_admitted or not self._persona.keys.holds(self._key, now_s):
            return self._turned_away()
        self.heard(now_s)
        request = read_request(_decode, data)
        if request is None:
            return [Reply("error", mexc_frames.control(0, "unreadable message"))]
        if request.method in ("PING", "ping"):
            return [Reply("pong", mexc_frames.control(request.id, "PONG"))]
        params = request.params if isinstance(request.params, list) else []
        channels = tuple(str(one) for one in params)
        if request.method not in ("SUBSCRIPTION", "UNSUBSCRIPTION") or not channels:
            return [Reply("refused", mexc_frames.control(request.id, f"unknown request {request.method}"))]
        known = tuple(channel for channel in channels if channel in CHANNELS)
        if request.method == "UNSUBSCRIPTION":
            self.subscriptions.difference_update(known)
            return [Reply("ack", mexc_frames.control(request.id, ",".join(channels)), variants=known, unsubscribe=True)]
        if is_barred or len(known) < len(channels):
            refused = tuple(channel for channel in known if channel not in self.subscriptions)
            text = mexc_frames.refusal_text(channels)
            return [Reply("refused", mexc_frames.control(request.id, text), variants=refused)]
        self.subscriptions.update(known)
        return [Reply("ack", mexc_frames.control(request.id, ",".join(channels)), variants=known)]
