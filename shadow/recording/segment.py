"""One capture file under way: a connection's frames from some moment on, with each symbol's order book."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from shadow.capture.redact import Redactor
from shadow.importing.capture_file import CaptureFile
from shadow.importing.meaning import CHANNELS, BadFrame, frame_of
from shadow.venue.sources.imported import BookLine, FrameLine

__all__ = ["Segment"]

_REDACT: Final = Redactor().redact


class Segment:
    """Written beside `path`, which appears whole when sealed. UsageError when it cannot be written."""

    def __init__(self, path: Path, connection: str) -> None:
        self.path = path
        self.connection = connection
        self.frames = 0
        self.left_out = 0
        self.begin_ns: int | None = None
        self.first_version: dict[str, int] = {}
        """The version in front of a symbol's first book update here."""
        self._booked: set[str] = set()
        self._channels: Counter[str] = Counter()
        self._symbols: Counter[str] = Counter()
        self._file = CaptureFile(path)
        self._file.open(connection)

    @property
    def size_bytes(self) -> int:
        """Size so far."""
        return self._file.bytes

    @property
    def bookless(self) -> list[str]:
        """Symbols with updates and no order book yet."""
        return [symbol for symbol in self.first_version if symbol not in self._booked]

    def take(self, payload: bytes, is_text: bool, at_ns: int) -> None:
        """Write a push that came at `at_ns` (any clock); what is compared nowhere is left out and counted."""
        payload = _REDACT(payload) if is_text else payload
        try:
            line = frame_of(self.connection, payload, is_text)
        except BadFrame:
            line = "unreadable"
        if isinstance(line, str):
            self.left_out += 1
            return
        self.begin_ns = at_ns if self.begin_ns is None else self.begin_ns
        line.at_ns = at_ns - self.begin_ns
        self._write(line)

    def take_book(self, book: BookLine) -> bool:
        """Write a symbol's order book; False for one that is older than the updates."""
        first = self.first_version.get(book.symbol)
        if first is None or book.version < first or book.symbol in self._booked:
            return False
        self._booked.add(book.symbol)
        self._file.write(book)
        return True

    def seal(self) -> None:
        """Make the file appear, where it holds anything; else nothing remains."""
        if self.frames:
            order = dict.fromkeys(CHANNELS[self.connection].values())
            self._file.seal(self.frames, [one for one in order if one in self._channels], self._symbols)
        else:
            self.abandon()

    def abandon(self) -> None:
        """Leave nothing that was not sealed."""
        self._file.__exit__(None, None, None)

    def _write(self, line: FrameLine) -> None:
        if line.channel == "book" and line.first is not None:
            self.first_version.setdefault(line.symbol, line.first - 1)
        self._channels[line.channel] += 1
        self._symbols[line.symbol] += 1
        self.frames += 1
        self._file.write(line)
