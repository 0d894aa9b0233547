"""The subject protocol, version 1: the start line, the later commands, and the lines a subject writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

__all__ = ["PROTOCOL", "Command", "ConnectionSpec", "StartLine", "line", "read_command", "read_start"]

PROTOCOL = 1
_Line = TypeVar("_Line")


class ConnectionSpec(msgspec.Struct, frozen=True):
    """One connection a subject must hold; symbols in the exchange's own spelling."""

    id: str
    exchange: str
    market: str
    scope: str
    ws_url: str
    rest_url: str
    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    credentials: dict[str, str] | None = None


class StartLine(msgspec.Struct, frozen=True):
    """The first line on a subject's stdin."""

    protocol: int
    run: str
    role: str
    connections: tuple[ConnectionSpec, ...]
    options: dict[str, Any] = {}


class Command(msgspec.Struct, frozen=True):
    """A later line: subscribe, unsubscribe or stop."""

    cmd: str
    c: str = ""
    symbols: tuple[str, ...] = ()


_start = msgspec.json.Decoder(StartLine)
_command = msgspec.json.Decoder(Command)
_encode = msgspec.json.Encoder().encode


def read_start(text: bytes) -> StartLine:
    """Read the first line; raises msgspec.DecodeError when it is not one."""
    return _read(_start, text)


def read_command(text: bytes) -> Command:
    """Read a later line; raises msgspec.DecodeError when it is not one."""
    return _read(_command, text)


def _read(decoder: msgspec.json.Decoder[_Line], text: bytes) -> _Line:
    try:
        return decoder.decode(text)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from error


def line(fields: dict[str, Any] | msgspec.Struct) -> bytes:
    """One protocol line with its newline."""
    return _encode(fields) + b"\n"


def start_line(run: str, role: str, connections: Sequence[ConnectionSpec], options: dict[str, Any]) -> bytes:
    """The first line for a subject."""
    return line(StartLine(PROTOCOL, run, role, tuple(connections), options))
