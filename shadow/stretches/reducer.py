"""Follows a session, judges it stretch by stretch, and keeps its raw data within a limit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson

from shadow.capture.tables import COLUMNS
from shadow.diff.codes import TYPES, LegDiff
from shadow.diff.frames import FRAME_COLUMNS, first_sends
from shadow.diff.leg import cut_short
from shadow.diff.stretches import LegJudge, Rows
from shadow.errors import ShadowError
from shadow.stretches.store import Reduced, arrivals_of, counted, thinned, write_stretch
from shadow.stretches.tail import TableTail

__all__ = ["LOOK_AHEAD_NS", "Reducer"]

LOOK_AHEAD_NS: Final = 6_500_000_000
"""How old rows are when they are judged: a second until all are on disk, then what comes late has come."""
MOST_LINES: Final = 500_000
"""Lines of a side that are judged at once: 14 kB of memory for each."""
SECOND_NS: Final = 1_000_000_000
LARGE: Final = ("frames", "sends")
SMALL: Final = ("connections", "marks", "requests")
SEND_COLUMNS: Final = (*(name for name in COLUMNS["sends"] if name not in ("leg", "connection")), "row")


class _Leg:
    """What is not judged yet of one leg; small tables from its begin."""

    def __init__(self, leg: str, session: dict[str, Any], roles: tuple[str, str]) -> None:
        self.roles = roles
        self.judge = LegJudge(leg, session)
        self.frames: dict[str, list[Any]] = {name: [] for name in (*FRAME_COLUMNS, "row")}
        self.sends: dict[str, list[Any]] = {name: [] for name in SEND_COLUMNS}
        self.small: dict[str, dict[str, list[Any]]] = {name: {c: [] for c in COLUMNS[name]} for name in SMALL}
        self.lines: dict[str, list[tuple[int, bytes]]] = {role: [] for role in roles}
        self.line_rows: dict[str, list[int]] = {role: [] for role in roles}
        self.errors: list[tuple[str, str, int]] = []
        self.number = 0
        self.begin = 0
        self.patience_ns = 0

    @property
    def is_full(self) -> bool:
        """Whether more lines of a side wait than are judged at once."""
        return max(map(len, self.lines.values())) > MOST_LINES

    def rows(self) -> Rows:
        """As the judge takes them."""
        connections, marks, requests = (self.small[name] for name in SMALL)
        return Rows(self.frames, self.sends, connections, marks, requests, self.lines)

    def note_begin(self) -> None:
        """A leg begins with the first frame sent, its later stretches where the one before ended."""
        self.begin = self.begin or min(self.sends["t_sent"], default=0)

    @property
    def ended(self) -> int | None:
        """When (ns) the leg ended."""
        marks = self.small["marks"]
        ends = [t for t, name in zip(marks["t"], marks["name"], strict=True) if name == "leg-end"]
        return ends[-1] if ends else None

    @property
    def paired_from(self) -> int:
        """When (ns) the paired phase began, from which seconds are counted."""
        marks = self.small["marks"]
        for t, name, detail in zip(marks["t"], marks["name"], marks["detail"], strict=True):
            if name == "phase-begin" and orjson.loads(detail or "{}").get("phase") == "paired":
                return int(t)
        return int(marks["t"][0]) if marks["t"] else 0


class Reducer:
    """`look` judges what is old enough, once a stretch has come together; `finish` all that is left.

    Where no moment is quiet it waits twice as long for the next try; ShadowError when more waits than can be judged.
    Raw data that were judged stay, the newest, as long as they take at most `keep_bytes`. One in `keep_one_in` matched
    frames is kept for latency.
    """

    def __init__(self, run: Path, stretch_s: float, keep_bytes: int, keep_one_in: int = 1) -> None:
        self._run = run
        self._stretch_ns = int(stretch_s * 1e9)
        self._keep_bytes = keep_bytes
        self._keep_one_in = keep_one_in
        self._session: dict[str, Any] = orjson.loads((run / "session.json").read_bytes())
        legs = self._session["plan"]["legs"]
        self._roles: dict[str, tuple[str, str]] = {leg["leg"]: (leg["roles"][0], leg["roles"][1]) for leg in legs}
        roles = sorted({role for pair in self._roles.values() for role in pair})
        self._tails = {name: TableTail(run, name) for name in (*LARGE, *SMALL, *(f"events/{r}" for r in roles))}
        self._legs: dict[str, _Leg] = {}
        self._done: set[str] = set()
        self._next_row: dict[str, int] = defaultdict(int)
        self.differences: set[tuple[str, str, str]] = set()

    def look(self, now: int) -> dict[str, int]:
        """Judge the stretches that are due at `now` (ns); returns the bytes deleted, by table."""
        self._read(final=False)
        for leg in list(self._legs.values()):
            ended = leg.ended
            if ended is not None and now - ended > LOOK_AHEAD_NS:
                self._end(leg)
            elif leg.sends["t_sent"]:
                leg.note_begin()
                waited_ns = now - LOOK_AHEAD_NS - leg.begin
                if waited_ns >= max(leg.patience_ns, self._stretch_ns) or leg.is_full:
                    self._judge(leg, now - LOOK_AHEAD_NS)
        return self._make_room()

    def finish(self) -> None:
        """Judge all that is left, when the recorder has written everything."""
        self._read(final=True)
        for leg in list(self._legs.values()):
            self._end(leg)

    def _judge(self, leg: _Leg, limit: int) -> None:
        found = leg.judge.stretch(leg.rows(), limit)
        if found is None:
            if leg.is_full:
                raise ShadowError(
                    f"leg {leg.judge.leg} has had no quiet moment for {(limit - leg.begin) / 1e9:.0f} s and more than "
                    f"{MOST_LINES} lines of a side: something comes late all the time"
                )
            leg.patience_ns = 2 * (limit - leg.begin)
            return
        leg.patience_ns = 0
        diff, cut, behind = found
        self._store(leg, diff, cut.t, behind)
        leg.frames = {name: list(values) for name, values in behind.frames.items()}
        leg.sends = {name: list(values) for name, values in behind.sends.items()}
        leg.lines = behind.lines
        leg.line_rows = {role: rows[cut.lines[role] :] for role, rows in leg.line_rows.items()}

    def _end(self, leg: _Leg) -> None:
        leg.note_begin()
        rows = leg.rows()
        if leg.ended is None:
            tables = {"marks": rows.marks, "sends": rows.sends}
            if rows.sends["t_sent"]:
                cut_short(tables, rows.lines, leg.judge.leg)
        diff = leg.judge.rest(rows)
        self._store(leg, diff, max(rows.sends["t_sent"], default=leg.begin), None)
        self._done.add(leg.judge.leg)
        del self._legs[leg.judge.leg]

    def _store(self, leg: _Leg, diff: LegDiff, end: int, behind: Rows | None) -> None:
        frames, sends = leg.frames, leg.sends
        open_frames = set(behind.frames["row"]) if behind else set()
        open_sends = set(behind.sends["row"]) if behind else set()
        names = dict(zip(frames["frame_no"], zip(frames["kind"], frames["connection"], frames["channel"],
                                                 frames["symbol"], strict=True), strict=True))  # fmt: skip
        sent = [
            (role, no, t)
            for role, no, t, row in zip(sends["subject"], sends["frame_no"], sends["t_sent"], sends["row"], strict=True)
            if row not in open_sends and no in names and names[no][0] == "ws" and names[no][2] in TYPES
        ]
        reduced = Reduced(
            leg=diff.leg,
            roles=diff.roles,
            begin=leg.begin,
            end=end,
            connections=diff.connections,
            symbols=diff.symbols,
            differences=diff.differences,
            samples=diff.samples,
            totals=diff.totals,
            conserved=diff.conserved,
            arrivals=arrivals_of(diff),
            frames_sent=diff.frames_sent,
            frames_accounted=diff.frames_accounted,
            requests=diff.requests if behind is None else [],
            frames=sum(row not in open_frames for row in frames["row"]),
            sent=counted([(role, *names[no][1:]) for role, no, _ in sent]),
            matched=counted([cell for role in diff.roles for cell in _matched(diff, role)]),
            messages={role: _by_second(sent, role, leg.paired_from) for role in diff.roles},
            errors=leg.errors,
        )
        leg.number += 1
        kept = {role: thinned(side, self._keep_one_in) for role, side in diff.matches.items()}
        write_stretch(self._run, leg.number, reduced, kept)
        self.differences |= {(one.code, one.side, one.severity) for one in diff.differences}
        leg.errors, leg.begin = [], end

    def _read(self, *, final: bool) -> None:
        for table, tail in self._tails.items():
            for first, batch in tail.rest() if final else tail.new_rows():
                self._take(table, first, batch)

    def _take(self, table: str, first: int, batch: Any) -> None:
        columns = batch.to_pydict()
        columns["row"] = list(range(first, first + batch.num_rows))
        self._next_row[table] = first + batch.num_rows
        for name in dict.fromkeys(columns["leg"]):
            leg = self._leg(name)
            if leg is None:
                continue
            places = [i for i, of in enumerate(columns["leg"]) if of == name]
            _, _, role = table.partition("/")
            if role:
                self._take_lines(leg, role, columns, places)
                continue
            target = leg.frames if table == "frames" else leg.sends if table == "sends" else leg.small[table]
            for column, values in target.items():
                values.extend(columns[column][i] for i in places)

    def _take_lines(self, leg: _Leg, role: str, columns: dict[str, list[Any]], places: list[int]) -> None:
        if role not in leg.lines:
            return
        leg.lines[role].extend((columns["t_read"][i], columns["body"][i]) for i in places)
        leg.line_rows[role].extend(columns["row"][i] for i in places)
        leg.errors.extend((role, columns["c"][i], columns["t_read"][i]) for i in places if columns["k"][i] == "error")

    def _leg(self, name: str) -> _Leg | None:
        if name in self._done or name not in self._roles:
            return None
        return self._legs.setdefault(name, _Leg(name, self._session, self._roles[name]))

    def _make_room(self) -> dict[str, int]:
        """Delete judged segments, the oldest first, until those that are left take no more than they may."""
        firsts = {table: self._first_open(table) for table in self._tails if table not in SMALL}
        judged = sum(self._tails[table].bytes_before(row) for table, row in firsts.items())
        freed: dict[str, int] = defaultdict(int)
        while judged > self._keep_bytes:
            sizes = {table: self._tails[table].delete_before(row) for table, row in firsts.items()}
            if not any(sizes.values()):
                break
            for table, size in sizes.items():
                freed[table] += size
                judged -= size
        return dict(freed)

    def _first_open(self, table: str) -> int:
        """The first row of a table that is not judged yet."""
        _, _, role = table.partition("/")
        rows: list[int] = []
        for leg in self._legs.values():
            found = leg.line_rows.get(role, []) if role else (leg.frames if table == "frames" else leg.sends)["row"]
            rows += found[:1] if role else [min(found)] if found else []
        return min(rows, default=self._next_row[table])


def _matched(diff: LegDiff, role: str) -> list[tuple[str, str, str, str]]:
    side = diff.matches[role]
    places = zip(side.connection.tolist(), side.type.tolist(), side.symbol.tolist(), strict=True)
    return [(role, diff.connections[c], TYPES[t], diff.symbols[s]) for c, t, s in places]


def _by_second(sent: Sequence[tuple[str, int, int]], role: str, origin: int) -> list[tuple[int, int]]:
    """How many frames one side was sent in each second, counted from `origin` (ns), by the second's begin.

    `sent` are (role, frame, ns).
    """
    mine = np.array([(no, t) for of, no, t in sent if of == role], np.int64).reshape(-1, 2)
    times = first_sends(mine[:, 0], mine[:, 1])
    seconds, counts = np.unique((times - origin) // SECOND_NS, return_counts=True)
    return [(origin + s * SECOND_NS, n) for s, n in zip(seconds.tolist(), counts.tolist(), strict=True)]
