"""Pipe chunks to table rows, without I/O: a subject's output lines, and the venue's ledger records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from struct import Struct as Layout
from typing import Final

import msgspec

from shadow.capture.lines import LINE_CAP, LineSplitter, read_head
from shadow.capture.redact import Redactor
from shadow.capture.tables import COLUMNS, LEDGER_TABLES
from shadow.capture.writer import Row

__all__ = ["LedgerIntake", "SubjectIntake"]

KEPT_OF_OVERLONG: Final = 64 * 1024
RECORD_CAP: Final = 64 * 1024 * 1024
_SIZE: Final = Layout("<I")


class SubjectIntake:
    """The output of one subject in one leg, as rows of `events/<role>`.

    Every line of stdout and stderr gets the leg's next number. `on_line` is called with each protocol line that is no
    event; `counts` holds the events per connection, `overlong` the lines that were cut.
    """

    def __init__(self, leg: str, role: str, redactor: Redactor, on_line: Callable[[bytes], None]) -> None:
        self.leg = leg
        self.role = role
        self.counts: Counter[str] = Counter()
        self.overlong = 0
        self._n = 0
        self._redactor = redactor
        self._on_line = on_line
        self._splitters = {"": LineSplitter(LINE_CAP), "stderr": LineSplitter(LINE_CAP)}

    def feed(self, chunk: bytes, t_read: int, stream: str = "") -> list[Row]:
        """Rows of the lines that a chunk completes; stream is "" for stdout or "stderr"."""
        head, lines = self._splitters[stream].feed(chunk)
        rows = [] if head is None else [self._cut(head, t_read, stream)]
        if lines:
            rows += self._rows(self._clean(lines), t_read, stream)
        return rows

    def end(self, t_read: int, stream: str = "") -> list[Row]:
        """Rows of what the stream left without a newline."""
        rest = self._splitters[stream].end()
        return self._rows(self._clean([rest]), t_read, stream) if rest else []

    def _clean(self, lines: list[bytes]) -> list[bytes]:
        if self._redactor.touches(b"\n".join(lines)):
            return [self._redactor.redact(line) for line in lines]
        return lines

    def _rows(self, lines: list[bytes], t_read: int, stream: str) -> list[Row]:
        if stream:
            return [self._log(line, t_read, stream) for line in lines]
        rows: list[Row] = []
        leg, n, counts = self.leg, self._n, self.counts
        for line in lines:
            n += 1
            head = read_head(line)
            if head is None:
                rows.append((leg, n, "log", "", "", "", None, t_read, line))
                continue
            connection = head.c or ""
            rows.append((leg, n, head.k, connection, head.type or "", head.symbol or "", head.t, t_read, line))
            if head.k == "event":
                counts[connection] += 1
            else:
                self._on_line(line)
        self._n = n
        return rows

    def _log(self, line: bytes, t_read: int, stream: str, kind: str = "") -> Row:
        self._n += 1
        return (self.leg, self._n, "log", stream, kind, "", None, t_read, line)

    def _cut(self, head: bytes, t_read: int, stream: str) -> Row:
        """An overlong line's beginning; redacted before it is cut, so that no half of a secret remains at the cut."""
        self.overlong += 1
        return self._log(self._redactor.redact(head)[:KEPT_OF_OVERLONG], t_read, stream, "truncated")


class LedgerIntake:
    """The venue's records: 4 bytes of length, little-endian, then a msgpack array of table name and row.

    A record that fits no table is dropped and counted in `drops`; a length beyond reason ends the reading (`broken`).
    """

    def __init__(self, redactor: Redactor) -> None:
        self.drops = 0
        self.broken = False
        self._redactor = redactor
        self._held = b""

    def feed(self, chunk: bytes) -> dict[str, list[Row]]:
        """Rows per table of the records that a chunk completes."""
        tables: dict[str, list[Row]] = {}
        if self.broken:
            return tables
        data = self._held + chunk if self._held else chunk
        view, at, end = memoryview(data), 0, len(data)
        while end - at >= 4:
            (size,) = _SIZE.unpack_from(data, at)
            if size > RECORD_CAP:
                self.broken = True
                self.drops += 1
                at = end
                break
            if end - at - 4 < size:
                break
            self._take(view[at + 4 : at + 4 + size], tables)
            at += 4 + size
        self._held = data[at:]
        return tables

    def end(self) -> int:
        """The drops, a record that never became whole among them."""
        self.drops += bool(self._held) and not self.broken
        self._held = b""
        return self.drops

    def _take(self, record: memoryview, tables: dict[str, list[Row]]) -> None:
        try:
            table, *row = msgspec.msgpack.decode(record)
            if len(row) == 1:
                (row,) = row
            if table not in LEDGER_TABLES or len(row) != len(COLUMNS[table]):
                raise ValueError
            tables.setdefault(table, []).append(self._clean(table, row))
        except (ValueError, TypeError, AttributeError):
            self.drops += 1

    def _clean(self, table: str, row: list[object]) -> Row:
        """Redact the one column of a table that may hold a secret; data frames lose known secrets only."""
        column = _SENSITIVE.get(table)
        if column is None:
            return row
        value = row[column]
        if isinstance(value, str):
            row[column] = self._redactor.redact_text(value)
        elif isinstance(value, bytes):
            plain = table == "frames" and row[_KIND] == "ws"
            row[column] = self._redactor.redact_values(value) if plain else self._redactor.redact(value)
        return row


_SENSITIVE: Final = {
    "frames": COLUMNS["frames"].index("payload"),
    "requests": COLUMNS["requests"].index("payload"),
    "connections": COLUMNS["connections"].index("detail"),
    "marks": COLUMNS["marks"].index("detail"),
}
_KIND: Final = COLUMNS["frames"].index("kind")
