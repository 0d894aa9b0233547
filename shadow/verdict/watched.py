"""What the sequential tests of a session take in: blocks, tails and incidents of the comparison, in order of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shadow.stats.tails import tail_threshold
from shadow.verdict.latency import QUANTILES, series_id, typical_blocks
from shadow.verdict.sequential import Incidents, Series, Tail, Watched
from shadow.verdict.series import TYPES, Pairs
from shadow.verdict.service import MIXED
from shadow.verdict.uptime import by_venue

if TYPE_CHECKING:
    from shadow.verdict.collect import Collected

__all__ = ["watched_of"]

Ints = npt.NDArray[np.int64]
TAILS = ("p90", "p99")
APART_NS = 1_000_000_000
"""Errors of one connection that are nearer are one incident, and one this soon after a close or refusal by the venue
is its."""
Incident = tuple[int, str]
"""Time (ns) and role."""


def watched_of(collected: Collected) -> list[Watched]:
    """All of a calibrated session: typical latency, service, CPU, tails and counts."""
    return [*_latencies(collected), *_services(collected), *_cpu(collected), *_counts(collected)]


def _latencies(collected: Collected) -> Iterator[Watched]:
    main, main_pairs = collected.main, collected.joined(collected.main_legs)
    aa_pairs, aa_names = collected.joined(collected.plan.aa_legs), _names(collected, collected.plan.aa_legs)
    if main is None or main_pairs is None:
        return
    at = _block_ends(collected)
    for connection in collected.plan.connections:
        mine = _of(main_pairs, _names(collected, collected.main_legs), connection)
        against = _of(aa_pairs, aa_names, connection) if aa_pairs is not None else None
        for name in (None, *collected.plan.types(connection)):
            kept = mine if name is None else mine[mine.type == TYPES.index(name)]
            base, weight = series_id("latency", connection, name), "pooled" if name is None else "undeclared"
            blocks = typical_blocks(kept, collected.limits.session.pairs_per_block)
            yield Series(f"{base}.typical", weight, at[blocks.index], blocks.y)
            floor = against if against is None or name is None else against[against.type == TYPES.index(name)]
            for quantile in TAILS:
                if floor is not None and _is_seen(floor, quantile, collected.limits.session.tail_events):
                    threshold = tail_threshold(floor.legacy, QUANTILES[quantile])
                    yield Tail(
                        f"{base}.{quantile}", "undeclared", at, kept.block, kept.legacy, kept.new, threshold
                    )  # fmt: skip


def _names(collected: Collected, legs: Sequence[str]) -> list[str]:
    """The connections whose numbers the pairs of these legs hold."""
    return next((collected.diffs[leg].connections for leg in legs if leg in collected.diffs), [])


def _of(pairs: Pairs, names: list[str], connection: str) -> Pairs:
    return pairs[pairs.connection == (names.index(connection) if connection in names else -1)]


def _is_seen(pairs: Pairs, quantile: str, least: int) -> bool:
    return len(pairs.legacy) * (1 - QUANTILES[quantile]) >= least


def _block_ends(collected: Collected) -> Ints:
    """When each declared block of the comparison was over, in the order in which `joined` numbers them."""
    length = int(collected.plan.block_s * 1e9)
    parts = [np.empty(0, np.int64)]
    for leg in collected.main_legs:
        phase = collected.timeline.phase(leg, "paired")
        if phase is not None and leg in collected.pairs:
            parts.append(phase.begin + np.arange(1, collected.pairs[leg].declared + 1, dtype=np.int64) * length)
    return np.concatenate(parts)


def _services(collected: Collected) -> Iterator[Watched]:
    """One block for each four bursts L N N L: the mean of its two pairs."""
    for connection in collected.plan.connections:
        pairs = [
            pair for leg in collected.main_legs for pair in collected.cells.get(leg, {}).get((connection, MIXED), ())
        ]
        fours = list(zip(pairs[::2], pairs[1::2], strict=False))
        y = np.array([np.mean([np.log(pair.new / pair.legacy) for pair in four]) for four in fours])
        at = np.array([max(pair.t for pair in four) for four in fours], np.int64)
        yield Series(series_id("service", connection, None), "pooled", at, y)


def _cpu(collected: Collected) -> Iterator[Watched]:
    """Blocks of one second within a leg; at grade release a leg is one value, and those are too few to speak."""
    if collected.plan.release:
        return
    found = [
        (end, float(np.log(b / a)))
        for leg in collected.main_legs
        for end, a, b in collected.cpu_in(leg)
        if np.isfinite(a) and np.isfinite(b) and a > 0 and b > 0
    ]
    yield Series(
        "cpu.per_message", "pooled", np.array([t for t, _ in found], np.int64), np.array([y for _, y in found])
    )


def _counts(collected: Collected) -> Iterator[Watched]:
    """Per connection: closes of a side's own, errors that it tells, and kinds of minor differences in a leg."""
    errors = _errors(collected)
    for connection in collected.plan.connections:
        closes = {leg: _closes(collected, leg, connection) for leg in collected.diffs}
        told = {leg: errors.get((leg, connection), []) for leg in collected.diffs}
        kinds = {leg: _differences(collected, leg, connection) for leg in collected.diffs}
        for name, found in (("reconnects", closes), ("errors", told), ("differences", kinds)):
            yield _incidents(collected, f"{name}.{connection}", found)


