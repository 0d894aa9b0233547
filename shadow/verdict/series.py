"""Matched frames of two sides as paired latencies, and bursts as paired service times."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from shadow.stats.blocks import block_of
from shadow.verdict.timeline import Burst, Phase

if TYPE_CHECKING:
    from shadow.diff.codes import Matches

__all__ = [
    "PRIVATE_TYPES",
    "PUBLIC_TYPES",
    "TYPES",
    "Pairs",
    "ServicePair",
    "join_pairs",
    "paired_latencies",
    "paired_services",
    "untimed_bursts",
]

PUBLIC_TYPES = ("book", "trade", "book_ticker", "ticker")
PRIVATE_TYPES = ("order", "fill", "balance", "position")
TYPES = PUBLIC_TYPES + PRIVATE_TYPES
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

WHOLE_BURST = 0.9
"""A burst of which a smaller share came back is no service time; what is missing is a difference."""
LAST_SHARE = 0.05
"""So many of a burst's frames may carry its last time: what their work could hide is half the margin."""


@dataclass(frozen=True)
class Pairs:
    """One row per frame delivered by both sides in a paired phase; wire-to-callback in ns, `block` its number or -1."""

    declared: int
    connection: Ints
    type: Ints
    symbol: Ints
    t_sent: Ints
    legacy: Ints
    new: Ints
    block: Ints
    overlapped: Bools
    legacy_first: Bools

    @classmethod
    def none(cls, declared: int) -> Pairs:
        """No rows, of so many declared blocks."""
        nothing, no = np.empty(0, np.int64), np.empty(0, np.bool_)
        return cls(declared, nothing, nothing, nothing, nothing, nothing, nothing, nothing, no, no)

    def __getitem__(self, kept: Bools) -> Pairs:
        """The rows that `kept` marks."""
        rows = np.flatnonzero(kept)
        return Pairs(
            self.declared,
            self.connection[rows],
            self.type[rows],
            self.symbol[rows],
            self.t_sent[rows],
            self.legacy[rows],
            self.new[rows],
            self.block[rows],
            self.overlapped[rows],
            self.legacy_first[rows],
        )


def paired_latencies(
    baseline: Matches, candidate: Matches, phase: Phase, block_ns: int, declared: int, bound: Sequence[int] = ()
) -> Pairs:
    """Pairs of one paired phase. Queued frames and bursts are left out; blocks that hold a time of `bound` (the
    harness could not keep up) are not judged. Overlapped: sent while the other side's copy was unanswered."""
    a, b = (_paced(side) for side in (baseline, candidate))
    _, at, bt = np.intersect1d(a.frame_no, b.frame_no, return_indices=True)
    sent_a, sent_b = a.t_sent[at].astype(np.int64), b.t_sent[bt].astype(np.int64)
    done_a, done_b = a.t_callback[at].astype(np.int64), b.t_callback[bt].astype(np.int64)
    block = block_of(sent_a, phase.begin, block_ns, declared)
    if len(bound):
        block[np.isin(block, block_of(np.array(bound, np.int64), phase.begin, block_ns, declared))] = -1
    kept = (sent_a >= phase.begin) & (sent_a < phase.end) & (done_a > sent_a) & (done_b > sent_b)
    overlapped = np.where(sent_a <= sent_b, sent_b < done_a, sent_a < done_b)
    connection, type_, symbol = (column[at].astype(np.int64) for column in (a.connection, a.type, a.symbol))
    legacy, new = done_a - sent_a, done_b - sent_b
    return Pairs(declared, connection, type_, symbol, sent_a, legacy, new, block, overlapped, sent_a <= sent_b)[kept]


@dataclass(frozen=True)
class _Paced:
    frame_no: Ints
    connection: npt.NDArray[np.int16]
    type: npt.NDArray[np.int8]
    symbol: npt.NDArray[np.int16]
    t_sent: Ints
    t_callback: Ints


def _paced(side: Matches) -> _Paced:
    kept = (np.asarray(side.burst) == -1) & ~np.asarray(side.queued)
    return _Paced(*(np.asarray(getattr(side, name))[kept] for name in _Paced.__dataclass_fields__))


