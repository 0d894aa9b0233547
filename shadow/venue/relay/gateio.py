"""Gate.io's public protocol as the relay speaks it, spot and futures."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
import orjson

from shadow.venue.personas.gateio_futures_frames import DECIMAL
from shadow.venue.relay.dialect import DAMAGED, Answer, Data

__all__ = ["Frame", "GateioDialect"]

_NAMES: Final = ("s", "currency_pair", "contract")
_BOOKS: Final = ("order_book_update", "obu", "order_book")


class Frame(msgspec.Struct):
    """What the relay reads of a server's frame."""

    channel: str = ""
    event: str = ""
    id: int | None = None
    error: Any = None
    result: Any = None


_decode: Final = msgspec.json.Decoder(Frame).decode


class GateioDialect:
    """`market` is spot or futures."""

    def __init__(self, market: str) -> None:
        self._market = market

    def address(self, key: str) -> tuple[str, str]:
        """Channel and symbol, of an obu stream its whole name."""
        channel, symbol, *_ = key.split("|")
        return channel, symbol

    def headers(self, key: str) -> dict[str, str]:
        """Sizes as text are asked for in the handshake."""
        return {"X-Gate-Size-Decimal": "1"} if key.split("|")[-1] == DECIMAL else {}

    def subscribe(self, request_id: int, key: str) -> str:
        """The request."""
        return self._request(request_id, key, "subscribe")

    def unsubscribe(self, request_id: int, key: str) -> str:
        """The request."""
        return self._request(request_id, key, "unsubscribe")

    def ping(self) -> str:
        """The application's ping."""
        return orjson.dumps({"time": int(time.time()), "channel": f"{self._market}.ping"}).decode()

    def read(self, data: str | bytes) -> Answer | Data | None:
        """An ack or refusal by its id, a push by channel and symbol."""
        try:
            frame = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return DAMAGED
        if frame.event in ("subscribe", "unsubscribe"):
            payload = data.encode() if isinstance(data, str) else data
            return Answer(frame.id or 0, not frame.error, payload)
        return self._data(frame) if frame.event in ("update", "all") else None

    def refusal(self, payload: bytes, asked: bytes) -> bytes:
        """The refusal with the id and payload of the client's own request."""
        told, request = orjson.loads(payload), orjson.loads(asked)
        for name in ("id", "payload"):
            if name in request:
                told[name] = request[name]
            else:
                told.pop(name, None)
        return orjson.dumps(told)

    def _data(self, frame: Frame) -> Data | None:
        return _data(frame)

    def _request(self, request_id: int, key: str, event: str) -> str:
        channel, *payload = key.split("|")
        if payload[-1] == DECIMAL:
            payload.pop()
        asked = {"time": int(time.time()), "id": request_id, "channel": channel, "event": event, "payload": payload}
        return orjson.dumps(asked).decode()


def _data(frame: Frame) -> Data | None:
    items = frame.result
    while isinstance(items, list) and items and isinstance(items[0], list):
        items = items[0]
    count = len(items) if isinstance(items, list) else 1
    head = (items[0] if items else None) if isinstance(items, list) else items
    if not isinstance(head, dict):
        return DAMAGED
    name = next((head[one] for one in _NAMES if isinstance(head.get(one), str)), None)
    if name is None:
        return DAMAGED
    address = frame.channel, name
    if frame.channel.partition(".")[2] not in _BOOKS:
        return Data(address, count)
    first, last = head.get("U"), head.get("u", head.get("lastUpdateId", head.get("id")))
    is_whole = frame.channel.endswith(".obu") and head.get("full") is True
    return Data(address, count, _version(first), _version(last), is_whole)


def _version(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 1 << 63 else None