def _incidents(collected: Collected, name: str, found: dict[str, list[Incident]]) -> Incidents:
    """The comparison's incidents, with what legacy against itself had beyond them as a floor."""
    main = sorted(chain.from_iterable(found.get(leg, ()) for leg in collected.main_legs))
    aa_legs = [leg for leg in collected.plan.aa_legs if leg in found]
    aa = [role for leg in aa_legs for _, role in found[leg]]
    aa_s, main_s = (_measured_s(collected, legs) for legs in (aa_legs, collected.main_legs))
    worst = max(aa.count("legacy"), aa.count("legacy2"))
    own = sum(role == "legacy" for _, role in main)
    floor = max(0, int(np.ceil(worst * main_s / aa_s)) - own) if aa_s > 0 else 0
    at, is_new = np.array([t for t, _ in main], np.int64), np.array([role == "new" for _, role in main], np.bool_)
    return Incidents(name, "undeclared", at, is_new, floor)


def _measured_s(collected: Collected, legs: Iterable[str]) -> float:
    wanted = set(legs)
    return sum((p.end - p.begin) / 1e9 for p in collected.timeline.phases if p.leg in wanted and p.phase != "warm-up")


def _end(collected: Collected, leg: str) -> int:
    return max((phase.end for phase in collected.timeline.phases if phase.leg == leg), default=0)


def _closes(collected: Collected, leg: str, connection: str) -> list[Incident]:
    found = {role: collected.downtime(leg, role, connection) for role in collected.plan.roles(leg)}
    return [(t, role) for role, down in found.items() if down is not None for t in down.own_closes]


def _errors(collected: Collected) -> dict[tuple[str, str], list[Incident]]:
    """(leg, connection) to the incidents of error lines, but for those that follow a close or refusal by the venue."""
    free: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for row in collected.connections:
        if row["event"] == "refused" or (row["event"] == "close" and by_venue(row["cause"])):
            free[row["leg"], row["subject"], row["connection"]].append(row["t"])
    out: dict[tuple[str, str], list[Incident]] = defaultdict(list)
    last: dict[tuple[str, str, str], int] = {}
    for leg, role, connection, t in collected.error_lines():
        place = (leg, role, connection)
        if any(0 <= t - begin < APART_NS for begin in free[place]) or t - last.get(place, -APART_NS) < APART_NS:
            continue
        last[place] = t
        out[leg, connection].append((t, role))
    return out


def _differences(collected: Collected, leg: str, connection: str) -> list[Incident]:
    """Each kind of minor difference once a leg, at its end: a kind, not an event, is the incident."""
    diff, end = collected.diffs[leg], _end(collected, leg)
    kinds: set[tuple[Any, ...]] = {
        (d.side, d.code, d.type, d.field)
        for d in diff.differences
        if d.severity == "minor" and d.connection == connection and d.known is None and d.side in diff.roles
    }
    return [(end, side) for side, *_ in sorted(kinds)]
