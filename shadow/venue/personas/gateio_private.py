"""Gate.io's private channels, spot and futures: login, signed subscriptions, and the account's own frames."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from itertools import count
from typing import Any

import msgspec
import orjson

from shadow.venue.account_events import AccountEvent, BalanceState
from shadow.venue.personas import gateio_account_rest, gateio_orders_rest
from shadow.venue.personas.gateio_frames import envelope
from shadow.venue.personas.gateio_private_frames import ALL, EVENT_TYPES, encode, parse_key
from shadow.venue.personas.session import ABNORMAL, Lifetime, TimedSession, opaque_id, read_request
from shadow.venue.wire import MarketView, OwnAccount, Push, Refused, Reply, RestAnswer

__all__ = ["GateioFuturesPrivate", "GateioPrivate", "GateioSpotPrivate"]

_LIFETIME = Lifetime(unsubscribed_s=30.0, silent_s=60.0, life_s=None, idle_code=ABNORMAL)
_WINDOW_S = 60.0
_SCHEMA, _ARGUMENT, _AUTH = 1, 2, 4


class _Request(msgspec.Struct):
    channel: str = ""
    event: str = ""
    id: int | str | None = None
    time: Any = None
    payload: Any = None
    auth: Any = None


_decode = msgspec.json.Decoder(_Request).decode


class _Refusal(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class GateioPrivate:
    """A private persona; `credentials` hold key, secret and uid of the one account that exists."""

    id: str
    market: str
    ws_path: str
    exchange = "gateio"

    def __init__(
        self, market: MarketView, time_scale: float = 1.0, credentials: Mapping[str, str] | None = None
    ) -> None:
        self.view = market
        self.time_scale = time_scale
        self.credentials = dict(credentials or {"key": "", "secret": "", "uid": "0"})
        self.account: OwnAccount | None = None
        """Which is told over REST."""
        self._numbers = count(1)

    @property
    def channels(self) -> tuple[str, ...]:
        """The private channels of this market."""
        return tuple(channel for channel in EVENT_TYPES if channel.startswith(f"{self.market}."))

    def spell(self, symbol: str) -> str:
        """Gate.io's spelling is the house spelling."""
        return symbol

    def open(self, target: str, headers: Mapping[str, str], now_s: float) -> GateioPrivateSession:
        """A session for the handshake; Refused 404 on any other path."""
        if target.partition("?")[0].rstrip("/") != self.ws_path.rstrip("/"):
            raise Refused(404, f"no private Gate.io {self.market} socket at {target}")
        return GateioPrivateSession(self, opaque_id(self.id, next(self._numbers)), now_s)

    def variant(self, key: str) -> tuple[str, str]:
        """(event type, "") of a subscription key: a private subscription covers every symbol."""
        return EVENT_TYPES[parse_key(key).channel], ""

    def default_variant(self, channel: str, symbol: str) -> str:
        """The key that both stacks subscribe."""
        name = next(name for name in self.channels if EVENT_TYPES[name] == channel)
        return f"{name}|" if channel == "balance" else f"{name}|{ALL}"

    def encode(self, event: AccountEvent, key: str) -> Push | None:
        """The frame of an event for a key; None when the key is of another type or symbol."""
        channel, symbol, _ = parse_key(key)
        if EVENT_TYPES[channel] != event.type:
            return None
        if not isinstance(event, BalanceState) and symbol not in (ALL, event.symbol):
            return None
        return encode(channel, event, self.credentials["uid"])

    def rest(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """The calls about own orders and what the account has; None for any other."""
        if method != "GET":
            return None
        asked = self.market, self.account, self.credentials, path, query, headers, now_s
        about_orders = gateio_orders_rest.answer(*asked)
        return gateio_account_rest.answer(*asked) if about_orders is None else about_orders

    def is_signed(self, text: str, signature: object) -> bool:
        """Whether the signature is this account's over the text."""
        made = hmac.new(self.credentials["secret"].encode(), text.encode(), hashlib.sha512).hexdigest()
        return isinstance(signature, str) and hmac.compare_digest(made.encode(), signature.encode())


class GateioSpotPrivate(GateioPrivate):
    """Orders, fills and balances of spot."""

    id = "gateio.spot.private"
    market = "spot"
    ws_path = "/ws/v4/private"


class GateioFuturesPrivate(GateioPrivate):
    """Orders, fills, balances and positions of the futures settled in USDT."""

    id = "gateio.futures.private"
    market = "futures"
    ws_path = "/v4/ws/usdt/private"


class GateioPrivateSession(TimedSession):
    """One client's socket."""

    def __init__(self, persona: GateioPrivate, conn_id: str, now_s: float) -> None:
        super().__init__(_LIFETIME, now_s, persona.time_scale)
        self._persona = persona
        self._conn_id = conn_id
        self._traces = count(1)
        self._now_s = now_s

    def on_message(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Answer one frame: login, signed subscribe, ping; orders and nonsense are refused."""
        return self._answer(data, now_s, is_barred=False)

    def refuse(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Refuse a subscribe as if it were not signed; other frames as usual."""
        return self._answer(data, now_s, is_barred=True)

    def deny(self, data: str | bytes, now_s: float) -> list[Reply] | None:
        """What a client hears whose proof is not accepted; None when the frame proves nothing."""
        request = read_request(_decode, data)
        if request is None:
            return None
        if request.event == "api":
            self._now_s = now_s
            return [self._api_answer(request, "400", "AUTHENTICATION_FAILED", "authentication failed")]
        return self.refuse(data, now_s) if request.event == "subscribe" else None

    def opening(self, variant: str) -> list[Push]:
        """Nothing is owed behind an ack."""
        return []

    def _answer(self, data: str | bytes, now_s: float, *, is_barred: bool) -> list[Reply]:
        self.heard(now_s)
        self._now_s = now_s
        request = read_request(_decode, data)
        if request is None:
            return [self._failure(_Request(), _Refusal(_SCHEMA, "request message need json scheme"))]
        if request.channel == f"{self._persona.market}.ping":
            pong = envelope(f"{self._persona.market}.pong", "", now_s, **_echo(request), conn_id=self._conn_id)
            return [Reply("pong", orjson.dumps({**pong, "result": None}))]
        if request.event == "api":
            return [self._api(request)]
        try:
            keys = self._keys(request)
            if is_barred and request.event == "subscribe":
                raise _Refusal(_AUTH, "authentication failed")
        except _Refusal as refusal:
            return [self._failure(request, refusal)]
        return [self._success(request, keys)]

    # Requests over the socket

    def _api(self, request: _Request) -> Reply:
        if request.channel != f"{self._persona.market}.login":
            return self._api_answer(request, "400", "INVALID_REQUEST", "this venue takes no api requests")
        payload = request.payload if isinstance(request.payload, dict) else {}
        if payload.get("api_key") != self._persona.credentials["key"]:
            return self._api_answer(request, "401", "INVALID_KEY", "Invalid key provided")
        stamp = str(payload.get("timestamp", ""))
        text = f"api\n{request.channel}\n\n{stamp}"
        if not self._is_recent(stamp) or not self._persona.is_signed(text, payload.get("signature")):
            return self._api_answer(request, "400", "AUTHENTICATION_FAILED", "authentication failed")
        result = {"api_key": payload["api_key"], "uid": self._persona.credentials["uid"]}
        return self._api_answer(request, "200", "", "", result)

    def _api_answer(
        self, request: _Request, status: str, label: str, message: str, result: dict[str, str] | None = None
    ) -> Reply:
        now_us = int(self._now_s * 1_000_000)
        payload = request.payload if isinstance(request.payload, dict) else {}
        header = {
            "response_time": str(now_us // 1000),
            "status": status,
            "channel": request.channel,
            "event": "api",
            "client_id": self._conn_id,
            "conn_id": self._conn_id,
            "x_in_time": now_us,
            "x_out_time": now_us,
        }
        data = {"errs": {"label": label, "message": message}} if result is None else {"result": result}
        frame = {"request_id": str(payload.get("req_id", "")), "ack": False, "header": header, "data": data}
        return Reply("refused" if result is None else "ack", orjson.dumps(frame))

    # Subscriptions

    def _keys(self, request: _Request) -> tuple[str, ...]:
        if request.event not in ("subscribe", "unsubscribe"):
            raise _Refusal(_ARGUMENT, f"Unknown event {request.event}")
        if request.channel not in self._persona.channels:
            raise _Refusal(_ARGUMENT, f"Unknown channel {request.channel}")
        self._check_auth(request)
        symbols = self._symbols(request)
        return tuple(f"{request.channel}|{symbol}" for symbol in symbols)

    def _check_auth(self, request: _Request) -> None:
        auth = request.auth if isinstance(request.auth, dict) else {}
        text = f"channel={request.channel}&event={request.event}&time={request.time}"
        is_key = auth.get("method") == "api_key" and auth.get("KEY") == self._persona.credentials["key"]
        if not is_key or not self._is_recent(request.time) or not self._persona.is_signed(text, auth.get("SIGN")):
            raise _Refusal(_AUTH, "authentication failed")

    def _symbols(self, request: _Request) -> list[str]:
        """What is subscribed; futures name the user first, balances no symbol."""
        payload = request.payload if isinstance(request.payload, list) else []
        if not all(isinstance(item, str) for item in payload):
            raise _Refusal(_SCHEMA, "request payload does not follow json schema")
        if self._persona.market == "futures":
            if not payload or payload[0] not in (self._persona.credentials["uid"], "0"):
                raise _Refusal(_ARGUMENT, "invalid user id")
            payload = payload[1:]
        if EVENT_TYPES[request.channel] == "balance":
            return [""]
        if not payload:
            raise _Refusal(_SCHEMA, "request payload does not follow json schema")
        for symbol in payload:
            if symbol != ALL and symbol not in self._persona.view.symbols:
                raise _Refusal(_ARGUMENT, f"unknown currency pair: {symbol}")
        return payload

    def _is_recent(self, stamp: object) -> bool:
        try:
            return abs(float(str(stamp)) - self._now_s) <= _WINDOW_S
        except ValueError:
            return False

    def _success(self, request: _Request, keys: tuple[str, ...]) -> Reply:
        is_unsubscribe = request.event == "unsubscribe"
        if is_unsubscribe:
            self.subscriptions.difference_update(keys)
        else:
            self.subscriptions.update(keys)
        frame = self._ack(request) | {"result": {"status": "success"}}
        return Reply("ack", orjson.dumps(frame), variants=keys, unsubscribe=is_unsubscribe)

    def _failure(self, request: _Request, refusal: _Refusal) -> Reply:
        error = {"code": refusal.code, "message": refusal.message}
        frame = self._ack(request) | {"error": error, "result": {"status": "fail"}}
        is_known = request.event == "subscribe" and request.channel in self._persona.channels
        key = self._persona.default_variant(EVENT_TYPES[request.channel], "") if is_known else ""
        refused = (key,) if key and key not in self.subscriptions else ()
        return Reply("refused", orjson.dumps(frame), variants=refused)

    def _ack(self, request: _Request) -> dict[str, object]:
        trace = opaque_id(self._conn_id, next(self._traces))
        more = {**_echo(request), "conn_id": self._conn_id, "trace_id": trace * 2}
        return {**envelope(request.channel, request.event, self._now_s, **more), "payload": request.payload}


def _echo(request: _Request) -> dict[str, object]:
    return {} if request.id is None else {"id": request.id}
