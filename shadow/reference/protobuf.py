"""The protobuf wire format read by hand: tags, varints, lengths. Nothing generated, no schema."""

from __future__ import annotations

from shadow.reference.events import DecodeError

__all__ = ["fields", "signed", "varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
FIXED_SIZE = {FIXED64: 8, FIXED32: 4}


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned varint that starts at `at`, and the offset behind it. DecodeError when cut or over 64 bit."""
    if at < len(data) and data[at] < 0x80:
        return data[at], at + 1
    value = shift = 0
    while True:
        if at >= len(data):
            raise DecodeError("varint is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise DecodeError("varint is longer than ten bytes")
    return value & 0xFFFF_FFFF_FFFF_FFFF, at


def signed(value: int) -> int:
    """A varint's value as int64 or int32 (two's complement over 64 bit)."""
    return value - (1 << 64) if value >= 1 << 63 else value


def fields(data: bytes) -> list[tuple[int, int | bytes]]:
    """Every field of one message in wire order, as (number, value).

    A varint's value is an int, all else is bytes. DecodeError for a cut field, number 0 or an unknown wire type.
    """
    found: list[tuple[int, int | bytes]] = []
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise DecodeError("field number 0")
        if kind == VARINT:
            value, at = varint(data, at)
            found.append((number, value))
            continue
        if kind == BYTES:
            size, at = varint(data, at)
        elif kind in FIXED_SIZE:
            size = FIXED_SIZE[kind]
        else:
            raise DecodeError(f"wire type {kind} of field {number}")
        if at + size > end:
            raise DecodeError(f"field {number} is cut off")
        found.append((number, data[at : at + size]))
        at += size
    return found
