"""`shadow import`: a team's log in, a capture out that `--feed capture:PATH` replays."""

from __future__ import annotations

from pathlib import Path

from shadow.capture.redact import Redactor
from shadow.errors import UsageError
from shadow.importing.capture_file import CaptureFile
from shadow.importing.log_lines import REPLAYED, Kind, Line, mistake, read_log
from shadow.importing.meaning import CHANNELS, BadFrame, book_of, frame_of
from shadow.importing.totals import Totals
from shadow.venue.sources.imported import BookLine, FrameLine

__all__ = ["import_capture"]

LATER_BOOKS = "later order books of a symbol"
UNUSED_BOOKS = "order books of symbols without book frames"


def import_capture(source: Path, dest: Path, connection: str | None = None) -> Totals:
    """Read a log, write a capture, return the totals; UsageError for the first bad line, and then nothing is written.

    `connection` picks one of several in the log.
    """
    if connection is not None and connection not in REPLAYED:
        raise UsageError(f"--connection {connection}: cannot be replayed; give one of {', '.join(REPLAYED)}")
    with CaptureFile(dest) as file:
        importer = _Importer(source, file)
        for line in read_log(source, connection):
            importer.take(line)
        return importer.end()


class _Importer:
    def __init__(self, source: Path, file: CaptureFile) -> None:
        self._source = source
        self._file = file
        self._redact = Redactor().redact
        self._totals = Totals()
        self._books: dict[str, BookLine] = {}
        self._booked: set[str] = set()
        self._begin_ns = 0

    def take(self, line: Line) -> None:
        self._totals.lines += 1
        if line.kind is Kind.FRAME:
            self._take_frame(line)
        elif line.kind is Kind.REST:
            self._take_book(line)
        else:
            self._leave_out(line.kind.value)

    def end(self) -> Totals:
        """Write the books and the last line."""
        totals = self._totals
        if not totals.frames:
            wanted = ", ".join(CHANNELS[totals.connection]) if totals.connection else "a public connection"
            reasons = ", ".join(f"{count} {reason}" for reason, count in totals.left_out.most_common())
            raise UsageError(f"{self._source}: holds no data frame of {wanted} ({reasons or 'it is empty'})")
        for symbol, book in self._books.items():
            if symbol in self._booked:
                totals.books[symbol] = book.version
                self._file.write(book)
            else:
                self._leave_out(UNUSED_BOOKS)
        totals.bookless = tuple(sorted(self._booked - set(totals.books)))
        order = dict.fromkeys(CHANNELS[totals.connection].values())
        channels = [channel for channel in order if channel in totals.channels]
        totals.sha256 = self._file.seal(totals.frames, channels, totals.symbols)
        return totals

    def _take_frame(self, line: Line) -> None:
        payload = self._redact(line.payload) if line.is_text else line.payload
        try:
            frame = frame_of(line.connection, payload, line.is_text)
        except BadFrame as error:
            raise mistake(self._source, line.number, str(error), error.way_out) from None
        self._totals.connection = line.connection
        if isinstance(frame, str):
            self._leave_out(frame)
            return
        self._totals.hidden += payload != line.payload
        self._write(frame, line)

    def _write(self, frame: FrameLine, line: Line) -> None:
        totals = self._totals
        if not totals.frames:
            self._begin_ns = line.at_ns
            self._file.open(line.connection)
        frame.at_ns = line.at_ns - self._begin_ns
        totals.span_s = frame.at_ns / 1e9
        totals.channels[frame.channel] += 1
        totals.symbols[frame.symbol] += 1
        if frame.channel == "book":
            self._booked.add(frame.symbol)
        self._file.write(frame)

    def _take_book(self, line: Line) -> None:
        book = book_of(line.connection, line.url, line.payload)
        if isinstance(book, str):
            self._leave_out(book)
        elif book.symbol in self._books:
            self._leave_out(LATER_BOOKS)
        else:
            self._books[book.symbol] = book

    def _leave_out(self, reason: str) -> None:
        self._totals.left_out[reason] += 1
