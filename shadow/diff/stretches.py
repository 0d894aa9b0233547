"""A leg judged in stretches, one after another as its rows come, with the counts of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from shadow.diff.codes import LegDiff
from shadow.diff.cut import Cut, find_cut
from shadow.diff.frames import columns_of
from shadow.diff.leg import diff_streams
from shadow.diff.part import Part

__all__ = ["LegJudge", "Rows"]

Table = Mapping[str, Sequence[Any]]


class Rows(msgspec.Struct):
    """Of a leg what is not judged yet (frames, sends, each side's lines), and its small tables from the begin."""

    frames: Table
    sends: Table
    connections: Table
    marks: Table
    requests: Table
    lines: dict[str, list[tuple[int, bytes]]]


class LegJudge:
    """Judges the next stretch of a leg each time; keeps what crosses the cut."""

    def __init__(self, leg: str, session: Mapping[str, Any]) -> None:
        self.leg = leg
        self._session = session
        self._part = Part(is_whole=False, is_last=False)

    def stretch(self, rows: Rows, limit: int) -> tuple[LegDiff, Cut, Rows] | None:
        """Judge up to the last cut before `limit` (ns); the diff, the cut, and the rows behind it. None without one."""
        part = msgspec.structs.replace(self._part, upto=limit)
        self._diff(rows, part)
        cut = find_cut(part.judged, limit)
        if cut is None:
            part.release()
            return None
        before, behind = divided(rows, cut)
        self._part.upto = cut.t
        self._part.look_ahead(part)
        part.release()
        diff = self._diff(before, self._part)
        self._part.release()
        self._part = self._part.next()
        self._part.frames = {no: part.frames[no] for no in behind.frames.get("frame_no", ()) if no in part.frames}
        return diff, cut, behind

    def rest(self, rows: Rows) -> LegDiff:
        """Judge what is left of a leg that has ended."""
        self._part.is_last = True
        diff = self._diff(rows, self._part)
        self._part.release()
        return diff

    def _diff(self, rows: Rows, part: Part) -> LegDiff:
        return diff_streams(
            rows.frames, rows.sends, rows.connections, rows.marks, rows.requests, rows.lines, self._session,
            leg=self.leg, part=part,
        )  # fmt: skip


def divided(rows: Rows, cut: Cut) -> tuple[Rows, Rows]:
    """The rows before a cut and those behind it; a REST book belongs to the frames between which it was sent."""
    frames, sends = columns_of(rows.frames), columns_of(rows.sends)
    is_before = np.array(sends.get("t_sent", ()), np.int64) <= cut.t
    numbers = np.array(sends.get("frame_no", ()), np.int64)
    newest = int(numbers[is_before].max(initial=-1))
    frame_no = np.array(frames.get("frame_no", ()), np.int64)
    is_open = np.isin(frame_no, numbers[~is_before])
    is_judged = np.isin(frame_no, numbers[is_before]) | ((frame_no <= newest) & ~is_open)
    is_kept = (frame_no > newest) | is_open
    before, behind = (
        msgspec.structs.replace(
            rows,
            frames=_rows(frames, these_frames),
            sends=_rows(sends, these_sends),
            lines={role: lines[: cut.lines[role]] if is_first else lines[cut.lines[role] :]
                   for role, lines in rows.lines.items()},
        )
        for is_first, these_frames, these_sends in ((True, is_judged, is_before), (False, is_kept, ~is_before))
    )  # fmt: skip
    return before, behind


def _rows(table: Table, kept: Any) -> Table:
    places = np.flatnonzero(kept).tolist()
    return {name: [column[i] for i in places] for name, column in table.items()}
