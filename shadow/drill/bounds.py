"""How soon the judge's rule could have spoken, from the recorded data: the run is judged as far as one moment, and as
far as the next, until it says it.

This is the evidence's own delay. It holds no time for carrying data to a judge that runs beside the session, and none
for computing; those belong to the judge that watches while it runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from shadow.diff.leg import diff_leg
from shadow.drill.view import Judged, RunView
from shadow.stats.power import blocks_needed
from shadow.verdict.checklist import load_checklist
from shadow.verdict.evidence import Measured
from shadow.verdict.facts import difference_facts
from shadow.verdict.latency import series_id
from shadow.verdict.metrics import alphas_of, judge_metric
from shadow.verdict.resources import Samples, memory_metric
from shadow.verdict.service import OUTER, middle_half, pooled_pairs
from shadow.verdict.uptime import downtime, uptime_metric

__all__ = ["first_blocks", "functionality_s", "memory_s", "pairs_needed", "speaks_early", "stability_s"]

STEP_S: Final = 0.1
BEFORE_S: Final = 0.05
POWER: Final = 0.95
"""Of the statement how many pairs it takes; one line in twenty may need more."""
LEAST_PAIRS: Final = 8
ROLES: Final = ("legacy", "new")


def soonest(holds: Callable[[int], bool], since_ns: int, bound_s: float) -> float | None:
    """Seconds after `since_ns` from which a condition of time holds, in steps; None where it does not by the bound."""
    for step in range(round(bound_s / STEP_S) + 1):
        if holds(since_ns + int(step * STEP_S * 1e9)):
            return round(step * STEP_S, 3)
    return None


def has_fact(view: RunView, t_ns: int) -> bool:
    """Whether the events up to then hold a confirmed fact against new."""
    return bool(difference_facts(diff_leg(view.until(t_ns), "main", ROLES).differences))


def functionality_s(view: RunView, struck_ns: int, bound_s: float) -> float | None:
    """From the damage to the first moment whose data prove it."""
    return soonest(lambda t: has_fact(view, t), struck_ns, bound_s)


def speaks_early(view: RunView, struck_ns: int) -> bool:
    """Whether anything was held against new before the damage."""
    return has_fact(view, struck_ns - int(BEFORE_S * 1e9))


def stability_s(judged: Judged, struck_ns: int, bound_s: float) -> float | None:
    """From the moment at which the side was away for its share of the whole window, until the uptime rule speaks."""
    collected, limits = judged.collected, load_checklist().uptime
    phases = [phase for phase in collected.timeline.phases if phase.leg == "main" and phase.phase == "paired"]
    begin, end = phases[0].begin, phases[-1].end
    (connection,) = collected.plan.connections
    rows = {
        role: [row for row in collected.connections if row["leg"] == "main" and row["subject"] == role]
        for role in ROLES
    }

    def speaks(t: int) -> bool:
        sides = [
            downtime([row for row in rows[role] if row["t"] <= t], begin, t, int(limits.free_ms * 1e6))
            for role in ROLES
        ]
        census = uptime_metric(connection, sides[0], sides[1], limits).census
        return census is not None and census.verdict == "REGRESSION"

    return soonest(speaks, struck_ns + int(limits.own_downtime_share * (end - begin)), bound_s)


def memory_s(judged: Judged, bound_s: float) -> float | None:
    """From the first sample above both levels until the memory rule speaks."""
    collected, limits = judged.collected, load_checklist().memory
    phase = collected.timeline.phase("main", "paired")
    sides = {role: collected.samples["main", role] for role in ROLES if ("main", role) in collected.samples}
    if phase is None or len(sides) < len(ROLES):
        return None
    passed = level_passed(sides["legacy"], sides["new"], limits.ratio, limits.bytes)
    if passed is None:
        return None

    def speaks(t: int) -> bool:
        so_far = {role: up_to(side, t) for role, side in sides.items()}
        census = memory_metric(so_far, ROLES, phase.begin, t, limits).census
        return census is not None and census.verdict == "REGRESSION"

    return soonest(speaks, passed, bound_s)


def level_passed(legacy: Samples, new: Samples, ratio: float, least: int) -> int | None:
    """When a sample of new first lay above `ratio` times legacy's newest and more than `least` bytes over it."""
    at = np.searchsorted(legacy.t, new.t, side="right") - 1
    beside = legacy.uss[np.maximum(at, 0)]
    above = np.flatnonzero((new.uss > ratio * beside) & (new.uss - beside > least))
    return int(new.t[above[0]]) if len(above) else None


def up_to(samples: Samples, t_ns: int) -> Samples:
    """The samples so far."""
    kept = samples.t <= t_ns
    return Samples(samples.t[kept], samples.cpu_ns[kept], samples.uss[kept])


def first_blocks(judged: Judged) -> tuple[float | None, float | None]:
    """With how many pairs of bursts the rule of service time speaks, and how many its power statement asks for."""
    (connection,) = judged.collected.plan.connections
    name = series_id("service", connection, None)
    found = next((one for one in judged.assessment.metrics if one.id == name), None)
    if found is None or found.measured.estimate is None:
        return None, None
    limits = load_checklist()
    alpha = alphas_of([one.measured for one in judged.assessment.metrics], limits).get(name, 0.0)
    estimate = found.measured.estimate
    effect = math.exp(estimate.mean)
    if effect <= limits.session.margin:
        return None, None
    sd = estimate.se * math.sqrt(estimate.n)
    needed = pairs_needed(sd, effect, limits.session.margin, alpha)
    legacy, new = pooled_pairs(judged.collected.cells["main"], connection)
    for n in range(LEAST_PAIRS, len(legacy) + 1):
        part = with_pairs(found.measured, legacy[:n], new[:n])
        if judge_metric(part, alpha, found.gate, limits).verdict == "REGRESSION":
            return float(n), float(needed)
    return None, float(needed)


def pairs_needed(sd: float, ratio: float, margin: float, alpha: float) -> int:
    """With how many pairs the rule of the middle half tells a ratio from the margin at POWER; sd in ln units.

    By Student's t of as many pairs as the rule keeps of them: z would promise what it cannot hold below some 40 pairs.
    """
    n = max(LEAST_PAIRS, blocks_needed(sd, ratio, margin, alpha, POWER))
    while blocks_needed(sd, ratio, margin, alpha, POWER, n - 2 * int(OUTER * n) - 1) > n:
        n += 1
    return n


def with_pairs(metric: Measured, legacy: np.ndarray, new: np.ndarray) -> Measured:
    """The metric as it stood after these pairs of bursts."""
    n = len(legacy)
    return replace(metric, estimate=middle_half(legacy, new), n=n, blocks=n, blocks_declared=n)
