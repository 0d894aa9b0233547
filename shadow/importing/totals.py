"""What an import came to, every line of the log accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["LONGEST_S", "Totals", "summary"]

LONGEST_S: Final = 3600.0
"""What a session replays at its own pace before it gives up."""


class Totals(msgspec.Struct):
    """Counts of lines: `lines` is the sum of `channels`, `books` and `left_out` (by reason)."""

    connection: str = ""
    lines: int = 0
    channels: Counter[str] = msgspec.field(default_factory=Counter)
    symbols: Counter[str] = msgspec.field(default_factory=Counter)
    books: dict[str, int] = {}
    left_out: Counter[str] = msgspec.field(default_factory=Counter)
    hidden: int = 0
    span_s: float = 0.0
    bookless: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def frames(self) -> int:
        """Data frames written."""
        return self.channels.total()


def summary(totals: Totals, dest: Path) -> str:
    """The totals for a person."""
    return "\n".join(_lines(totals, dest)) + "\n"


def _lines(totals: Totals, dest: Path) -> Iterator[str]:
    kept = totals.frames + len(totals.books)
    yield f"{dest}: {totals.connection}, {_times(totals.frames, 'frame')} in {totals.span_s:.1f} s"
    yield f"channels: {_counted(totals.channels)}"
    yield f"symbols: {_counted(totals.symbols)}"
    yield f"order books: {', '.join(f'{symbol} at {version}' for symbol, version in totals.books.items()) or 'none'}"
    yield f"{_times(totals.lines, 'line')} read, {kept} kept, {totals.left_out.total()} left out"
    for reason, count in totals.left_out.most_common():
        yield f"  {count} {reason}"
    if totals.hidden:
        yield f"secrets were hidden in {_times(totals.hidden, 'frame')}; what is replayed differs there from what came"
    if totals.bookless:
        names = ", ".join(totals.bookless)
        yield f"no order book of {names}: updates are compared, but no stack can keep its own book in step with them"
    if totals.span_s > LONGEST_S:
        yield "longer than an hour: replay it with --rate max"
    yield f"sha256 {totals.sha256} of all lines but the last, which holds it"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _times(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
