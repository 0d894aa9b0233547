"""How long a session of grade release has to measure, from the noise of legacy against itself in its first leg."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from shadow.release_plan import LONG_ROUNDS, Need
from shadow.stats.power import blocks_needed
from shadow.verdict.checklist import Checklist, load_checklist
from shadow.verdict.evidence import Measured
from shadow.verdict.metrics import alphas_of

__all__ = ["needs_of", "read_needs"]

PHASES = {
    "latency": "paired", "service": "burst", "connect": "connect", "subscribe": "connect", "auth": "connect",
    "stability": "connect",
}  # fmt: skip
"""The phase that gives a family its values; CPU and memory have but one a leg, how legs differ one cannot say."""


async def read_needs(folder: Path, leg: str) -> list[Need]:
    """`needs_of` a running session's first leg, worked out in a process of its own."""
    loop = asyncio.get_running_loop()
    # spawn: Arrow's threads do not survive a fork
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return await loop.run_in_executor(pool, _read, folder, leg)


def _read(folder: Path, leg: str) -> list[Need]:
    from shadow.capture.reader import RunData
    from shadow.diff.leg import diff_leg
    from shadow.verdict.collect import Collected
    from shadow.verdict.plan_view import PlanView
    from shadow.verdict.timeline import read_marks

    run, limits = RunData(folder), load_checklist()
    plan = PlanView(run.session)
    timeline = read_marks(run.table("marks").to_pylist())
    collected = Collected(run, plan, timeline, {leg: diff_leg(run, leg, plan.roles(leg))}, limits)
    seconds = {phase: plan.seconds(leg, phase) for phase in set(PHASES.values())}
    return needs_of(collected.comparison([leg], pilot=True), seconds, limits)


def needs_of(measured: Sequence[Measured], seconds: Mapping[str, float], limits: Checklist) -> list[Need]:
    """What each declared metric with blocks needs, from its noise in a phase of so many seconds.

    Enough blocks, as if independent with the long-run deviation, that with the planned power equal sides lie wholly
    within half the margin (A/A gate, two-sided) and pass, and that a stack worse by `release.detect` is confirmed.
    Connect times will be known from their legs' means alone. A metric without a figure asks for more than there is.
    """
    alphas = alphas_of(list(measured), limits)
    wanted = [m for m in measured if m.declared and m.census is None and m.id.partition(".")[0] in PHASES]
    return [_need(m, alphas[m.id], seconds[PHASES[m.id.partition(".")[0]]], limits) for m in wanted]


def _need(metric: Measured, alpha: float, phase_s: float, limits: Checklist) -> Need:
    phase = PHASES[metric.id.partition(".")[0]]
    if metric.estimate is None or metric.blocks == 0:
        return Need(metric.id, phase, math.inf, math.inf)
    session, release = limits.session, limits.release
    deviation = max(metric.estimate.se * math.sqrt(metric.estimate.n), 1e-6)
    block_s = phase_s / metric.blocks
    both_sides, df = (1 + release.power) / 2, 2 * LONG_ROUNDS - 1 if phase == "connect" else math.inf
    aa = blocks_needed(deviation, 1.0, session.aa_margin, session.aa_alpha, both_sides, df)
    passes = blocks_needed(deviation, 1.0, session.margin, session.pass_alpha, release.power, df)
    fires = blocks_needed(deviation, release.detect, session.margin, alpha, release.power, df)
    return Need(metric.id, phase, aa * block_s, max(passes, fires) * block_s)
