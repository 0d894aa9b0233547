"""What of a running leg needs no second look: stretches in which each frame to both sides matched and nothing differed.

A look would else compare the leg from its begin, again and again. Public connections alone: what an account may do
next depends on all that happened to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from shadow.capture.reader import RunData
from shadow.diff.codes import LegDiff, Matches

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KEEP_NS", "Rest", "Settled", "quiet_moments"]

Ints = npt.NDArray[np.int64]
KEEP_NS: Final = 4_000_000_000
"""How long what matched stays in sight: a copy or a late event is compared with it so long."""


@dataclass
class Settled:
    """The settled part of one leg: by connection the moment (ns) up to which all is settled, and its matches.

    It reaches from the leg's begin: a hole in what is left would look like one of the venue's. A book is followed on
    from the last settled update. `lines` counts, by role, the delivered events that were left out of the last look.
    """

    upto: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    matches: dict[str, list[tuple[LegDiff, Matches]]] = field(default_factory=dict)

    def take(self, diff: LegDiff, limit: int, disturbed: Collection[str] = ()) -> None:
        """Settle of a diff what was sent up to `limit` (ns) on public connections on which nothing differs.

        Neither are `disturbed` ones settled: what a fault allows depends on what came long before.
        """
        differing = {d.connection for d in diff.differences if d.code != "EDGE"} | set(disturbed)
        for number, connection in enumerate(diff.connections):
            if connection in differing or "" in differing or not connection.endswith(".public"):
                continue
            quiet = quiet_moments([_of(side, number) for side in diff.matches.values()])
            begin = self.upto.get(connection, 0)
            settled = quiet[(quiet > begin) & (quiet <= limit)]
            if len(settled):
                self._extend(diff, number, begin, int(settled[-1]))
                self.upto[connection] = int(settled[-1])

    def _extend(self, diff: LegDiff, number: int, begin: int, end: int) -> None:
        for role, side in diff.matches.items():
            kept = (side.connection == number) & (side.t_sent > begin) & (side.t_sent <= end)
            self.matches.setdefault(role, []).append((diff, rows_of(side, kept)))

    def with_rest(self, rest: LegDiff) -> LegDiff:
        """The diff of the whole leg: of what is settled and of the rest."""
        diffs = [rest, *(diff for parts in self.matches.values() for diff, _ in parts)]
        names = sorted({name for diff in diffs for name in diff.connections})
        symbols = sorted({name for diff in diffs for name in diff.symbols})
        matches = {}
        for role, side in rest.matches.items():
            parts = [*self.matches.get(role, ()), (rest, side)]
            matches[role] = join_matches([renamed(d, part, names, symbols) for d, part in parts])
        totals = {role: _with_lines(total, self.lines.get(role, 0)) for role, total in rest.totals.items()}
        return msgspec.structs.replace(rest, matches=matches, connections=names, symbols=symbols, totals=totals)


def quiet_moments(sides: Sequence[tuple[Ints, Ints]]) -> Ints:
    """When nothing was under way to any side: each moment (ns) is a callback behind which the next frame was sent.

    `sides` are (t_sent, t_callback).
    """
    sent, done = (np.concatenate(part) for part in zip(*sides, strict=True))
    order = np.argsort(sent, kind="stable")
    sent, done = sent[order], np.maximum.accumulate(done[order])
    return np.asarray(done[:-1][done[:-1] < sent[1:]])


def _of(side: Matches, connection: int) -> tuple[Ints, Ints]:
    mine = side.connection == connection
    return side.t_sent[mine], side.t_callback[mine]


def rows_of(side: Matches, kept: npt.NDArray[np.bool_]) -> Matches:
    """The rows that `kept` marks."""
    return Matches(**{name: getattr(side, name)[kept] for name in Matches.__struct_fields__})


def renamed(diff: LegDiff, side: Matches, connections: list[str], symbols: list[str]) -> Matches:
    """Matches of a diff with the numbers that other lists of names give."""
    return msgspec.structs.replace(
        side,
        connection=_renumber(side.connection, diff.connections, connections),
        symbol=_renumber(side.symbol, diff.symbols, symbols),
    )


def _renumber(numbers: npt.NDArray[np.int16], old: list[str], new: list[str]) -> npt.NDArray[np.int16]:
    table = np.array([new.index(name) for name in old], np.int16)
    return np.asarray(table[numbers]) if len(table) else numbers


def join_matches(parts: Sequence[Matches]) -> Matches:
    """All rows in order of sending."""
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in Matches.__struct_fields__}
    order = np.argsort(columns["t_sent"], kind="stable")
    return Matches(**{name: column[order] for name, column in columns.items()})


def _with_lines(total: Mapping[str, Any], lines: int) -> dict[str, Any]:
    """A side's totals with so many settled events, each of which matched."""
    counted = {name: total[name] + lines for name in ("input", "expected", "pairs")}
    codes = {
        name: {**total[name], "MATCH": total[name].get("MATCH", 0) + lines}
        for name in ("codes", "delivered_codes", "expected_codes")
    }
    return {**total, **counted, **codes}


class Rest(RunData):
    """A run without what is settled of a leg, for its diff; counts into `settled.lines` what it leaves out."""

    def __init__(self, run: RunData, settled: Settled) -> None:
        super().__init__(run.path)
        self._whole = run
        self._settled = settled

    def table(self, name: str) -> pa.Table:
        """As of the run."""
        return self._whole.table(name)

    def part(self, name: str, columns: Sequence[str], leg: str | None = None) -> pa.Table:
        """As of the run; frames, sends and events without the settled ones."""
        if not self._settled.upto or not name.startswith(("frames", "sends", "events/")):
            return self._whole.part(name, columns, leg)
        asked = {"frames": ("frame_no",), "sends": ("frame_no", "connection", "t_sent")}.get(name, ("c", "k", "t"))
        found = self._whole.part(name, tuple(dict.fromkeys((*columns, *asked))), leg)
        gone = self._gone(name, found, leg)
        return found.filter(_mask(~gone)).select(list(columns))

    def _gone(self, name: str, rows: pa.Table, leg: str | None) -> npt.NDArray[np.bool_]:
        import pyarrow.compute as pc

        if name == "sends":
            return self._within(rows["connection"], rows["t_sent"])
        if name == "frames":
            sends = self._whole.part("sends", ("frame_no", "connection", "t_sent"), leg)
            gone = self._within(sends["connection"], sends["t_sent"])
            numbers = sends["frame_no"].to_numpy()
            return np.isin(rows["frame_no"].to_numpy(), np.setdiff1d(numbers[gone], numbers[~gone]))
        gone = np.logical_and(self._within(rows["c"], rows["t"]), pc.equal(rows["k"], "event").to_numpy())
        self._settled.lines[name.partition("/")[2]] = int(gone.sum())
        return np.asarray(gone, np.bool_)

    def _within(self, connections: pa.ChunkedArray, times: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        import pyarrow.compute as pc

        t = pc.fill_null(times, 0).to_numpy()
        parts = [pc.equal(connections, name).to_numpy() & (t <= end) for name, end in self._settled.upto.items()]
        return np.asarray(np.logical_or.reduce(parts), np.bool_)


def _mask(kept: npt.NDArray[np.bool_]) -> Any:
    import pyarrow as pa

    return pa.array(kept)
