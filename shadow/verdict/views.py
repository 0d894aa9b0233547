"""Beside the verdict, for section j of the report: latency against load, single symbols, an older top of the book.

All of it is of the comparison and shown only: nothing here decides a session.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from shadow.stats.blocks import balanced_median_blocks
from shadow.verdict.capacity import STEP
from shadow.verdict.evidence import six_digits
from shadow.verdict.series import TYPES, Pairs
from shadow.verdict.service import middle_half, pooled_pairs

if TYPE_CHECKING:
    from shadow.diff.codes import LegDiff
    from shadow.verdict.collect import Collected

__all__ = ["build_views", "stretch_ns"]

Ints = npt.NDArray[np.int64]
WINDOW_NS: Final = 20_000_000
"""Load is what was written to one side in so long a stretch; the profile's bursts are as long."""
CLASSES: Final = np.unique([part * 2**power for power in range(20) for part in (2, 3)] + [1])
"""Where classes of load begin, in frames within the window: 1, 2, 3, 4, 6, 8, 12 and so on."""
LEAST_PAIRS: Final = 30
SERIOUS: Final = ("critical", "major")
Rows = list[dict[str, Any]]


def build_views(collected: Collected) -> dict[str, Rows]:
    """`by_load`, `symbols` and `top_of_book` of analysis.json; empty where the run has no such figures."""
    main = collected.main
    if main is None:
        return {"by_load": [], "symbols": [], "top_of_book": []}
    pairs = collected.joined(collected.main_legs)
    if pairs is None:
        return {"by_load": _by_step(collected, main), "symbols": [], "top_of_book": []}
    judged = pairs[pairs.block >= 0]
    if collected.plan.keep_one_in > 1:  # what stands beside a frame, and before it, is not all there
        return {"by_load": [], "symbols": _symbols(collected, main, judged), "top_of_book": []}
    return {
        "by_load": _by_load(main, judged),
        "symbols": _symbols(collected, main, judged),
        "top_of_book": _top_of_book(main, judged, len(np.unique(judged.block)) * collected.plan.block_s),
    }


def _by_load(main: LegDiff, pairs: Pairs) -> Rows:
    """Latencies by what the side had been written in the 20 ms before: of all connections, then of each."""
    sent = np.sort(np.asarray(main.matches[main.roles[0]].t_sent, np.int64))
    window = np.searchsorted(sent, pairs.t_sent, side="right") - np.searchsorted(sent, pairs.t_sent - WINDOW_NS)
    load = np.searchsorted(CLASSES, window, side="right") - 1
    numbers = np.unique(pairs.connection).tolist()
    parts = [("", pairs.connection >= 0)] if len(numbers) > 1 else []
    parts += [(main.connections[number], pairs.connection == number) for number in numbers]
    rows = []
    for connection, here in parts:
        for place in np.unique(load).tolist():
            mine = pairs[here & (load == place)]
            if len(mine.legacy) >= LEAST_PAIRS:
                low, high = (float(edge) * 1e9 / WINDOW_NS for edge in CLASSES[place : place + 2])
                rows.append({"connection": connection, "low": low, "high": high, **_latencies(mine)})
    return rows


def _by_step(collected: Collected, main: LegDiff) -> Rows:
    """Latencies of both sides in each step of a capacity run, of all connections; no ratio, nothing is paired."""
    rows = []
    for phase in collected.timeline.phases:
        named = STEP.fullmatch(phase.phase)
        if phase.leg != "main" or named is None:
            continue
        sides = []
        for role in main.roles:
            sent, called = ((np.empty(0, np.int64),) * 2) if role not in main.matches else _times(main, role)
            inside = (sent >= phase.begin) & (sent <= phase.end)
            sides.append((called - sent)[inside])
        step = {"connection": "", "low": int(named[1]), "high": int(named[1]), "n": min(map(len, sides))}
        rows.append(step | {"legacy_ns": _two(sides[0]), "new_ns": _two(sides[1]), "ratio": None})
    return rows


def _times(main: LegDiff, role: str) -> tuple[Ints, Ints]:
    side = main.matches[role]
    return np.asarray(side.t_sent, np.int64), np.asarray(side.t_callback, np.int64)


