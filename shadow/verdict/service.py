"""Service time per message and the throughput ceiling, from the burst leg; the positive control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from shadow.stats.intervals import Estimate, estimate_trimmed_mean
from shadow.verdict.evidence import Measured
from shadow.verdict.latency import series_id
from shadow.verdict.plan_view import PlanView
from shadow.verdict.series import ServicePair

__all__ = ["Cells", "middle_half", "pooled_pairs", "service_metrics", "throughput_metric", "visible_burn"]

Cells = Mapping[tuple[str, str], Sequence[ServicePair]]
"""(connection, type) to its pairs of bursts in order of time."""
Floats = npt.NDArray[np.float64]
MIXED = "mixed"
OUTER = 0.25
"""Share of the pairs that is left out at either end."""


def pooled_pairs(cells: Cells, connection: str) -> tuple[Floats, Floats]:
    """Legacy's and new's ns per message of each pair of bursts that hold the connection's mix of types."""
    return _sides(cells.get((connection, MIXED), ()))


def _sides(pairs: Sequence[ServicePair]) -> tuple[Floats, Floats]:
    return np.array([pair.legacy for pair in pairs], float), np.array([pair.new for pair in pairs], float)


def service_metrics(
    cells: Cells, plan: PlanView, untimed: Mapping[tuple[str, str], int] | None = None, *, declared: bool = True
) -> list[Measured]:
    """Service time of each connection pooled (declared) and of each of its types (shown).

    `untimed` bursts by cell are declared and not judged: they make a PASS impossible where they are many.
    """
    lacking = untimed or {}
    out = []
    for connection in plan.connections:
        pooled = _service(series_id("service", connection, None), *pooled_pairs(cells, connection))
        pooled = _lacking(pooled, lacking.get((connection, MIXED), 0))
        out.append(_declare(pooled) if declared else pooled)
        for name in plan.types(connection):
            single = _service(series_id("service", connection, name), *_sides(cells.get((connection, name), ())))
            out.append(_lacking(single, lacking.get((connection, name), 0)))
    return out


def _service(name: str, legacy: Floats, new: Floats) -> Measured:
    n = len(legacy)
    if not n:
        return Measured(name, "ns", None, None, n=n)
    values = float(np.median(legacy)), float(np.median(new))
    return Measured(name, "ns", *values, middle_half(legacy, new), n, n, n)


def _lacking(metric: Measured, untimed: int) -> Measured:
    if not untimed:
        return metric
    note = f"{untimed} bursts not judged: several frames carry one and the same last time"
    return replace(metric, blocks_declared=metric.blocks_declared + untimed, note=note)


def middle_half(legacy: Floats, new: Floats) -> Estimate | None:
    """Interval of ln(new / legacy) over pairs of bursts, from the mean of their middle half.

    A machine shared with others has spells of some ms, each longer than a burst, in which one core is slower by half:
    a pair then differs by that much in either direction. Such pairs are in the outer quarters, and as many in one as
    in the other.
    """
    return estimate_trimmed_mean(np.log(new / legacy), OUTER)


def _declare(metric: Measured) -> Measured:
    return replace(metric, declared=True, weight="pooled")


def throughput_metric(cells: Cells, plan: PlanView) -> Measured:
    """Messages per second at the burst leg's largest sustained pace: the best cycle over all connections alike.

    A cycle is one pair of bursts of each connection, its pace 1e9 over their average service time; the ratio is judged
    over all cycles. Lower is worse.
    """
    sides = [pooled_pairs(cells, connection) for connection in plan.connections]
    cycles = min((len(legacy) for legacy, _ in sides), default=0)
    if cycles == 0:
        return Measured("throughput.max", "1/s", None, None, lower_is_worse=True)
    legacy, new = (1e9 / np.mean([side[i][:cycles] for side in sides], axis=0) for i in (0, 1))
    estimate = middle_half(legacy, new)
    figures = float(legacy.max()), float(new.max())
    return Measured(
        "throughput.max", "1/s", *figures, estimate, cycles, cycles, cycles, lower_is_worse=True
    )  # fmt: skip


def visible_burn(cells: Cells, plan: PlanView) -> Estimate | None:
    """The control's estimate of ln(burning / plain) service time over all connections.

    Where a short session gives fewer than three pairs, those of single types count too.
    """
    pairs = [pair for connection in plan.connections for pair in cells.get((connection, MIXED), ())]
    if len(pairs) < 3:
        pairs = [pair for cell in cells.values() for pair in cell]
    return middle_half(*_sides(pairs))
