"""What a person sees while a rehearsal runs: on a terminal a live table, elsewhere a line per moment. Always stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from shadow.live_screen import LiveScreen

if TYPE_CHECKING:
    from shadow.rehearsal.run import Rehearsal

__all__ = ["View"]

LINES: Final = 10
UNITS: Final = 30
UNIT_WIDTH: Final = len("gateio.futures.book_ticker.BTC_USDT")


class View(LiveScreen):
    """Shows where the rollout stands, who serves each unit and what the consumer got; `tell` keeps a line."""

    def __init__(self, *, terminal: bool | None = None) -> None:
        super().__init__(terminal=terminal)
        self._lines: list[str] = []
        self._began = time.monotonic()
        self._rehearsal: Rehearsal | None = None

    def watch(self, rehearsal: Rehearsal) -> None:
        """What to show."""
        self._rehearsal = rehearsal

    def tell(self, text: str) -> None:
        """A line that stays."""
        self._lines.append(text)
        if not self.is_live:
            self.write(text)

    def picture(self) -> Any:
        """The picture of now."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        rehearsal = self._rehearsal
        if rehearsal is None:
            return Text("starting")
        grid = Table(title=f"{rehearsal.stage}   {time.monotonic() - self._began:.0f} s", expand=True)
        grid.add_column("unit", no_wrap=True, min_width=UNIT_WIDTH)
        grid.add_column("served by", no_wrap=True)
        for name in ("owed", "delivered", "wrong", "missing"):
            grid.add_column(name, justify="right")
        for unit, side, *figures in rows(rehearsal)[:UNITS]:
            grid.add_row(unit, Text(side, style="green" if side == "new" else ""), *map(str, figures))
        return Group(grid, *(Text(line) for line in self._lines[-LINES:]))


def rows(rehearsal: Rehearsal) -> list[tuple[str, str, int, int, int, int]]:
    """For each unit its side and its events: owed, delivered, wrong, missing."""
    parts = rehearsal.parts
    sums = dict.fromkeys(parts.ear.serving, (0, 0, 0, 0))
    for key, stream in parts.ear.streams.items():
        unit, counts = parts.units.get(key, ""), stream.counts
        owed, delivered, wrong, missing = sums.get(unit, (0, 0, 0, 0))
        sums[unit] = owed + counts.owed, delivered + counts.delivered, wrong + counts.wrong, missing + stream.lost()
    return [(unit, parts.ear.serving.get(unit, ""), *found) for unit, found in sums.items()]
