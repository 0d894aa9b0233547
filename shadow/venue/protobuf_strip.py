"""Protobuf messages taken apart by their tags alone, without a schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Field", "fields", "without_body"]

_FIRST_BODY_FIELD: Final = 301
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """One field: its number, its bytes with tag, and of a length-delimited one the content."""

    number: int
    raw: bytes
    content: bytes


def fields(payload: bytes) -> Iterator[Field]:
    """The fields in the order of the wire; ValueError when it is no protobuf message."""
    place = 0
    while place < len(payload):
        begin = inside = place
        tag, place = _varint(payload, place)
        kind = tag & 7
        if kind == _VARINT:
            _, inside = _varint(payload, place)
            place = inside
        elif kind == _LENGTH:
            size, inside = _varint(payload, place)
            place = inside + size
        elif kind in (_FIXED64, _FIXED32):
            inside = place = place + (8 if kind == _FIXED64 else 4)
        else:
            raise ValueError(f"wire type {kind} at byte {begin}")
        if place > len(payload):
            raise ValueError(f"field at byte {begin} runs over the end")
        yield Field(tag >> 3, payload[begin:place], payload[inside:place])


def without_body(payload: bytes) -> bytes:
    """A MEXC push without its body: the wrapper's own fields stay, the oneof body (fields from 301 on) goes."""
    return b"".join(field.raw for field in fields(payload) if field.number < _FIRST_BODY_FIELD)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(data):
            raise ValueError("a number runs over the end")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
