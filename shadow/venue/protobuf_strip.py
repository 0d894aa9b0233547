"""A MEXC push without its body: the wrapper's own fields stay, the oneof body (fields from 301 on) goes."""

from __future__ import annotations

from typing import Final

__all__ = ["without_body"]

_FIRST_BODY_FIELD: Final = 301
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def without_body(payload: bytes) -> bytes:
    """The same protobuf message without fields 301 and above; ValueError when it is no protobuf message."""
    kept = bytearray()
    place = 0
    while place < len(payload):
        begin = place
        tag, place = _varint(payload, place)
        kind = tag & 7
        if kind == _VARINT:
            _, place = _varint(payload, place)
        elif kind == _LENGTH:
            size, place = _varint(payload, place)
            place += size
        elif kind in (_FIXED64, _FIXED32):
            place += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {begin}")
        if place > len(payload):
            raise ValueError(f"field at byte {begin} runs over the end")
        if tag >> 3 < _FIRST_BODY_FIELD:
            kept += payload[begin:place]
    return bytes(kept)


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