def _latencies(pairs: Pairs) -> dict[str, Any]:
    """Number of pairs, [median, p90] of both sides in ns and the typical new / legacy."""
    return {
        "n": len(pairs.legacy),
        "legacy_ns": _two(pairs.legacy),
        "new_ns": _two(pairs.new),
        "ratio": _typical(pairs),
    }


def _two(values: Ints) -> list[float | None]:
    return [six_digits(float(v)) for v in np.percentile(values, (50, 90))] if len(values) else []


def _typical(pairs: Pairs) -> float | None:
    """Median of new / legacy, balanced over who got the frame first; None below LEAST_PAIRS pairs."""
    one_block = np.zeros(len(pairs.legacy), np.int64)
    blocks = balanced_median_blocks(one_block, np.log(pairs.new / pairs.legacy), pairs.legacy_first, 1, LEAST_PAIRS)
    return six_digits(float(np.exp(blocks.y[0]))) if len(blocks.y) else None


def _places(main: LegDiff, pairs: Pairs) -> Iterator[tuple[str, str, Pairs]]:
    """(connection, symbol, their pairs), in order of both names."""
    for number in np.unique(pairs.connection).tolist():
        mine = pairs[pairs.connection == number]
        for symbol in np.unique(mine.symbol).tolist():
            yield main.connections[number], main.symbols[symbol], mine[mine.symbol == symbol]


def _symbols(collected: Collected, main: LegDiff, pairs: Pairs) -> Rows:
    """Each symbol of each connection: latencies, service time, and the serious differences of either side."""
    counts = _serious(main)
    return [
        {
            "connection": connection,
            "symbol": symbol,
            **_latencies(mine),
            "service": _service(collected, connection),
            "differences": {
                role: counts["both", connection, symbol] + counts[side, connection, symbol]
                for role, side in zip(("legacy", "new"), main.roles, strict=True)
            },
        }
        for connection, symbol, mine in _places(main, pairs)
    ]


def _serious(main: LegDiff) -> Counter[tuple[str, str, str]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in main.differences:
        if one.severity in SERIOUS and one.known is None:
            counts[one.side, one.connection, one.symbol] += one.count
    return counts


def _service(collected: Collected, connection: str) -> float | None:
    """New / legacy of a connection's mixed bursts where they hold one symbol; else no burst tells symbols apart."""
    if len(collected.plan.symbols) != 1:
        return None
    sides = [pooled_pairs(collected.cells.get(leg, {}), connection) for leg in collected.main_legs]
    legacy, new = (np.concatenate(side) for side in zip(*sides, strict=True))
    estimate = middle_half(legacy, new) if len(legacy) else None
    return six_digits(float(np.exp(estimate.mean))) if estimate else None


def _top_of_book(main: LegDiff, pairs: Pairs, seconds: float) -> Rows:
    """For how long, in ms per hour, one side's best bid and ask were older, had both got each frame at once."""
    tickers = pairs[pairs.type == TYPES.index("book_ticker")]
    if seconds <= 0:
        return []
    per_hour = 3600 / seconds / 1e6
    rows = []
    for connection, symbol, mine in _places(main, tickers):
        legacy, new = mine.t_sent + mine.legacy, mine.t_sent + mine.new
        stretches = {"new_behind": (legacy, new), "legacy_behind": (new, legacy)}
        stretches["apart"] = (np.minimum(legacy, new), np.maximum(legacy, new))
        figures = {f"{name}_ms_h": six_digits(stretch_ns(*ends) * per_hour) for name, ends in stretches.items()}
        rows.append({"connection": connection, "symbol": symbol, "n": len(mine.new), **figures})
    return rows


def stretch_ns(begin: Ints, end: Ints) -> int:
    """Length of the union of stretches [begin, end); those that end before they begin are none."""
    real = end > begin
    order = np.argsort(begin[real], kind="stable")
    begin, end = begin[real][order], end[real][order]
    if not len(begin):
        return 0
    covered = np.concatenate((begin[:1], np.maximum.accumulate(end)[:-1]))
    return int(np.maximum(end - np.maximum(begin, covered), 0).sum())
