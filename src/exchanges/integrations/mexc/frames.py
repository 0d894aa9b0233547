"""MEXC spot frames: protobuf pushes read field by field, each once, and JSON text for control.

Reading a field costs more than parsing the frame, so a reader takes only what its event needs, and no message is kept:
a re-used upb message grows without bound.
"""

from __future__ import annotations

import msgspec
from google.protobuf.message import DecodeError as ProtobufError

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs.errors import DecodeError
from exchanges.structs.events import BookTickerEvent, BookUpdate, Finite, TickerEvent, TradeEvent, read_number

__all__ = [
    "Control",
    "Push",
    "decode_control",
    "decode_snapshot",
    "is_text",
    "parse",
    "read_book",
    "read_book_ticker",
    "read_ticker",
    "read_trades",
    "refused_channels",
]

SIDES = {1: "buy", 2: "sell"}
REFUSAL = "Not Subscribed successfully!"

Push = tuple[bytes, str]
"""A frame and the symbol that its channel string stands for."""

_from_string = PushDataV3ApiWrapper.FromString


class Control(msgspec.Struct, gc=False):
    """An answer, pong or error. A refusal has code 0 too; only `msg` tells."""

    msg: str
    id: int = 0
    code: int = 0


decode_control = msgspec.json.Decoder(Control).decode


class RestBook(msgspec.Struct, gc=False):
    """The REST order book."""

    lastUpdateId: int
    bids: list[tuple[Finite, Finite]]
    asks: list[tuple[Finite, Finite]]
    timestamp: int = 0


decode_snapshot = msgspec.json.Decoder(RestBook, strict=False).decode


def is_text(frame: bytes) -> bool:
    """Whether a frame is control text: no push begins with a brace, as a tag it is a group, which proto3 lacks."""
    return frame[:1] == b"{"


def parse(frame: bytes) -> PushDataV3ApiWrapper:
    """The push wrapper; DecodeError when it is not one."""
    try:
        return _from_string(frame)
    except ProtobufError as error:
        raise DecodeError(f"unreadable frame of {len(frame)} bytes: {error}") from error


def read_book(payload: Push) -> BookUpdate | None:
    """`aggre.depth`; None without a body, which means no change."""
    frame, name = payload
    try:
        wrapper = _from_string(frame)
        body = wrapper.publicAggreDepths
        last = body.toVersion
        if not last:
            return None
        first = body.fromVersion
        return BookUpdate(
            wrapper.sendTime,
            name,
            int(first) if first else None,
            int(last),
            [(read_number(item.price), read_number(item.quantity)) for item in body.bids],
            [(read_number(item.price), read_number(item.quantity)) for item in body.asks],
        )
    except (ValueError, msgspec.MsgspecError, ProtobufError) as error:
        raise _unreadable("book update", payload, error) from error


def read_trades(payload: Push) -> list[TradeEvent]:
    """`aggre.deals`; empty without a body. Frames before 2026 have no trade id."""
    frame, name = payload
    try:
        return [
            TradeEvent(
                name,
                read_number(deal.price),
                read_number(deal.quantity),
                SIDES[deal.tradeType],
                deal.time,
                deal.tradeId or None,
            )
            for deal in _from_string(frame).publicAggreDeals.deals
        ]
    except (ValueError, KeyError, msgspec.MsgspecError, ProtobufError) as error:
        raise _unreadable("trade", payload, error) from error


def read_book_ticker(payload: Push) -> BookTickerEvent | None:
    """`aggre.bookTicker`; None without a body. An empty side is 0.0 at 0.0; frames before 2026 have no version."""
    frame, name = payload
    try:
        wrapper = _from_string(frame)
        body = wrapper.publicAggreBookTicker
        bid, ask, version = body.bidPrice, body.askPrice, body.version
        if not bid and not ask and not wrapper.HasField("publicAggreBookTicker"):
            return None
        return BookTickerEvent(
            name,
            read_number(bid or "0"),
            read_number(body.bidQuantity or "0"),
            read_number(ask or "0"),
            read_number(body.askQuantity or "0"),
            wrapper.sendTime or None,
            int(version) if version else None,
        )
    except (ValueError, msgspec.MsgspecError, ProtobufError) as error:
        raise _unreadable("best bid/ask", payload, error) from error


def read_ticker(payload: Push) -> TickerEvent | None:
    """`miniTicker`; None without a body. `quantity` is base volume, `volume` quote turnover; no bid or ask."""
    frame, name = payload
    try:
        wrapper = _from_string(frame)
        body = wrapper.publicMiniTicker
        last = body.price
        if not last:
            return None
        return TickerEvent(
            name,
            read_number(last),
            None,
            None,
            read_number(body.quantity or "0"),
            read_number(body.volume or "0"),
            read_number(body.high or "0"),
            read_number(body.low or "0"),
            wrapper.sendTime or None,
        )
    except (ValueError, msgspec.MsgspecError, ProtobufError) as error:
        raise _unreadable("ticker", payload, error) from error


def _unreadable(what: str, payload: Push, error: Exception) -> DecodeError:
    if isinstance(error, ProtobufError):
        return DecodeError(f"unreadable frame of {len(payload[0])} bytes: {error}")
    return DecodeError(f"unreadable {what} of {payload[1]}: {error}")


def refused_channels(text: str) -> list[str] | None:
    """The channels named by a refusal; None when the text is no refusal."""
    if not text.startswith(REFUSAL):
        return None
    inside = text[len(REFUSAL) :].partition("[")[2].partition("]")[0]
    return [channel.strip() for channel in inside.split(",") if channel.strip()]
