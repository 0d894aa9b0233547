"""Protobuf written by hand for the MEXC push bodies of the wire table: fields ascending, proto3 defaults left out.

A wire tag is (field number << 3 | wire type) as a varint; wire type 0 is a varint, 2 a length and that many bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = [
    "BODY_NUMBERS",
    "Deal",
    "MiniTicker",
    "aggre_book_ticker",
    "aggre_deals",
    "aggre_depths",
    "integer",
    "limit_depths",
    "message",
    "mini_ticker",
    "text",
    "varint",
    "wrapper",
    "wrapper_head",
]

BODY_NUMBERS = {
    "publicLimitDepths": 303,
    "publicMiniTicker": 309,
    "publicAggreDepths": 313,
    "publicAggreDeals": 314,
    "publicAggreBookTicker": 315,
}
"""Oneof numbers of the bodies that can be written here."""

Levels = Iterable[tuple[str, str]]


class Deal(NamedTuple):
    """One item of publicAggreDeals: `trade_type` 1 buy, 2 sell; time in ms; `trade_id` empty in frames before 2026."""

    price: str
    quantity: str
    trade_type: int
    time_ms: int
    trade_id: str = ""


class MiniTicker(NamedTuple):
    """publicMiniTicker in field order, all text; `volume` is in quote, `quantity` in base currency."""

    symbol: str
    price: str
    rate: str
    zoned_rate: str
    high: str
    low: str
    volume: str
    quantity: str
    last_close_rate: str
    last_close_zoned_rate: str
    last_close_high: str
    last_close_low: str


def varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; a negative int64 takes ten bytes."""
    if 0 <= value < 128:
        return _SHORT[value]
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


_SHORT = [bytes([value]) for value in range(128)]


def message(number: int, body: bytes) -> bytes:
    """A length-delimited field, present even when empty."""
    return varint(number << 3 | 2) + varint(len(body)) + body


def text(number: int, value: str) -> bytes:
    """A string field, left out when empty."""
    return message(number, value.encode()) if value else b""


def integer(number: int, value: int) -> bytes:
    """An int32 or int64 field, left out when zero."""
    return varint(number << 3) + varint(value) if value else b""


def wrapper_head(channel: str, symbol: str) -> bytes:
    """Fields 1 and 3 of the wrapper, the same in every push of one subscription."""
    return text(1, channel) + text(3, symbol)


def wrapper(
    head: bytes, send_ms: int | None, number: int | None, body: bytes = b"", create_ms: int | None = None
) -> bytes:
    """A whole push. createTime and sendTime are `optional`: None leaves them out, 0 is written. No number, no body."""
    out = head
    if create_ms is not None:
        out += b"\x28" + varint(create_ms)
    if send_ms is not None:
        out += b"\x30" + varint(send_ms)
    return out if number is None else out + message(number, body)


def aggre_depths(
    asks: Levels, bids: Levels, event_type: str, from_version: str, to_version: str, last_order_ms: int = 0
) -> bytes:
    """Body 313; asks are field 1, bids field 2."""
    return (
        _levels(b"\x0a", asks)
        + _levels(b"\x12", bids)
        + text(3, event_type)
        + text(4, from_version)
        + text(5, to_version)
        + integer(6, last_order_ms)
    )


def limit_depths(asks: Levels, bids: Levels, event_type: str, version: str, last_order_ms: int = 0) -> bytes:
    """Body 303: the best levels of both sides, best first."""
    return (
        _levels(b"\x0a", asks)
        + _levels(b"\x12", bids)
        + text(3, event_type)
        + text(4, version)
        + integer(5, last_order_ms)
    )


def aggre_deals(deals: Iterable[Deal], event_type: str) -> bytes:
    """Body 314."""
    return b"".join([message(1, _deal(deal)) for deal in deals]) + text(2, event_type)


def aggre_book_ticker(bid: tuple[str, str], ask: tuple[str, str], version: str = "", last_order_ms: int = 0) -> bytes:
    """Body 315; version and time are the fields added in 2026."""
    return (
        text(1, bid[0])
        + text(2, bid[1])
        + text(3, ask[0])
        + text(4, ask[1])
        + text(5, version)
        + integer(6, last_order_ms)
    )


def mini_ticker(ticker: MiniTicker) -> bytes:
    """Body 309."""
    return b"".join([text(number, value) for number, value in enumerate(ticker, 1)])


def _deal(deal: Deal) -> bytes:
    return (
        text(1, deal.price)
        + text(2, deal.quantity)
        + integer(3, deal.trade_type)
        + integer(4, deal.time_ms)
        + text(5, deal.trade_id)
    )


def _levels(tag: bytes, levels: Levels) -> bytes:
    """Repeated items (1 price, 2 quantity). Written out, for it is most of the work of a book frame."""
    parts: list[bytes] = []
    short: Sequence[bytes] = _SHORT
    for price_text, quantity_text in levels:
        price, quantity = price_text.encode(), quantity_text.encode()
        if not 0 < len(price) < 62 or not 0 < len(quantity) < 62:
            item = text(1, price_text) + text(2, quantity_text)
            parts += (tag, varint(len(item)), item)
            continue
        length = len(price) + len(quantity) + 4
        parts += (tag, short[length], b"\x0a", short[len(price)], price, b"\x12", short[len(quantity)], quantity)
    return b"".join(parts)
