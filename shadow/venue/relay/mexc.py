"""MEXC's public protocol as the relay speaks it."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import orjson

from shadow.venue.protobuf import BODY_NUMBERS
from shadow.venue.protobuf_strip import fields
from shadow.venue.relay.dialect import DAMAGED, Answer, Data

__all__ = ["MexcDialect"]

_CHANNEL: Final = 1
_DEALS: Final = BODY_NUMBERS["publicAggreDeals"]
_DEPTHS: Final = BODY_NUMBERS["publicAggreDepths"]
_FROM, _TO, _DEAL = 4, 5, 1
_FIRST_BODY: Final = 301
_REFUSED: Final = re.compile(r"Not Subscribed successfully! \[(?P<keys>[^\]]*)\]")


class _Control(msgspec.Struct):
    id: int = 0
    code: int = 0
    msg: Any = ""


_decode: Final = msgspec.json.Decoder(_Control).decode


class MexcDialect:
    """Text is control, binary is data."""

    def address(self, key: str) -> tuple[str, str]:
        """A push names the whole subscription string."""
        return key, ""

    def headers(self, key: str) -> dict[str, str]:
        """None."""
        return {}

    def subscribe(self, request_id: int, key: str) -> str:
        """The request."""
        return orjson.dumps({"method": "SUBSCRIPTION", "params": [key], "id": request_id}).decode()

    def unsubscribe(self, request_id: int, key: str) -> str:
        """The request."""
        return orjson.dumps({"method": "UNSUBSCRIPTION", "params": [key], "id": request_id}).decode()

    def ping(self) -> str:
        """The application's ping."""
        return '{"method":"PING"}'

    def read(self, data: str | bytes) -> Answer | Data | None:
        """An ack says the channels back, and only that; a push names its channel."""
        if isinstance(data, str):
            return self._control(data)
        try:
            return _push(data)
        except ValueError:
            return DAMAGED

    def refusal(self, payload: bytes, asked: bytes) -> bytes:
        """The refusal with the id of the client's own request."""
        told, request = orjson.loads(payload), orjson.loads(asked)
        return orjson.dumps({**told, "id": request.get("id", 0)})

    def _control(self, data: str) -> Answer | None:
        try:
            control = _decode(data)
        except (msgspec.DecodeError, RecursionError):
            return None
        text = control.msg if isinstance(control.msg, str) else ""
        if text.upper() in ("PONG", ""):
            return None
        refused = _REFUSED.match(text)
        keys = tuple((refused["keys"] if refused else text).split(","))
        return Answer(control.id, refused is None and control.code == 0, data.encode(), keys)


def _push(data: bytes) -> Data | None:
    channel, body = "", None
    for field in fields(data):
        if field.number == _CHANNEL:
            channel = field.content.decode()
        elif field.number >= _FIRST_BODY:
            body = field
    if not channel:
        return DAMAGED
    address = channel, ""
    if body is None:  # "no change": real, and no event
        return Data(address, 0)
    if body.number == _DEALS:
        return Data(address, sum(field.number == _DEAL for field in fields(body.content)))
    if body.number == _DEPTHS:
        numbers = {field.number: int(field.content) for field in fields(body.content) if field.number in (_FROM, _TO)}
        return Data(address, 1, numbers.get(_FROM), numbers.get(_TO))
    return Data(address)
