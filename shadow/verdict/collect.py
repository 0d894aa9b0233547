"""Reads a run's tables into what the metrics are computed from, leg by leg."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shadow.stats.burn_rate import first_warning
from shadow.stats.intervals import Estimate
from shadow.verdict.capacity import capacity_metric, steps_of
from shadow.verdict.checklist import Checklist
from shadow.verdict.dual import dual_metrics
from shadow.verdict.evidence import Census, Measured, Range
from shadow.verdict.growth import MEMORY_SLOPE, slope_metric
from shadow.verdict.latency import latency_metrics
from shadow.verdict.plan_view import PlanView
from shadow.verdict.resources import (
    CPU_BLOCK_NS,
    Messages,
    Samples,
    cpu_blocks,
    cpu_metric,
    memory_by_leg,
    memory_of_leg,
    messages_until,
)
from shadow.verdict.samples import read_messages, read_samples
from shadow.verdict.series import Pairs, ServicePair, join_pairs, paired_latencies, paired_services, untimed_bursts
from shadow.verdict.service import service_metrics, throughput_metric, visible_burn
from shadow.verdict.stretched import Stretched
from shadow.verdict.targets import Stamped, stamped_times
from shadow.verdict.timeline import Phase, Timeline
from shadow.verdict.union import as_one
from shadow.verdict.uptime import Downtime, Recovery, connect_metrics, downtime, recoveries, uptime_metric

if TYPE_CHECKING:
    from shadow.capture.reader import RunData
    from shadow.diff.codes import LegDiff

__all__ = ["Collected"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass
class Collected:
    """All figures of a run, each worked out when first asked for.

    `diffs` by leg; `plan` what was declared; `timeline` what the marks say; `stretched` what stands for the raw
    data of a session that was reduced while it went on.
    """

    run: RunData
    plan: PlanView
    timeline: Timeline
    diffs: Mapping[str, LegDiff]
    limits: Checklist
    stretched: Stretched = field(default_factory=Stretched)

    @cached_property
    def connections(self) -> list[dict[str, Any]]:
        """Rows of the table of that name."""
        rows: list[dict[str, Any]] = self.run.table("connections").to_pylist()
        return rows

    @cached_property
    def samples(self) -> dict[tuple[str, str], Samples]:
        """Resource samples by (leg, role)."""
        return read_samples(self.run)

    @cached_property
    def messages(self) -> dict[tuple[str, str], Messages]:
        """Times (ns) at which data frames were sent by (leg, role), and how many each."""
        return self.stretched.messages() if self.stretched else read_messages(self.run)

    @cached_property
    def pairs(self) -> dict[str, Pairs]:
        """Paired latencies by leg."""
        block_ns, bound = int(self.plan.block_s * 1e9), self.timeline.bound
        found = {}
        for leg, diff in self.diffs.items():
            phase = self.timeline.phase(leg, "paired")
            if phase is not None and all(role in diff.matches for role in diff.roles):
                baseline, candidate = (diff.matches[role] for role in diff.roles)
                found[leg] = paired_latencies(baseline, candidate, phase, block_ns, self.plan.blocks(leg), bound)
        return found

    @cached_property
    def cells(self) -> dict[str, dict[tuple[str, str], list[ServicePair]]]:
        """Paired bursts of each leg by (connection, type)."""
        bursts = self.timeline.bursts
        return {leg: paired_services(bursts.get(leg, ()), diff.matches, diff.roles) for leg, diff in self.diffs.items()}

    @cached_property
    def recovered(self) -> dict[str, dict[str, list[Recovery | None]]]:
        """Connection to role to what followed the forced closes of the comparison."""
        return self._recoveries()

    @property
    def main_legs(self) -> list[str]:
        """The legs of the comparison that have data."""
        return [leg for leg in self.plan.main_legs if leg in self.diffs]

    @cached_property
    def main(self) -> LegDiff | None:
        """The comparison of legacy with new, all its legs as one."""
        return as_one([self.diffs[leg] for leg in self.main_legs]) if self.main_legs else None

    def comparison(self, legs: Sequence[str], *, pilot: bool = False) -> list[Measured]:
        """Every metric of some legs taken together: those of the comparison or the A/A legs.

        `pilot`: of a single leg of grade release, with single closes as the unit of connect times.
        """
        legs = [leg for leg in legs if leg in self.diffs]
        out = self._latency(legs)
        cells: dict[tuple[str, str], list[ServicePair]] = defaultdict(list)
        for leg in legs:
            for cell, pairs in self.cells[leg].items():
                cells[cell] += pairs
        bursts = self.timeline.bursts
        untimed = sum((untimed_bursts(bursts.get(leg, ()), self.diffs[leg].matches) for leg in legs), Counter())
        out += [*service_metrics(cells, self.plan, untimed), throughput_metric(cells, self.plan)]
        out += [self._cpu(legs), self._memory(legs), self._memory_slope(legs)]
        out += [self._uptime(connection, legs) for connection in self.plan.connections]
        if self.plan.release or "main" in legs:
            for connection in self.plan.connections:
                parts = [self._recovered_in(leg, connection) for leg in legs]
                out += connect_metrics(
                    connection, parts, release=self.plan.release, by_leg=self.plan.release and not pilot
                )
        return out

    def facts_only(self) -> list[Measured]:
        """The metrics of a replay, uptime alone; a capacity run has its ceiling as well, a direct one its rates."""
        uptime = [self._uptime(connection, self.plan.main_legs) for connection in self.plan.connections]
        if self.plan.direct and "main" in self.diffs:
            return uptime + dual_metrics(self.diffs["main"].dual, self.plan.connections, self.limits)
        if not self.plan.capacity or "main" not in self.diffs:
            return uptime
        steps = steps_of(self.run, self.diffs["main"], self.timeline.phases)
        return [*uptime, capacity_metric(steps, self.diffs["main"].roles, self.limits.session.margin)]

    def control(self) -> Estimate | None:
        """The positive control's estimate."""
        return visible_burn(self.cells.get("control", {}), self.plan)

    def joined(self, legs: Sequence[str]) -> Pairs | None:
        """Paired latencies of some legs."""
        parts = [self.pairs[leg] for leg in legs if leg in self.pairs]
        return join_pairs(parts) if parts else None

    def stamped(self) -> Stamped:
        """Processing times of the new stack in the comparison's paired phases, from its optional stamps."""
        if "new" not in self.run.roles():
            return {}
        phases = [self.timeline.phase(leg, "paired") for leg in self.plan.main_legs]
        return stamped_times(row for phase in phases if phase is not None for row in self._rows_in(phase))

    def _rows_in(self, phase: Phase) -> Iterable[tuple[str, str, bytes]]:
        """Connection, type and body of new's events in a phase."""
        import pyarrow.compute as pc

        events = self.run.part("events/new", ("k", "c", "type", "t", "body"), phase.leg)
        here = pc.equal(events["k"], "event")
        inside = pc.and_(pc.greater_equal(events["t"], phase.begin), pc.less(events["t"], phase.end))
        kept = events.filter(pc.and_(here, inside))
        return zip(kept["c"].to_pylist(), kept["type"].to_pylist(), kept["body"].to_pylist(), strict=True)

    def _latency(self, legs: Sequence[str]) -> list[Measured]:
        pairs = self.joined(legs)
        if pairs is None:
            pairs = Pairs.none(sum(self.plan.blocks(leg) for leg in legs))
        names = self.diffs[legs[0]].connections if legs else []
        return latency_metrics(pairs, names, self.plan, self.limits)

    def _cpu(self, legs: Sequence[str]) -> Measured:
        parts, sent = [], 0
        for leg in legs:
            phase = self.timeline.phase(leg, "paired")
            if phase is None:
                continue
            for role in self.diffs[leg].roles:
                messages = self.messages.get((leg, role), _NO_MESSAGES)
                begun, ended = messages_until(messages, np.array([phase.begin, phase.end], np.int64)).tolist()
                sent += ended - begun
            parts.append(self._cpu_in(leg, phase))
        return cpu_metric(parts, messages=sent, by_leg=self.plan.release)

    def cpu_in(self, leg: str) -> list[tuple[int, float, float]]:
        """End (ns) of each block of a leg's paired phase with both sides' CPU ns per message; NaN for none told."""
        phase = self.timeline.phase(leg, "paired")
        if phase is None:
            return []
        legacy, new = self._cpu_in(leg, phase)
        ends = phase.begin + np.arange(1, len(legacy) + 1, dtype=np.int64) * CPU_BLOCK_NS
        return list(zip(ends.tolist(), legacy.tolist(), new.tolist(), strict=True))

    def _cpu_in(self, leg: str, phase: Phase) -> tuple[Floats, Floats]:
        declared = self.plan.blocks(leg, CPU_BLOCK_NS / 1e9)
        legacy, new = (
            cpu_blocks(
                self.samples.get((leg, role), _NO_SAMPLES),
                self.messages.get((leg, role), _NO_MESSAGES),
                phase,
                declared,
            )
            for role in self.diffs[leg].roles
        )
        return legacy, new

    def error_lines(self) -> list[tuple[str, str, str, int]]:
        """Leg, role, connection and time of reading (ns) of each error that a subject told, in order of time."""
        import pyarrow.compute as pc

        if self.stretched:
            return self.stretched.error_lines()
        out = []
        for role in self.run.roles():
            lines = self.run.part(f"events/{role}", ("leg", "k", "c", "t_read"))
            rows = lines.filter(pc.equal(lines["k"], "error")).to_pylist()
            out += [(row["leg"], role, row["c"], row["t_read"]) for row in rows]
        return sorted(out, key=lambda line: line[3])

    def _memory(self, legs: Sequence[str]) -> Measured:
        """Of several legs the one that differs most, their ranges taken together; at grade release their mean."""
        found = []
        for leg in legs:
            first = self.timeline.phase(leg, "paired")
            if first is None:
                continue
            measured = [phase for phase in self.timeline.phases if phase.leg == leg and phase.end > first.begin]
            if not measured:  # cut off as it began
                continue
            sides = {role: self.samples[leg, role] for role in self.diffs[leg].roles if (leg, role) in self.samples}
            found.append(memory_of_leg(sides, self.diffs[leg].roles, first.begin, measured, self.limits.memory))
        if self.plan.release:
            return memory_by_leg(found, len(legs), self.limits.memory, self.limits.session.pass_alpha)
        weighed = [metric for metric in found if metric.census is not None]
        if not weighed:
            return Measured(
                "memory.level", "bytes", None, None, declared=True, weight="pooled", blocks_declared=len(legs)
            )
        return _hull(weighed)

    def _memory_slope(self, legs: Sequence[str]) -> Measured:
        """Of the longest leg: a slope needs time, and a restart begins anew."""
        found = Measured(MEMORY_SLOPE, "bytes/h", None, None, weight="pooled")
        longest = 0
        for leg in legs:
            phases = [phase for phase in self.timeline.phases if phase.leg == leg]
            first = self.timeline.phase(leg, "paired")
            if first is None or (end := max(phase.end for phase in phases)) - first.begin <= longest:
                continue
            longest = end - first.begin
            sides = {role: self.samples[leg, role] for role in self.diffs[leg].roles if (leg, role) in self.samples}
            found = slope_metric(sides, self.diffs[leg].roles, first.begin, end, self.limits.memory)
        return found

    def _uptime(self, connection: str, legs: Sequence[str]) -> Measured:
        sides: list[Downtime | None] = [None, None]
        for leg in legs:
            for number, role in enumerate(self.diffs[leg].roles if leg in self.diffs else ()):
                found = self.downtime(leg, role, connection)
                sides[number] = _sum(sides[number], found)
        return uptime_metric(connection, sides[0], sides[1], self.limits.uptime)

    def downtime(self, leg: str, role: str, connection: str) -> Downtime | None:
        """Downtime of one side's connection in the measured phases of a leg."""
        phases = [
            phase for phase in self.timeline.phases if phase.leg == leg and phase.phase not in ("warm-up", "drain")
        ]
        if not phases:
            return None
        begin, end = phases[0].begin, max(phase.end for phase in phases)
        limits = self.limits.uptime
        found = downtime(self._rows(leg, role, connection), begin, end, int(limits.free_ms * 1e6))
        warning = first_warning(found.stretches, begin, end, limits.own_downtime_share, limits.burn)
        return replace(found, warning=warning)

    def _rows(self, leg: str, role: str, connection: str) -> list[dict[str, Any]]:
        return [
            row
            for row in self.connections
            if row["leg"] == leg and row["subject"] == role and row["connection"] == connection
        ]

    def _recoveries(self) -> dict[str, dict[str, list[Recovery | None]]]:
        out: dict[str, dict[str, list[Recovery | None]]] = {}
        for connection in self.plan.connections:
            for role in ("legacy", "new"):
                found = [one for leg in self.plan.main_legs for one in self._recoveries_of(leg, role, connection)]
                if found:
                    out.setdefault(connection, {})[role] = found
        return out

    def _recovered_in(self, leg: str, connection: str) -> tuple[list[Recovery | None], list[Recovery | None]]:
        """What followed the forced closes of one leg: of its baseline and of its candidate."""
        legacy, new = (self._recoveries_of(leg, role, connection) for role in self.plan.roles(leg))
        return legacy, new

    def _recoveries_of(self, leg: str, role: str, connection: str) -> list[Recovery | None]:
        mine = [c for c in self.timeline.closes if (c.leg, c.role, c.connection) == (leg, role, connection)]
        if not mine:
            return []
        rows = self._rows(leg, role, connection)
        return recoveries(mine, rows, _confirmed_before(rows, mine[0].t))


