"""The lines of a team's own log, each checked against docs/capture-format.md."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from shadow.capture.redact import Redactor
from shadow.connections import CONNECTIONS
from shadow.errors import UsageError

__all__ = ["REPLAYED", "Kind", "Line", "mistake", "read_log"]

REPLAYED: Final = tuple(name for name in CONNECTIONS if name.endswith(".public"))
"""Connections that can be replayed."""
PAGE: Final = "docs/capture-format.md"
LATEST_NS: Final = 1 << 62
SHOWN: Final = 60
_redact_text = Redactor().redact_text


class Kind(Enum):
    """What a line of the log is."""

    FRAME = "received frame"
    SENT = "sent by the client"
    REST = "REST answer"
    OTHER = "of other connections"
    BLANK = "blank"


class Line(NamedTuple):
    """One line; `at_ns` on the log's own clock, `url` of a REST answer."""

    number: int
    kind: Kind
    connection: str = ""
    at_ns: int = 0
    payload: bytes = b""
    is_text: bool = True
    url: str = ""


class _Fields(msgspec.Struct, forbid_unknown_fields=True):
    connection: str = ""
    t_ns: int | None = None
    t_ms: float | None = None
    direction: Literal["in", "out"] = "in"
    text: str | None = None
    base64: bytes | None = None
    rest: str | None = None


_decode: Final = msgspec.json.Decoder(_Fields).decode


def mistake(path: Path, number: int, says: str, way_out: str) -> UsageError:
    """The error of a bad line; what it quotes is cleared of secrets and control characters."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in _redact_text(says))
    return UsageError(f"{path}, line {number}: {clean}; {way_out}")


def read_log(path: Path, connection: str | None = None) -> Iterator[Line]:
    """Every line in order; with `connection` those of another are OTHER, and lines without one are its own.

    Raises UsageError for the first bad line, naming it and what to write instead.
    """
    reader = _Reader(path, connection)
    try:
        with path.open("rb") as file:
            for number, data in enumerate(file, 1):
                yield reader.read(number, data) if data.strip() else Line(number, Kind.BLANK)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None


class _Reader:
    def __init__(self, path: Path, asked: str | None) -> None:
        self._path = path
        self._asked = asked
        self._only = asked
        self._newest_ns = 0

    def read(self, number: int, data: bytes) -> Line:
        fields = self._fields(number, data)
        connection = self._connection(number, fields)
        if connection != self._only:
            return Line(number, Kind.OTHER)
        at_ns = self._time(number, fields)
        payload, is_text = self._payload(number, fields)
        if fields.rest is not None:
            return Line(number, Kind.REST, connection, at_ns, payload, is_text, fields.rest)
        if fields.direction == "out":
            return Line(number, Kind.SENT, connection, at_ns, payload, is_text)
        if at_ns < self._newest_ns:
            way = "write frames as they came, by a clock that never goes back"
            raise self._mistake(number, "received before the frame above it", way)
        self._newest_ns = at_ns
        return Line(number, Kind.FRAME, connection, at_ns, payload, is_text)

    def _fields(self, number: int, data: bytes) -> _Fields:
        try:
            return _decode(data)
        except UnicodeDecodeError:
            raise self._mistake(number, "not UTF-8 text", "write JSON in UTF-8, binary frames as base64") from None
        except (msgspec.DecodeError, RecursionError) as error:
            way = f"write one JSON object with connection, t_ns or t_ms, and text or base64, see {PAGE}"
            raise self._mistake(number, str(error)[: 2 * SHOWN], way) from None

    def _connection(self, number: int, fields: _Fields) -> str:
        found = fields.connection or self._asked
        if found is None:
            raise self._mistake(number, "no connection", f'write "connection":"{REPLAYED[0]}", or give --connection ID')
        if found not in CONNECTIONS:
            says = f"unknown connection {found[:SHOWN]!r}"
            raise self._mistake(number, says, f"write one of {', '.join(CONNECTIONS)}")
        if self._only is None:
            self._only = found
        if found != self._only and self._asked is None:
            says = f"of {found}, those above of {self._only}"
            raise self._mistake(number, says, "give --connection ID, one import for each")
        if found == self._only and found not in REPLAYED:
            way = f"give --connection with one of {', '.join(REPLAYED)}"
            raise self._mistake(number, f"{found} is private and cannot be replayed yet", way)
        return found

    def _time(self, number: int, fields: _Fields) -> int:
        if (fields.t_ns is None) == (fields.t_ms is None):
            says = "no time" if fields.t_ns is None else "two times"
            raise self._mistake(number, says, "write when it was received, either t_ns or t_ms")
        at_ns = fields.t_ns if fields.t_ns is not None else (fields.t_ms or 0.0) * 1e6
        if not 0 <= at_ns <= LATEST_NS:
            way = "write t_ns in nanoseconds or t_ms in milliseconds, from 0"
            raise self._mistake(number, "a time of no clock", way)
        return round(at_ns)

    def _payload(self, number: int, fields: _Fields) -> tuple[bytes, bool]:
        if (fields.text is None) == (fields.base64 is None):
            says = "no payload" if fields.text is None else "two payloads"
            raise self._mistake(number, says, "write a text frame as text, a binary one as base64")
        if fields.base64 is not None:
            return fields.base64, False
        return (fields.text or "").encode(), True

    def _mistake(self, number: int, says: str, way_out: str) -> UsageError:
        return mistake(self._path, number, says, way_out)
