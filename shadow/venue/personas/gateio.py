"""Gate.io public channels, spot and futures: the dialogue of one socket, as in the wire reference of Gate.io v4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import msgspec
import orjson

from shadow.venue.personas import gateio_futures_rest, gateio_rest
from shadow.venue.personas.gateio_frames import Encoder, api_refusal, envelope
from shadow.venue.personas.gateio_futures_frames import DECIMAL
from shadow.venue.personas.gateio_rules import FUTURES, SPOT, Rules
from shadow.venue.personas.session import ABNORMAL, Lifetime, TimedSession, opaque_id, read_request
from shadow.venue.wire import MarketEvent, MarketView, Push, Refused, Reply, RestAnswer

__all__ = ["GateioFuturesPublic", "GateioPublic", "GateioSession", "GateioSpotPublic"]

_LIFETIME = Lifetime(unsubscribed_s=30.0, silent_s=60.0, life_s=None, idle_code=ABNORMAL)
_SCHEMA, _ARGUMENT, _AUTH = 1, 2, 4
_OBU_LEVELS = ("50", "400")
_SIZE_HEADER = "X-Gate-Size-Decimal"


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


class GateioPublic:
    """A public persona. Gate.io documents no end of a connection's life, so `time_scale` changes nothing here."""

    id: str
    market: str
    ws_path: str
    rules: Rules
    exchange = "gateio"

    def __init__(self, market: MarketView, time_scale: float = 1.0) -> None:
        self.view = market
        self.time_scale = time_scale
        self._numbers = count(1)
        self._encoders: dict[str, tuple[str, str, Encoder]] = {}

    def spell(self, symbol: str) -> str:
        """Gate.io's spelling is the house spelling."""
        return symbol

    def open(self, target: str, headers: Mapping[str, str], now_s: float) -> GateioSession:
        """A session for the handshake; Refused 404 on any other path."""
        if target.partition("?")[0].rstrip("/") != self.ws_path.rstrip("/"):
            raise Refused(404, f"no Gate.io {self.market} socket at {target}")
        return GateioSession(self, opaque_id(self.id, next(self._numbers)), headers.get(_SIZE_HEADER) == "1", now_s)

    def variant(self, key: str) -> tuple[str, str]:
        """(event type, symbol) of a subscription key."""
        parsed = self.rules.parse_key(key)
        return self.rules.event_types[parsed.channel], parsed.symbol

    def encode(self, event: MarketEvent, key: str) -> Push | None:
        """The text frame of this event for the key; None when the key is of another type or symbol."""
        known = self._encoders.get(key)
        if known is None:
            known = self._encoders[key] = (*self.variant(key), self.rules.encoder(key, self.view))
        type_, symbol, encode = known
        return encode(event) if event.type == type_ and event.symbol == symbol else None


