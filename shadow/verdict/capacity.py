"""The capacity mode: the highest pace that each side kept up with, from the steps of one leg."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from shadow.verdict.evidence import Census, Measured, MetricVerdict, Range
from shadow.verdict.timeline import Phase

if TYPE_CHECKING:
    from shadow.capture.reader import RunData
    from shadow.diff.codes import LegDiff

__all__ = ["STEP", "Step", "capacity_metric", "steps_of"]

Ints = npt.NDArray[np.int64]
LAG_S: Final = 0.1
"""A side keeps up while the last tenth of a step's frames, by their median, is this far behind the wire at most."""
TAIL: Final = 0.1
STEP: Final = re.compile(r"capacity-(\d+)")
"""A phase's name with the frames/s asked for."""


@dataclass(frozen=True)
class Step:
    """One side in one step: frames/s asked for and written, frames sent and delivered whole, lag at its end in ns."""

    asked: int
    written: float
    sent: int
    delivered: int
    lag_ns: float

    @property
    def held(self) -> bool:
        """Whether everything came, and in time."""
        return self.sent > 0 and self.delivered == self.sent and self.lag_ns <= LAG_S * 1e9

    @property
    def pace(self) -> float:
        """Frames/s that this step shows a side to keep up with, no more than were written."""
        return min(self.asked, self.written)

    def __str__(self) -> str:
        if self.delivered < self.sent:
            return f"lost {self.sent - self.delivered} of {self.sent} at {self.asked}/s"
        return f"{self.lag_ns / 1e6:.0f} ms behind at {self.asked}/s"


def steps_of(run: RunData, diff: LegDiff, phases: Sequence[Phase]) -> dict[str, list[Step]]:
    """Role to its steps in order of time. Only frames with events count."""
    import pyarrow.compute as pc

    sends, frames = run.table("sends"), run.table("frames")
    data = frames.filter(pc.equal(frames["kind"], "ws"))["frame_no"]
    sends = sends.filter(pc.and_(pc.equal(sends["leg"], "main"), pc.is_in(sends["frame_no"], data.combine_chunks())))
    out: dict[str, list[Step]] = {}
    for role in diff.roles:
        sent_at = np.sort(sends.filter(pc.equal(sends["subject"], role))["t_sent"].to_numpy())
        matches = diff.matches.get(role)
        found = (np.empty(0, np.int64),) * 2 if matches is None else (matches.t_sent, matches.t_callback)
        steps = [(int(name[1]), phase) for phase in phases if (name := STEP.fullmatch(phase.phase))]
        out[role] = [_step(asked, phase, sent_at, *map(np.asarray, found)) for asked, phase in steps]
    return out


def _step(asked: int, phase: Phase, sent_at: Ints, matched: Ints, called: Ints) -> Step:
    sent = sent_at[(sent_at >= phase.begin) & (sent_at <= phase.end)]
    mine = (matched >= phase.begin) & (matched <= phase.end)
    seconds = (sent[-1] - sent[0]) / 1e9 if len(sent) > 1 else 0.0
    lags = (called - matched)[mine][np.argsort(matched[mine], kind="stable")]
    tail = lags[-max(1, int(len(lags) * TAIL)) :]
    lag_ns = float(np.median(tail)) if len(tail) else float("inf")
    return Step(asked, (len(sent) - 1) / seconds if seconds else 0.0, len(sent), int(mine.sum()), lag_ns)


def capacity_metric(steps: Mapping[str, Sequence[Step]], roles: tuple[str, str], margin: float) -> Measured:
    """`throughput.max` of both sides, without an interval: a candidate that keeps up with less than the baseline by
    more than the margin (1.10) is HOLD."""
    legacy, new = roles
    (low, _), (high, note) = (_ceiling(steps.get(role, ())) for role in (legacy, new))
    if high is None:
        census = Census(Range(None, None, None), "HOLD", "new kept up with no step")
        return Measured("throughput.max", "1/s", low, None, lower_is_worse=True, declared=True, census=census)
    ratio = high / low if low else None
    verdict: MetricVerdict = "HOLD" if low is not None and low > margin * high else "NOT_JUDGED"
    census = Census(Range(ratio, ratio, ratio), verdict, note)
    n = sum(step.sent for step in steps.get(new, ()))
    return Measured("throughput.max", "1/s", low, high, n=n, lower_is_worse=True, declared=True, census=census)


def _ceiling(steps: Sequence[Step]) -> tuple[float | None, str]:
    """The pace of the last step before the first that did not hold, and what ended the climb."""
    best: float | None = None
    for step in steps:
        if not step.held:
            return best, str(step)
        best = step.pace if best is None else max(best, step.pace)
    bound = "" if not steps or steps[-1].written >= 0.95 * steps[-1].asked else ", no more could be written here"
    return best, f"kept up with every step; its ceiling lies higher{bound}"
