"""Several legs that compare the same two sides, read as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from shadow.diff.codes import Difference, FirstArrival, LegDiff, Matches
from shadow.diff.matches import joined

__all__ = ["as_one"]


def as_one(diffs: Sequence[LegDiff]) -> LegDiff:
    """The legs' diffs as one of the first leg's name: rows one after another, counts added."""
    first = diffs[0]
    if len(diffs) == 1:
        return first
    connections = sorted({name for diff in diffs for name in diff.connections})
    symbols = sorted({name for diff in diffs for name in diff.symbols})
    return LegDiff(
        leg=first.leg,
        roles=first.roles,
        matches={role: _matches(diffs, role, connections, symbols) for role in first.roles},
        connections=connections,
        symbols=symbols,
        differences=_differences(diffs),
        samples=[sample for diff in diffs for sample in diff.samples],
        totals={role: _added(diff.totals.get(role, {}) for diff in diffs) for role in first.roles},
        conserved=all(diff.conserved for diff in diffs),
        first_arrival=_arrivals(diffs),
        frames_sent=sum(diff.frames_sent for diff in diffs),
        frames_accounted=sum(diff.frames_accounted for diff in diffs),
        requests=[row for diff in diffs for row in diff.requests],
        ends=diffs[-1].ends,
    )


def _matches(diffs: Sequence[LegDiff], role: str, connections: list[str], symbols: list[str]) -> Matches:
    parts = [(diff.matches[role], diff.connections, diff.symbols) for diff in diffs if role in diff.matches]
    return joined(parts, connections, symbols)


def _differences(diffs: Sequence[LegDiff]) -> list[Difference]:
    found: dict[tuple[Any, ...], Difference] = {}
    for d in (d for diff in diffs for d in diff.differences):
        key = (d.code, d.side, d.severity, d.connection, d.type, d.symbol, d.field, d.known)
        counted = found[key].count if key in found else 0
        found[key] = msgspec.structs.replace(d, count=counted + d.count)
    return list(found.values())


def _added(totals: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts added name by name, nested ones as well."""
    out: dict[str, Any] = {}
    for name, value in (item for part in totals for item in part.items()):
        if isinstance(value, Mapping):
            out[name] = _added([out.get(name, {}), value])
        else:
            out[name] = out.get(name, 0) + value
    return out


def _arrivals(diffs: Sequence[LegDiff]) -> list[FirstArrival]:
    by_connection: dict[str, list[FirstArrival]] = {}
    for one in (one for diff in diffs for one in diff.first_arrival):
        by_connection.setdefault(one.connection, []).append(one)
    return [
        FirstArrival(
            connection,
            sum(part.n for part in parts),
            sum(part.candidate_first for part in parts),
            sum(part.baseline_first for part in parts),
            np.concatenate([part.lead_ns for part in parts]),
        )
        for connection, parts in sorted(by_connection.items())
    ]