_NO_MESSAGES = np.empty(0, np.int64), np.empty(0, np.int64)
_NO_SAMPLES = Samples(*(np.empty(0, np.int64) for _ in range(3)))


def _confirmed_before(rows: Sequence[Mapping[str, Any]], t: int) -> int:
    """How many (channel, symbol) a side's connection had confirmed by then."""
    return len({(row["channel"], row["symbol"]) for row in rows if row["event"] == "subscribed" and row["t"] <= t}) or 1


def _sum(a: Downtime | None, b: Downtime | None) -> Downtime | None:
    if a is None or b is None:
        return a or b
    return Downtime(
        a.window + b.window, a.down + b.down, a.own + b.own, a.closes + b.closes, a.own_closes + b.own_closes,
        a.stretches + b.stretches, a.warning or b.warning,
    )  # fmt: skip


def _distance(metric: Measured) -> float:
    assert metric.census is not None
    return float(abs(np.log(metric.census.range.best or 1.0)))


def _hull(metrics: Sequence[Measured]) -> Measured:
    """The metric that lies farthest from 1, with the range of all."""
    far = max(metrics, key=_distance)
    ranges = [metric.census.range for metric in metrics if metric.census is not None]
    low, high = min(r.low or 0.0 for r in ranges), max(r.high or 0.0 for r in ranges)
    assert far.census is not None
    census = Census(Range(low, far.census.range.best, high), far.census.verdict, far.census.note)
    return replace(far, census=census, blocks=len(metrics), blocks_declared=len(metrics))
