"""A session that was reduced in stretches while it went on, as the verdict takes it: leg by leg, with all counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shadow.diff.known import apply_known
from shadow.diff.leg import move_known, started
from shadow.diff.merge import chosen
from shadow.stretches.store import Reduced, Stored, read_stretches
from shadow.verdict.union import as_one

if TYPE_CHECKING:
    from shadow.diff.codes import LegDiff
    from shadow.verdict.legs import KnownList

__all__ = ["Stretched", "read_stretched"]

Ints = npt.NDArray[np.int64]
Cell = tuple[str, str, str]
"""Connection, channel, symbol."""


@dataclass(frozen=True)
class Stretched:
    """The reduced stretches of a run by leg, in order; none of a run that was kept whole."""

    legs: Mapping[str, Sequence[Stored]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.legs)

    def diffs(self, session: Mapping[str, Any], known: KnownList) -> dict[str, LegDiff]:
        """Each leg's stretches as one diff; known differences are applied to the whole, as their counts are of it."""
        found = {}
        for leg, stretches in self.legs.items():
            diff = as_one([stored.diff() for stored in stretches])
            strict = session.get("grade") == "release" and diff.roles[1] == "new"
            diff.differences = apply_known(diff.differences, list(known), started(session), strict=strict)
            move_known(diff.totals, diff.differences)
            diff.samples = bounded(diff.samples)
            found[leg] = diff
        return found

    def messages(self) -> dict[tuple[str, str], tuple[Ints, Ints]]:
        """By leg and role the seconds (ns) in which messages were sent, and how many in each."""
        counts: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        for one in self._all():
            for role, seconds in one.messages.items():
                for t, n in seconds:
                    counts[one.leg, role][t] += n
        return {
            key: (np.array(sorted(found), np.int64), np.array([found[t] for t in sorted(found)], np.int64))
            for key, found in counts.items()
        }

    def error_lines(self) -> list[tuple[str, str, str, int]]:
        """As of `Collected`."""
        lines = [(one.leg, role, connection, t) for one in self._all() for role, connection, t in one.errors]
        return sorted(lines, key=lambda line: line[3])

    def sent(self, legs: Iterable[str], role: str) -> dict[Cell, int]:
        """Frames sent to one side."""
        return _cells((one.sent for one in self._all() if one.leg in legs), role)

    def matched(self, legs: Iterable[str], role: str) -> dict[Cell, int]:
        """Frames of which one side delivered all events."""
        return _cells((one.matched for one in self._all() if one.leg in legs), role)

    @property
    def frames(self) -> int:
        """Rows of the frames table, the deleted ones as well."""
        return sum(one.frames for one in self._all())

    def as_json(self) -> list[dict[str, Any]]:
        """For analysis.json: how many stretches each leg has, of how long, and their events by role."""
        return [
            {
                "leg": leg,
                "n": len(stretches),
                "seconds": round((stretches[-1].reduced.end - stretches[0].reduced.begin) / 1e9, 3),
                "events": {
                    role: sum(one.reduced.totals[role]["input"] for one in stretches)
                    for role in stretches[0].reduced.roles
                },
            }
            for leg, stretches in self.legs.items()
        ]

    def _all(self) -> Iterable[Reduced]:
        return (stored.reduced for stretches in self.legs.values() for stored in stretches)


def read_stretched(run: Path) -> Stretched:
    """The stretches of a run; RunError where one cannot be read."""
    return Stretched(read_stretches(run))


def _cells(parts: Iterable[Iterable[tuple[str, str, str, str, int]]], role: str) -> dict[Cell, int]:
    found: Counter[Cell] = Counter()
    for part in parts:
        for of, connection, channel, symbol, n in part:
            if of == role:
                found[connection, channel, symbol] += n
    return dict(found)


def bounded(samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many samples of a kind as one diff keeps: the first, the last, and some between them."""
    pools: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for sample in samples:
        pools.setdefault(tuple(sample[name] for name in ("code", "side", "type", "field")), []).append(sample)
    return [sample for pool in pools.values() for sample in chosen(pool)]
