"""Gate.io spot, public channels: the dialogue of one socket, as in the wire reference of Gate.io v4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import msgspec
import orjson

from shadow.venue.personas import gateio_frames as frames
from shadow.venue.personas import gateio_rest
from shadow.venue.personas.session import ABNORMAL, Lifetime, TimedSession, opaque_id
from shadow.venue.wire import MarketEvent, MarketView, Push, Refused, Reply, RestAnswer

__all__ = ["GateioSpotPublic", "GateioSpotSession"]

_LIFETIME = Lifetime(unsubscribed_s=30.0, silent_s=60.0, life_s=None, idle_code=ABNORMAL)
_SCHEMA, _ARGUMENT, _AUTH = 1, 2, 4
_PAIR_LISTS = ("spot.tickers", "spot.trades", "spot.book_ticker")
_PRIVATE = ("spot.orders", "spot.orders_v2", "spot.usertrades", "spot.usertrades_v2", "spot.balances")
_UPDATE_SPEEDS = ("100ms", "20ms")
_BOOK_LEVELS, _BOOK_SPEEDS = ("5", "10", "20", "30", "50", "100"), ("100ms", "1000ms")
_OBU_LEVELS = ("50", "400")


class _Request(msgspec.Struct):
    channel: str
    event: str = ""
    id: int | str | None = None
    payload: Any = None


_decode = msgspec.json.Decoder(_Request).decode


class _Refusal(Exception):
    """A subscribe that fails as a whole."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class GateioSpotPublic:
    """The persona. Gate.io documents no end of a connection's life, so `time_scale` changes nothing here."""

    id = "gateio.spot.public"
    exchange = "gateio"
    market = "spot"
    ws_path = "/ws/v4/"

    def __init__(self, market: MarketView, time_scale: float = 1.0) -> None:
        self.view = market
        self.time_scale = time_scale
        self._numbers = count(1)
        self._encoders: dict[str, tuple[str, str, frames.Encoder]] = {}

    def spell(self, symbol: str) -> str:
        """Gate.io's spelling is the house spelling."""
        return symbol

    def open(self, target: str, headers: Mapping[str, str], now_s: float) -> GateioSpotSession:
        """A session for the handshake; Refused 404 on any other path."""
        if target.partition("?")[0].rstrip("/") != self.ws_path.rstrip("/"):
            raise Refused(404, f"no Gate.io spot socket at {target}")
        return GateioSpotSession(self, opaque_id(self.id, next(self._numbers)), now_s)

    def variant(self, key: str) -> tuple[str, str]:
        """(event type, symbol) of a subscription key."""
        parsed = frames.parse_key(key)
        return frames.EVENT_TYPES[parsed.channel], parsed.symbol

    def default_variant(self, channel: str, symbol: str) -> str:
        """The key that both stacks subscribe: books as `order_book_update` at 100ms."""
        return {
            "book": f"spot.order_book_update|{symbol}|100ms",
            "trade": f"spot.trades|{symbol}",
            "book_ticker": f"spot.book_ticker|{symbol}",
            "ticker": f"spot.tickers|{symbol}",
        }[channel]

    def encode(self, event: MarketEvent, key: str) -> Push | None:
        """The text frame of this event for the key; None when the key is of another type or symbol."""
        known = self._encoders.get(key)
        if known is None:
            known = self._encoders[key] = (*self.variant(key), frames.encoder(key, self.view))
        type_, symbol, encode = known
        return encode(event) if event.type == type_ and event.symbol == symbol else None

    def rest(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Answer the public spot calls."""
        return gateio_rest.answer(self.view, method, path, query, now_s)


class GateioSpotSession(TimedSession):
    """One client's socket."""

    def __init__(self, persona: GateioSpotPublic, conn_id: str, now_s: float) -> None:
        super().__init__(_LIFETIME, now_s, persona.time_scale)
        self._persona = persona
        self._conn_id = conn_id
        self._traces = count(1)
        self._now_s = now_s

    def on_message(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Answer one frame: subscribe, unsubscribe, ping; orders and nonsense are refused."""
        return self._answer(data, now_s, is_barred=False)

    def refuse(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Refuse a subscribe as an unknown pair; answer other frames as usual."""
        return self._answer(data, now_s, is_barred=True)

    def opening(self, variant: str) -> list[Push]:
        """The full book of an obu stream; nothing for other channels."""
        if not variant.startswith("spot.obu|"):
            return []
        return [frames.full_book(variant, self._persona.view, self._now_s)]

    def _answer(self, data: str | bytes, now_s: float, *, is_barred: bool) -> list[Reply]:
        self.heard(now_s)
        self._now_s = now_s
        try:
            request = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return [self._failure(_Request(channel=""), _SCHEMA, "request message need json scheme")]
        if request.channel == "spot.ping":
            pong = frames.envelope("spot.pong", "", now_s, **_echo(request), conn_id=self._conn_id)
            return [Reply("pong", orjson.dumps({**pong, "result": None}))]
        if request.event == "api":
            body = frames.api_refusal(request.channel, request.payload, now_s, self._conn_id)
            return [Reply("refused", body)]
        try:
            keys = self._keys(request)
            if is_barred and request.event == "subscribe":
                raise _Refusal(_ARGUMENT, f"unknown currency pair: {self._persona.variant(keys[0])[1]}")
        except _Refusal as refusal:
            return [self._failure(request, refusal.code, refusal.message)]
        return [self._success(request, keys)]

    def _keys(self, request: _Request) -> tuple[str, ...]:
        """The subscription keys that a request names; _Refusal fails the request as a whole."""
        if request.event not in ("subscribe", "unsubscribe"):
            raise _Refusal(_ARGUMENT, f"Unknown event {request.event}")
        channel, payload = request.channel, request.payload
        if channel in _PRIVATE:
            raise _Refusal(_AUTH, "authentication failed")
        if channel not in frames.EVENT_TYPES:
            raise _Refusal(_ARGUMENT, f"Unknown channel {channel}")
        if not isinstance(payload, list) or not payload or not all(isinstance(item, str) for item in payload):
            raise _Refusal(_SCHEMA, "request payload does not follow json schema")
        if channel in _PAIR_LISTS:
            return tuple(f"{channel}|{self._known(pair)}" for pair in payload)
        if channel == "spot.obu":
            return tuple(self._obu_key(stream, request.event) for stream in payload)
        allowed = (_UPDATE_SPEEDS,) if channel == "spot.order_book_update" else (_BOOK_LEVELS, _BOOK_SPEEDS)
        return (self._book_key(channel, payload, allowed),)

    def _book_key(self, channel: str, payload: Sequence[str], allowed: tuple[tuple[str, ...], ...]) -> str:
        pair, *options = payload
        if len(options) != len(allowed):
            raise _Refusal(_SCHEMA, "request payload does not follow json schema")
        self._known(pair)
        for option, choices in zip(options, allowed, strict=True):
            if option not in choices:
                raise _Refusal(_ARGUMENT, f"bad argument: {option}")
        return "|".join((channel, *payload))

    def _obu_key(self, stream: str, event: str) -> str:
        parts = stream.split(".")
        if len(parts) != 3 or parts[0] != "ob" or parts[2] not in _OBU_LEVELS:
            raise _Refusal(_ARGUMENT, f"bad argument: {stream}")
        self._known(parts[1])
        key = f"spot.obu|{stream}"
        if event == "subscribe" and key in self.subscriptions:
            raise _Refusal(_ARGUMENT, f"Alert sub {stream}")
        return key

    def _known(self, pair: str) -> str:
        if pair not in self._persona.view.symbols:
            raise _Refusal(_ARGUMENT, f"unknown currency pair: {pair}")
        return pair

    def _success(self, request: _Request, keys: tuple[str, ...]) -> Reply:
        is_unsubscribe = request.event == "unsubscribe"
        if is_unsubscribe:
            self.subscriptions.difference_update(keys)
        else:
            self.subscriptions.update(keys)
        frame = self._ack(request) | {"result": {"status": "success"}}
        return Reply("ack", orjson.dumps(frame), variants=keys, unsubscribe=is_unsubscribe)

    def _failure(self, request: _Request, code: int, message: str) -> Reply:
        frame = self._ack(request) | {"error": {"code": code, "message": message}, "result": {"status": "fail"}}
        named = _named(request) if request.event == "subscribe" else ()
        refused = tuple(key for key in named if key not in self.subscriptions)
        return Reply("refused", orjson.dumps(frame), variants=refused)

    def _ack(self, request: _Request) -> dict[str, object]:
        trace = opaque_id(self._conn_id, next(self._traces))
        more = {**_echo(request), "conn_id": self._conn_id, "trace_id": trace * 2}
        head = frames.envelope(request.channel, request.event, self._now_s, **more)
        return {**head, "payload": request.payload, "requestId": trace * 2}


def _echo(request: _Request) -> dict[str, object]:
    return {} if request.id is None else {"id": request.id}


def _named(request: _Request) -> tuple[str, ...]:
    """The keys that a refused request asked for, as far as its payload can be read."""
    if not isinstance(request.payload, list):
        return ()
    texts = [item for item in request.payload if isinstance(item, str)]
    if request.channel not in _PAIR_LISTS and request.channel != "spot.obu":
        texts = ["|".join(texts)]
    return tuple(key for text in texts if _is_readable(key := f"{request.channel}|{text}"))


def _is_readable(key: str) -> bool:
    try:
        frames.parse_key(key)
    except ValueError:
        return False
    return True
