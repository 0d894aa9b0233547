"""What is known of a session while it runs: the offline judge's own functions over what is on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np

from shadow.diff.leg import diff_leg
from shadow.online.grown import Batch, Grown
from shadow.online.pace import may_ask
from shadow.online.running_leg import RunningLeg
from shadow.online.settled import KEEP_NS
from shadow.online.snapshot import Snapshot
from shadow.verdict.assess import assess
from shadow.verdict.checklist import Checklist, load_checklist
from shadow.verdict.collect import Collected
from shadow.verdict.evidence import Fact
from shadow.verdict.judge import Judgement, facts_of, gather, judge_diffs
from shadow.verdict.legs import KnownList, read_known
from shadow.verdict.plan_view import PlanView
from shadow.verdict.sequential import Series, Tail, Watch, Watched, alpha_of, watch
from shadow.verdict.timeline import Timeline, read_marks
from shadow.verdict.watched import watched_of

if TYPE_CHECKING:
    from shadow.diff.codes import Difference, LegDiff

__all__ = ["Follower", "Look", "Worst", "look_at", "until"]

STRAIN_NS = 60_000_000_000
LEAST_BLOCKS = 5
"""A ratio of fewer blocks is not told."""


@dataclass(frozen=True)
class Worst:
    """The metric whose blocks are worst on average: new / legacy, and of how many blocks."""

    id: str
    ratio: float
    blocks: int


@dataclass(frozen=True)
class Look:
    """What one look at a running session says.

    `end` (ns) is the moment up to which everything was judged. `facts` are critical ones of new; `watch` is what the
    sequential tests say at the margin. `confirmed` names the test where the whole judge says ROLL BACK by it.
    `stat_s` and `fact_s` are CPU seconds of statistics and of comparing events; `measured_s` of the planned time are
    over; `is_strained` when the recorder could not keep up within the last minute; `heard_to` (ns) is how far the tests
    have heard.
    """

    end: int
    leg: str
    events: int
    differences: list[Difference]
    facts: list[Fact]
    worst: Worst | None
    watch: Watch
    confirmed: str | None
    stat_s: float
    fact_s: float = 0.0
    measured_s: float = 0.0
    is_strained: bool = False
    heard_to: int = 0


class Follower:
    """Looks at a run directory again and again; each event is compared about once.

    What is settled on a public connection can be given back as long as it is younger than `keep_ns`.
    """

    def __init__(self, folder: str | os.PathLike[str], keep_ns: int = KEEP_NS) -> None:
        self._folder = Path(folder)
        self._limits = load_checklist()
        self._keep_ns = keep_ns
        self._grown = Grown(folder)
        self._ended: dict[str, LegDiff] = {}
        self.running: dict[str, RunningLeg] = {}
        self._newest: tuple[Snapshot, PlanView, dict[str, LegDiff], KnownList] | None = None
        self._heard: Look | None = None
        self._began = 0
        self._asking_s = [0.0]

    def look(self, now: int) -> Look:
        """Judge all that is on disk and settled at `now` (ns); RunError when it cannot be read.

        The statistics are as old as their share of a core asks for.
        """
        began = process_time()
        new = self._grown.read()
        run = Snapshot(self._folder, self._grown, now)
        plan, known = PlanView(run.session), read_known(run.path, run.session)
        self._began = self._began or now
        elapsed_s = (now - self._began) / 1e9
        is_due = self._heard is None or may_ask(sum(self._asking_s), self._asking_s[-1], elapsed_s)
        timeline = read_marks(row for row in run.marks if is_due or row["name"] != "burst")
        diffs = {leg: self._diff(run, leg, new, plan, known, timeline) for leg in timeline.legs}
        self._newest = run, plan, diffs, known
        collected = Collected(run, plan, timeline, diffs, self._limits)
        fact_s = process_time() - began
        look = look_at(collected, run.end, None if is_due else self._heard)
        if is_due:
            self._asking_s.append(look.stat_s)
        self._heard = look
        return replace(look, fact_s=look.fact_s + fact_s)

    def judgement(self) -> Judgement:
        """The whole judge over what the last look saw."""
        assert self._newest is not None, "nothing was looked at"
        run, plan, diffs, known = self._newest
        return judge_diffs(run, plan, read_marks(run.marks), diffs, known)

    def _diff(
        self,
        run: Snapshot,
        leg: str,
        new: dict[str, list[Batch]],
        plan: PlanView,
        known: KnownList,
        timeline: Timeline,
    ) -> LegDiff:
        if leg in self._ended:
            return self._ended[leg]
        is_open = leg == run.open_leg
        if run.session.get("direct"):
            found, is_done = diff_leg(run, leg, plan.roles(leg), known=known), not is_open
        else:
            if leg not in self.running:
                begin = min((row["t"] for row in run.marks if row["leg"] == leg), default=0)
                self.running[leg] = RunningLeg(leg, plan.roles(leg), begin, plan.connections, self._keep_ns)
            disturbed = {name for at, name in timeline.faulted if at == leg}
            found = self.running[leg].look(run, new, known, disturbed, is_open=is_open)
            is_done = self.running[leg].is_done
        if is_done:
            self._ended[leg] = found
            self.running.pop(leg, None)
        return found


def look_at(collected: Collected, end: int, heard: Look | None = None) -> Look:
    """What the figures of a session say up to a moment (ns) at which they were cut.

    The statistics are those of the look before, `heard`, if one is given.
    """
    began = process_time()
    diffs, legs = collected.diffs, collected.timeline.legs
    look = Look(
        end=end,
        leg=legs[-1] if legs else "",
        events=sum(side.get("input", 0) for diff in diffs.values() for side in diff.totals.values()),
        differences=[d for leg in collected.main_legs for d in diffs[leg].differences],
        facts=facts_of(collected, ("critical",)),
        worst=heard.worst if heard else None,
        watch=heard.watch if heard else watch([], {}, 0.0, collected.limits),
        confirmed=heard.confirmed if heard else None,
        stat_s=0.0,
        measured_s=sum(p.end - p.begin for p in collected.timeline.phases if p.phase != "warm-up") / 1e9,
        is_strained=any(end - t < STRAIN_NS for t in collected.timeline.bound),
        heard_to=heard.heard_to if heard else end,
    )
    look = replace(look, fact_s=process_time() - began)
    return look if heard else _heard_out(collected, look)


def _heard_out(collected: Collected, look: Look) -> Look:
    """The look with what the sequential tests say."""
    began = process_time()
    plan, limits = collected.plan, collected.limits
    is_paired = not (plan.replay or plan.live or plan.capacity or plan.direct)
    watched = until(watched_of(collected), look.end) if is_paired else []
    alpha = alpha_of(len(plan.connections), limits) if plan.calibrated else 0.0
    seen = watch(watched, {}, alpha, limits)
    confirmed = confirm(collected, look.end, limits) if seen.fired else None
    worst = worst_of(watched)
    return replace(look, worst=worst, watch=seen, confirmed=confirmed, stat_s=process_time() - began)


def confirm(collected: Collected, end: int, limits: Checklist) -> str | None:
    """The test by which the offline judge would say ROLL BACK now: each at its own line, calibration heard."""
    evidence = gather(collected)
    # A run that has no seal yet is not interrupted: if it ends here, its calibration has to bear the verdict out.
    found = assess(replace(evidence, watched=until(evidence.watched, end), interrupted=False), limits)
    is_said = found.outcome == "ROLL_BACK" and found.watch.fired
    return f"the sequential test of {found.watch.worst}" if is_said else None


def until(watched: Iterable[Watched], end: int) -> list[Watched]:
    """What the tests take in up to a moment: whole blocks only, as they will be for ever, and incidents before it."""
    return [_until(one, end) for one in watched]


def _until(one: Watched, end: int) -> Watched:
    kept = one.at < end
    if isinstance(one, Series):
        return replace(one, at=one.at[kept], y=one.y[kept])
    if isinstance(one, Tail):
        at = one.at[kept]
        return replace(one, at=at, block=np.where(one.block < len(at), one.block, -1))
    return replace(one, at=one.at[kept], is_new=one.is_new[kept])


def worst_of(watched: Sequence[Watched]) -> Worst | None:
    """The series with the largest mean of ln(new / legacy)."""
    series = [one for one in watched if isinstance(one, Series) and len(one.y) >= LEAST_BLOCKS]
    if not series:
        return None
    worst = max(series, key=lambda one: float(one.y.mean()))
    return Worst(worst.id, float(np.exp(worst.y.mean())), len(worst.y))
