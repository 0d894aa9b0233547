"""A run without what is settled of its running leg, for the diff of the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shadow.capture.reader import RunData
from shadow.online.settled import Lines, Settled
from shadow.online.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Rest", "come_late"]

Bools = npt.NDArray[np.bool_]
ASKED = {"frames": ("frame_no", "kind", "connection"), "sends": ("frame_no", "connection", "t_sent")}
EVENT = ("c", "k", "t")
NEVER = 2**63 - 1


class Rest(RunData):
    """Frames, sends and events behind the settled pieces; all else as of the run. `lines` is what it gave of events.

    Of `connections` that have nothing settled, everything since `begin` (ns) is read. What was sent or came behind
    `upto` is left for the next look.
    """

    def __init__(self, run: Snapshot, settled: Settled, connections: Sequence[str], begin: int, upto: int) -> None:
        super().__init__(run.path)
        self._end = upto
        self._whole = run
        self._upto = settled.upto
        self._last = {name: settled.last_frame(name) for name in self._upto}
        self._after = min((self._upto.get(name, begin) for name in connections), default=begin)
        self.lines: dict[str, Lines] = {}
        self.rows = 0

    def table(self, name: str) -> pa.Table:
        """As of the run."""
        return self._whole.table(name)

    def part(self, name: str, columns: Sequence[str], leg: str | None = None) -> pa.Table:
        """As of the run; frames, sends and events without the settled ones."""
        if name == "marks" and leg is not None:
            return self._whole.marks_of(leg).select(list(columns))
        if not name.startswith(("frames", "sends", "events/")):
            return self._whole.part(name, columns, leg)
        asked = tuple(dict.fromkeys((*columns, *ASKED.get(name, EVENT))))
        if name == "frames":
            return self._frames(asked, leg).select(list(columns))
        found = self._whole.since(name, asked, leg, self._after)
        times, places = ("t_sent", "connection") if name == "sends" else ("t", "c")
        kept = ~within(found[places], found[times], self._upto) & ~_behind(found[times], self._end)
        if name != "sends":
            kept |= ~_equal(found["k"], "event")
        found = found.filter(_mask(kept))
        if name != "sends":
            self._count(name.partition("/")[2], found)
        return found.select(list(columns))

    def _frames(self, asked: Sequence[str], leg: str | None) -> pa.Table:
        """What was sent behind the pieces, what nobody was sent since, and REST answers."""
        sent = np.unique(self.part("sends", ("frame_no",), leg)["frame_no"].to_numpy())
        known = bool(self._upto) and self._after == min(self._upto.values())
        after = min([*self._last.values(), *sent[:1].tolist()]) - 1 if known else -1
        found = self._whole.since("frames", asked, leg, after)
        numbers = found["frame_no"].to_numpy()
        gone = np.zeros(len(numbers), np.bool_)
        for name, last in self._last.items():
            gone |= _equal(found["connection"], name) & (numbers <= last)
        gone &= _equal(found["kind"], "ws") & ~np.isin(numbers, sent)
        return found.filter(_mask(~gone))

    def _count(self, role: str, events: pa.Table) -> None:
        told = events.filter(_mask(_equal(events["k"], "event")))
        self.rows += told.num_rows
        self.lines[role] = Lines(told["c"].to_pylist(), told["t"].to_pylist())


def come_late(name: str, rows: pa.Table, upto: Mapping[str, int]) -> set[str]:
    """Connections of which a table's new rows belong to what is settled."""
    times, places = ("t_sent", "connection") if name == "sends" else ("t", "c")
    here = within(rows[places], rows[times], upto)
    if name != "sends":
        here &= _equal(rows["k"], "event")
    return set(rows[places].filter(_mask(here)).unique().to_pylist())


def within(connections: pa.ChunkedArray, times: pa.ChunkedArray, upto: Mapping[str, int]) -> Bools:
    """Rows that belong to what is settled up to some moment (ns) of each connection."""
    import pyarrow.compute as pc

    t = pc.fill_null(times, NEVER).to_numpy()
    found = np.zeros(len(t), np.bool_)
    for name, end in upto.items():
        found |= _equal(connections, name) & (t <= end)
    return found


def _behind(times: pa.ChunkedArray, end: int) -> Bools:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(times, 0).to_numpy() > end, np.bool_)


def _equal(column: Any, text: str) -> Bools:
    import pyarrow.compute as pc

    return np.asarray(pc.equal(column, text).to_numpy(), np.bool_)


def _mask(kept: Bools) -> Any:
    import pyarrow as pa

    return pa.array(kept)
