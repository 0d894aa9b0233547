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

__all__ = ["Cells", "pooled_cycles", "quads_of", "service_metrics", "throughput_metric", "visible_burn"]

Cells = Mapping[tuple[str, str], Sequence[ServicePair]]
"""(connection, type) to its pairs of bursts in order of time."""
Floats = npt.NDArray[np.float64]
MIXED = "mixed"


def quads_of(pairs: Sequence[ServicePair]) -> Floats:
    """(legacy, new) ns per message of each quad L N N L: the faster of a side's two bursts.

    Another tenant of the machine only ever adds time, and it seldom adds to both bursts of one side alone.
    """
    whole = len(pairs) // 2 * 2
    sides = np.array([[pair.legacy, pair.new] for pair in pairs[:whole]]).reshape(-1, 2, 2)
    faster: Floats = sides.min(axis=1)
    return faster


def pooled_cycles(cells: Cells, connection: str, plan: PlanView) -> tuple[Floats, Floats]:
    """Legacy's and new's ns per message of each cycle over the connection's types, weighted by the declared mix.

    A cycle is a quad of bursts that hold the mix themselves; a run without such bursts has them put together from the
    j-th quad of every type, ending with the type that has the fewest.
    """
    if itself := cells.get((connection, MIXED)):
        quads = quads_of(itself)
        return quads[:, 0], quads[:, 1]
    return _weighted(cells, connection, plan)


def _weighted(cells: Cells, connection: str, plan: PlanView) -> tuple[Floats, Floats]:
    mix = {name: share for name, share in plan.mix(connection).items() if share > 0}
    quads = [quads_of(cells.get((connection, name), ())) for name in mix]
    cycles = min((len(cell) for cell in quads), default=0)
    weights = np.array(list(mix.values()))
    sides = np.array([cell[:cycles] for cell in quads])
    if cycles == 0:
        return np.empty(0), np.empty(0)
    pooled = np.tensordot(weights, sides, axes=1) / weights.sum()
    return pooled[:, 0], pooled[:, 1]


def service_metrics(cells: Cells, plan: PlanView, *, declared: bool = True) -> list[Measured]:
    """Service time of each connection pooled (declared) and of each of its types (shown)."""
    out = []
    for connection in plan.connections:
        legacy, new = pooled_cycles(cells, connection, plan)
        types = plan.types(connection)
        bursts = len(cells.get((connection, MIXED), ())) or sum(len(cells.get((connection, t), ())) for t in types)
        pooled = _service(series_id("service", connection, None), legacy, new, bursts)
        out.append(_declare(pooled) if declared else pooled)
        for name in types:
            cell = cells.get((connection, name), ())
            sides = quads_of(cell)
            out.append(_service(series_id("service", connection, name), sides[:, 0], sides[:, 1], len(cell)))
    return out


def _service(name: str, legacy: Floats, new: Floats, n: int) -> Measured:
    if not len(legacy):
        return Measured(name, "ns", None, None, n=n)
    values = float(np.median(legacy)), float(np.median(new))
    return Measured(name, "ns", *values, estimate_trimmed_mean(np.log(new / legacy)), n, len(legacy), len(legacy))


def _declare(metric: Measured) -> Measured:
    return replace(metric, declared=True, weight="pooled")


def throughput_metric(cells: Cells, plan: PlanView) -> Measured:
    """Messages per second at the burst leg's largest sustained pace: the best cycle over all connections alike.

    A cycle's pace is 1e9 over the service time averaged over the connections; the ratio is judged over all cycles.
    Lower is worse.
    """
    sides = [pooled_cycles(cells, connection, plan) for connection in plan.connections]
    cycles = min((len(legacy) for legacy, _ in sides), default=0)
    if cycles == 0:
        return Measured("throughput.max", "1/s", None, None, lower_is_worse=True)
    legacy, new = (1e9 / np.mean([side[i][:cycles] for side in sides], axis=0) for i in (0, 1))
    estimate = estimate_trimmed_mean(np.log(new / legacy))
    figures = float(legacy.max()), float(new.max())
    return Measured(
        "throughput.max", "1/s", *figures, estimate, cycles, cycles, cycles, lower_is_worse=True
    )  # fmt: skip


def visible_burn(cells: Cells, plan: PlanView) -> Estimate | None:
    """The control's estimate of ln(burning / plain) service time over the pooled cycles of all connections.

    Where a short session gives fewer than three cycles, each pair of bursts stands for itself.
    """
    cycles = [pooled_cycles(cells, connection, plan) for connection in plan.connections]
    ratios = np.concatenate([np.log(new / legacy) for legacy, new in cycles]) if cycles else np.empty(0)
    if len(ratios) < 3:
        ratios = np.array([np.log(pair.new / pair.legacy) for cell in cells.values() for pair in cell])
    return estimate_trimmed_mean(ratios)
