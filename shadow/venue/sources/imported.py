"""What `shadow import` writes: one connection's data frames and order books, a line each, sealed by its last line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from shadow.errors import UsageError
from shadow.venue.personas.registry import PERSONAS
from shadow.venue.sources.recording import Capture, RecordedFrame, RecordedMarket
from shadow.venue.wire import Level

__all__ = ["VERSION", "BookLine", "Ending", "FrameLine", "Opening", "load_imported"]

VERSION: Final = 1
_BEGINNING: Final = b'{"k":"capture"'
_Line = TypeVar("_Line")


class Opening(msgspec.Struct, tag_field="k", tag="capture"):
    """The first line."""

    version: int
    connection: str


class FrameLine(msgspec.Struct, tag_field="k", tag="frame", omit_defaults=True):
    """One data frame, `at_ns` after the first; its payload is `text`, or `base64` where it was binary."""

    at_ns: int
    wire_channel: str
    channel: str
    symbol: str
    events: int = 1
    first: int | None = None
    last: int | None = None
    text: str | None = None
    base64: bytes | None = None


class BookLine(msgspec.Struct, tag_field="k", tag="book"):
    """The REST order book of a symbol."""

    symbol: str
    version: int
    bids: list[Level]
    asks: list[Level]


class Ending(msgspec.Struct, tag_field="k", tag="end"):
    """The last line; `sha256` is that of all lines above it, newlines included."""

    frames: int
    channels: tuple[str, ...]
    symbols: tuple[str, ...]
    sha256: str


_read_opening: Final = msgspec.json.Decoder(Opening).decode
_read_line: Final = msgspec.json.Decoder[FrameLine | BookLine](FrameLine | BookLine).decode
_read_ending: Final = msgspec.json.Decoder(Ending).decode


def load_imported(path: Path) -> Capture:
    """Read an imported capture; UsageError names the file when it is none, cut off or altered."""
    opening, lines, ending = _unseal(path)
    frames: list[RecordedFrame] = []
    books: dict[str, tuple[int, list[Level], list[Level]]] = {}
    for number, data in enumerate(lines, 2):
        line = _decode(data, _read_line, f"{path}, line {number}")
        if isinstance(line, BookLine):
            books[line.symbol] = (line.version, line.bids, line.asks)
        else:
            frames.append(_frame(line))
    market = RecordedMarket(ending.symbols, books, {})
    return Capture((opening.connection,), ending.channels, ending.symbols, frames, market)


def _unseal(path: Path) -> tuple[Opening, list[bytes], Ending]:
    """First line, the lines between and last line of a file that is whole."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if not data.startswith(_BEGINNING):
        raise UsageError(f"{path}: not a capture that can be played; give a .session file, or `shadow import` it first")
    sealed, _, last = data.removesuffix(b"\n").rpartition(b"\n")
    again = f"{path}: cut off or altered since it was imported; import it again"
    try:
        ending = _read_ending(last)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UsageError(again) from None
    if hashlib.sha256(sealed + b"\n").hexdigest() != ending.sha256:
        raise UsageError(again)
    first, *lines = sealed.split(b"\n")
    opening = _decode(first, _read_opening, f"{path}, line 1")
    if opening.version != VERSION or opening.connection not in PERSONAS:
        raise UsageError(f"{path}: version {opening.version} of {opening.connection} is not known; import it again")
    return opening, lines, ending


def _frame(line: FrameLine) -> RecordedFrame:
    payload = line.base64 if line.base64 is not None else (line.text or "").encode()
    return RecordedFrame(
        at_s=line.at_ns / 1e9,
        wire_channel=line.wire_channel,
        channel=line.channel,
        symbol=line.symbol,
        first=line.first,
        last=line.last,
        payload=payload,
        is_text=line.base64 is None,
        events=line.events,
    )


def _decode(data: bytes, read: Callable[[bytes], _Line], place: str) -> _Line:
    try:
        return read(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{place}: {error}; import it again") from None
