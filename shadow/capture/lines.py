"""A byte stream cut into lines, and the few fields of a subject's line that become columns."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import orjson

__all__ = ["LINE_CAP", "Head", "LineSplitter", "read_head"]

LINE_CAP: Final = 8 * 1024 * 1024
_INT64: Final = 2**63


class LineSplitter:
    """Cuts chunks into lines, without their newlines; a line over `cap` bytes is cut there, its rest thrown away.

    A chunk may be at most `cap` bytes.
    """

    def __init__(self, cap: int = LINE_CAP) -> None:
        self._cap = cap
        self._held: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, chunk: bytes) -> tuple[bytes | None, list[bytes]]:
        """The head of a line found to be overlong, if any, and the whole lines that follow it."""
        head = None
        if self._skipping:
            _, newline, chunk = chunk.partition(b"\n")
            self._skipping = not newline
        first = chunk.find(b"\n")
        if self._size + (len(chunk) if first < 0 else first) > self._cap:
            head = b"".join((*self._held, chunk))[: self._cap]
            self._held, self._size = [], 0
            self._skipping = first < 0
            chunk = b"" if first < 0 else chunk[first + 1 :]
        return head, self._lines(chunk)

    def end(self) -> bytes:
        """What was held of a last line without a newline."""
        rest, self._held, self._size = b"".join(self._held), [], 0
        return rest

    def _lines(self, chunk: bytes) -> list[bytes]:
        if not chunk:
            return []
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and self._held:
            lines[0] = b"".join((*self._held, lines[0]))
            self._held, self._size = [], 0
        if rest:
            self._held.append(rest)
            self._size += len(rest)
        return lines


class Head(msgspec.Struct, gc=False):
    """What the events table shows of a protocol line; all else stays in the line."""

    k: str
    c: str | None = None
    type: str | None = None
    symbol: str | None = None
    t: Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64 - 1)] | None = None


_decode: Final = msgspec.json.Decoder(Head).decode


def read_head(line: bytes) -> Head | None:
    """The head of a line that is a JSON object with a text `k`; None for any other line.

    A field of the wrong type is None: the line is still the subject's, and the comparison will say what is wrong.
    """
    try:
        if not line.isascii():
            line.decode()
        return _decode(line)
    except msgspec.ValidationError:
        return _lenient(line)
    except (ValueError, RecursionError):
        return None


def _lenient(line: bytes) -> Head | None:
    try:
        fields = orjson.loads(line)
    except ValueError:
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("k"), str):
        return None
    t = fields.get("t")
    fits = isinstance(t, int) and not isinstance(t, bool) and -_INT64 <= t < _INT64
    return Head(
        fields["k"], _text(fields.get("c")), _text(fields.get("type")), _text(fields.get("symbol")), t if fits else None
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