def join_pairs(parts: Sequence[Pairs]) -> Pairs:
    """Pairs of several legs one after another; block numbers go on where the leg before ended."""
    offsets = np.cumsum([0, *(part.declared for part in parts)])
    block = [np.where(part.block >= 0, part.block + offset, -1) for part, offset in zip(parts, offsets, strict=False)]
    return Pairs(
        int(offsets[-1]),
        np.concatenate([part.connection for part in parts]),
        np.concatenate([part.type for part in parts]),
        np.concatenate([part.symbol for part in parts]),
        np.concatenate([part.t_sent for part in parts]),
        np.concatenate([part.legacy for part in parts]),
        np.concatenate([part.new for part in parts]),
        np.concatenate(block),
        np.concatenate([part.overlapped for part in parts]),
        np.concatenate([part.legacy_first for part in parts]),
    )


class BurstTimes(NamedTuple):
    """A side's matched frames of a burst: their number, first write, last callback (ns), how many have it."""

    frames: int
    sent: int
    done: int
    last: int


@dataclass(frozen=True)
class ServicePair:
    """The same burst to both sides, one right after the other: ns per frame of each."""

    legacy: float
    new: float
    t: int
    frames: int


def paired_services(
    bursts: Iterable[Burst], matches: Mapping[str, Matches], roles: tuple[str, str]
) -> dict[tuple[str, str], list[ServicePair]]:
    """Neighbouring bursts to different sides, by (connection, type), in order of time.

    Service time: (last callback - write of the burst) / frames (never minus the first callback: a stack with a queue
    reads the whole burst before it).
    """
    times = {role: _burst_times(matches[role]) for role in roles if role in matches}
    cells: dict[tuple[str, str], list[Burst]] = defaultdict(list)
    for burst in bursts:
        cells[burst.connection, burst.type].append(burst)
    out: dict[tuple[str, str], list[ServicePair]] = {}
    for cell, sequence in cells.items():
        sequence.sort(key=lambda burst: (burst.t, burst.number))
        waiting: Burst | None = None
        for burst in sequence:
            if waiting is None or waiting.role == burst.role:
                waiting = burst
                continue
            pair = _service_pair({waiting.role: waiting, burst.role: burst}, times, roles)
            if pair is not None:
                out.setdefault(cell, []).append(pair)
            waiting = None
    return out


def untimed_bursts(bursts: Iterable[Burst], matches: Mapping[str, Matches]) -> Counter[tuple[str, str]]:
    """How many bursts tell no service time, since several of their frames carry the last time; by (connection, type).

    Such a time is that of no frame's own callback: if it was taken before the frames were worked off, the work on them
    is in no figure.
    """
    times = {role: _burst_times(side) for role, side in matches.items()}
    found: Counter[tuple[str, str]] = Counter()
    for burst in bursts:
        timed = times.get(burst.role, {}).get(burst.number)
        if timed is not None and _is_untimed(timed):
            found[burst.connection, burst.type] += 1
    return found


def _is_untimed(burst: BurstTimes) -> bool:
    return burst.last > max(1.0, LAST_SHARE * burst.frames)


def _service_pair(
    bursts: Mapping[str, Burst], times: Mapping[str, Mapping[int, BurstTimes]], roles: tuple[str, str]
) -> ServicePair | None:
    per_frame = []
    for role in roles:
        if role not in bursts or bursts[role].number not in times.get(role, {}):
            return None
        timed = times[role][bursts[role].number]
        if timed.frames < WHOLE_BURST * bursts[role].frames or timed.done <= timed.sent or _is_untimed(timed):
            return None
        per_frame.append((timed.done - timed.sent) / bursts[role].frames)
    first = bursts[roles[0]]
    return ServicePair(per_frame[0], per_frame[1], first.t, first.frames)


def _burst_times(side: Matches) -> dict[int, BurstTimes]:
    """What each burst's matched frames say, by its number."""
    number = np.asarray(side.burst)
    kept = np.flatnonzero(number >= 0)
    order = kept[np.argsort(number[kept], kind="stable")]
    if not len(order):
        return {}
    found, start, count = np.unique(number[order], return_index=True, return_counts=True)
    sent = np.minimum.reduceat(np.asarray(side.t_sent)[order], start)
    t_callback = np.asarray(side.t_callback)[order]
    done = np.maximum.reduceat(t_callback, start)
    last = np.add.reduceat(t_callback == np.repeat(done, count), start, dtype=np.int64)
    columns = (part.tolist() for part in (count, sent, done, last))
    return dict(zip(found.tolist(), map(BurstTimes, *columns), strict=True))