class GateioSpotPublic(GateioPublic):
    """Spot."""

    id = "gateio.spot.public"
    market = "spot"
    ws_path = "/ws/v4/"
    rules = SPOT

    def default_variant(self, channel: str, symbol: str) -> str:
        """The key that both stacks subscribe: books as `order_book_update` at 100ms."""
        return {
            "book": f"spot.order_book_update|{symbol}|100ms",
            "trade": f"spot.trades|{symbol}",
            "book_ticker": f"spot.book_ticker|{symbol}",
            "ticker": f"spot.tickers|{symbol}",
        }[channel]

    def rest(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Answer the public spot calls."""
        return gateio_rest.answer(self.view, method, path, query, now_s)


class GateioFuturesPublic(GateioPublic):
    """Futures settled in USDT."""

    id = "gateio.futures.public"
    market = "futures"
    ws_path = "/v4/ws/usdt"
    rules = FUTURES

    def default_variant(self, channel: str, symbol: str) -> str:
        """The key that both stacks subscribe: books as `order_book_update` at 100ms with 100 levels."""
        return {
            "book": f"futures.order_book_update|{symbol}|100ms|100",
            "trade": f"futures.trades|{symbol}",
            "book_ticker": f"futures.book_ticker|{symbol}",
            "ticker": f"futures.tickers|{symbol}",
        }[channel]

    def rest(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Answer the public futures calls."""
        return gateio_futures_rest.answer(self.view, method, path, query, headers, now_s)


class GateioSession(TimedSession):
    """One client's socket; with `has_text_sizes` its handshake asked for sizes as text."""

    def __init__(self, persona: GateioPublic, conn_id: str, has_text_sizes: bool, now_s: float) -> None:
        super().__init__(_LIFETIME, now_s, persona.time_scale)
        self._persona = persona
        self._rules = persona.rules
        self._has_text_sizes = has_text_sizes
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
        stem = f"{self._rules.prefix}.obu|"
        if not variant.startswith(stem) or self._persona.variant(variant)[1] not in self._persona.view.symbols:
            return []
        return [self._rules.full_book(variant, self._persona.view, self._now_s)]

    def _answer(self, data: str | bytes, now_s: float, *, is_barred: bool) -> list[Reply]:
        self.heard(now_s)
        self._now_s = now_s
        request = read_request(_decode, data)
        if request is None:
            return [self._failure(_Request(channel=""), _SCHEMA, "request message need json scheme")]
        if request.channel == f"{self._rules.prefix}.ping":
            pong = envelope(f"{self._rules.prefix}.pong", "", now_s, **_echo(request), conn_id=self._conn_id)
            return [Reply("pong", orjson.dumps({**pong, "result": None}))]
        if request.event == "api":
            body = api_refusal(request.channel, request.payload, now_s, self._conn_id)
            return [Reply("refused", body)]
        try:
            keys = self._keys(request)
            if is_barred and request.event == "subscribe":
                raise _Refusal(_ARGUMENT, f"{self._rules.unknown}: {self._persona.variant(keys[0])[1]}")
        except _Refusal as refusal:
            return [self._failure(request, refusal.code, refusal.message)]
        return [self._success(request, keys)]

    def _keys(self, request: _Request) -> tuple[str, ...]:
        """The subscription keys that a request names; _Refusal fails the request as a whole."""
        if request.event not in ("subscribe", "unsubscribe"):
            raise _Refusal(_ARGUMENT, f"Unknown event {request.event}")
        channel, payload, rules = request.channel, request.payload, self._rules
        if channel in rules.private:
            raise _Refusal(_AUTH, "authentication failed")
        if channel not in rules.event_types:
            raise _Refusal(_ARGUMENT, f"Unknown channel {channel}")
        if not isinstance(payload, list) or not payload or not all(isinstance(item, str) for item in payload):
            raise _Refusal(_SCHEMA, "request payload does not follow json schema")
        if channel in rules.pair_lists:
            return tuple(self._spelt(channel, self._known(pair)) for pair in payload)
        if channel not in rules.options:
            return tuple(self._obu_key(channel, stream, request.event) for stream in payload)
        return (self._book_key(channel, payload, rules.options[channel]),)

    def _spelt(self, channel: str, *parts: str) -> str:
        """The subscription key, with the mark of text sizes where the channel has sizes and the client wants text."""
        marked = self._has_text_sizes and channel in self._rules.decimal_types
        return "|".join((channel, *parts, DECIMAL) if marked else (channel, *parts))

    def _book_key(self, channel: str, payload: Sequence[str], allowed: tuple[tuple[str, ...], ...]) -> str:
        pair, *options = payload
        if len(options) != len(allowed):
            raise _Refusal(_SCHEMA, "request payload does not follow json schema")
        self._known(pair)
        for option, choices in zip(options, allowed, strict=True):
            if option not in choices:
                raise _Refusal(_ARGUMENT, f"bad argument: {option}")
        return self._spelt(channel, *payload)

    def _obu_key(self, channel: str, stream: str, event: str) -> str:
        parts = stream.split(".")
        if len(parts) != 3 or parts[0] != "ob":
            raise _Refusal(_ARGUMENT, f"bad argument: {stream}")
        if not self._rules.is_obu_lenient:
            if parts[2] not in _OBU_LEVELS:
                raise _Refusal(_ARGUMENT, f"bad argument: {stream}")
            self._known(parts[1])
        key = f"{channel}|{stream}"
        if event == "subscribe" and key in self.subscriptions:
            raise _Refusal(_ARGUMENT, f"Alert sub {stream}")
        return key

    def _known(self, pair: str) -> str:
        if pair not in self._persona.view.symbols:
            raise _Refusal(_ARGUMENT, f"{self._rules.unknown}: {pair}")
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
        named = self._named(request) if request.event == "subscribe" else ()
        refused = tuple(key for key in named if key not in self.subscriptions)
        return Reply("refused", orjson.dumps(frame), variants=refused)

    def _ack(self, request: _Request) -> dict[str, object]:
        trace = opaque_id(self._conn_id, next(self._traces))
        more = {**_echo(request), "conn_id": self._conn_id, "trace_id": trace * 2}
        head = envelope(request.channel, request.event, self._now_s, **more)
        return {**head, "payload": request.payload, "requestId": trace * 2}

    def _named(self, request: _Request) -> tuple[str, ...]:
        """The keys that a refused request asked for, as far as its payload can be read."""
        if not isinstance(request.payload, list):
            return ()
        texts = [item for item in request.payload if isinstance(item, str)]
        if request.channel in self._rules.options:
            texts = ["|".join(texts)]
        return tuple(key for text in texts if self._is_readable(key := self._spelt(request.channel, text)))

    def _is_readable(self, key: str) -> bool:
        try:
            self._rules.parse_key(key)
        except ValueError:
            return False
        return True


def _echo(request: _Request) -> dict[str, object]:
    return {} if request.id is None else {"id": request.id}
