"""Where a leg may be cut in two: nothing is under way to either side there, and what is missing has been decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from shadow.diff.side import SideJudgement

__all__ = ["CALM_NS", "Cut", "find_cut"]

Ints = npt.NDArray[np.int64]
CALM_NS: Final = 5_000_000_000
"""A cut so far behind whatever was not delivered is best: a whole book may yet stand for it."""
GIVE_UP_NS: Final = 60_000_000_000
"""A connection that is silent for so long is waited for no more."""


class Cut(msgspec.Struct, frozen=True):
    """Up to `t` (ns) frames were sent, and `lines` of each side were written, before the cut."""

    t: int
    lines: dict[str, int]


class _Side(msgspec.Struct):
    """Delivered frames in order of sending: when, and behind how many lines it is quiet (-1 where it is not)."""

    sent: Ints
    quiet: Ints


def find_cut(sides: Mapping[str, SideJudgement], limit: int) -> Cut | None:
    """The latest cut up to `limit` (ns), one behind a calm before others; None where there is none."""
    quiet = {role: _quiet(side) for role, side in sides.items()}
    open_from = min(_open_from(side, limit) for side in sides.values())
    times = np.unique(np.concatenate([side.sent for side in quiet.values()]))
    times = times[(times <= limit) & (times < open_from)]
    if not len(times):
        return None
    fits = _between_frames(list(sides.values()), times)
    for side in quiet.values():
        fits &= _at(side, times) >= 0
    missing = np.sort(np.concatenate([_not_delivered(side) for side in sides.values()]))
    calm = np.searchsorted(missing, times, "right") == np.searchsorted(missing, times - CALM_NS, "right")
    for wanted in (fits & calm & (times > limit - GIVE_UP_NS), fits):
        if wanted.any():
            t = times[np.flatnonzero(wanted)[-1]]
            return Cut(int(t), {role: int(_at(side, t)) for role, side in quiet.items()})
    return None


def _quiet(side: SideJudgement) -> _Side:
    """A moment is quiet when every line of what was sent before stands before every line of what was sent behind.

    Lines between the two that are none of a frame, a rebuilt book say, lie behind: its REST book may do so, too.
    """
    pairs = [(item.t_sent, item.delivered.n) for owed in side.streams.values() for item in owed if item.delivered]
    found = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    if not len(found):
        return _Side(np.empty(0, np.int64), np.empty(0, np.int64))
    sent, place = found.T
    before = np.maximum.accumulate(place)
    behind = np.append(np.minimum.accumulate(place[::-1])[::-1][1:], before[-1] + 1)
    is_quiet = (before < behind) & np.append(sent[:-1] < sent[1:], True)
    return _Side(sent, np.where(is_quiet, before + 1, -1))


def _at(side: _Side, times: Ints) -> Ints:
    """Behind how many lines a side is quiet at each of the times, or -1."""
    place = np.searchsorted(side.sent, times, "right") - 1
    lines = side.quiet[place] if len(side.quiet) else np.zeros(np.shape(times), np.int64)
    return np.where(place < 0, 0, lines)


def _between_frames(sides: Sequence[SideJudgement], times: Ints) -> npt.NDArray[np.bool_]:
    """Whether each time lies between two frames: no frame went to one side before it, to the other behind it."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for side in sides:
        for send in side.sends:
            no, t = send.frame.frame_no, send.t_sent
            first[no] = min(first.get(no, t), t)
            last[no] = max(last.get(no, t), t)
    begun = np.searchsorted(np.sort(np.fromiter(first.values(), np.int64)), times, "right")
    over = np.searchsorted(np.sort(np.fromiter(last.values(), np.int64)), times, "right")
    return np.asarray(begun == over)


def _open_from(side: SideJudgement, limit: int) -> int:
    """The first of the frames on a connection behind which nothing has come yet; what is silent for long is over."""
    newest: dict[str, int] = {}
    for (connection, _, _), owed in side.streams.items():
        for item in owed:
            if item.delivered is not None:
                newest[connection] = max(newest.get(connection, 0), item.t_sent)
    waiting = [
        item.t_sent
        for (connection, _, _), owed in side.streams.items()
        for item in owed
        if item.code != "EDGE" and item.t_sent > max(newest.get(connection, 0), limit - GIVE_UP_NS)
    ]
    return min(waiting, default=np.iinfo(np.int64).max)


def _not_delivered(side: SideJudgement) -> Ints:
    times = [
        item.t_sent for owed in side.streams.values() for item in owed if item.delivered is None and item.code != "EDGE"
    ]
    return np.array(times, np.int64)
