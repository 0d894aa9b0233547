"""What the judge decides on: measured metrics, facts, and what calibration said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from shadow.stats.intervals import Estimate

if TYPE_CHECKING:
    from shadow.verdict.sequential import Watched

__all__ = ["Census", "Evidence", "Fact", "Measured", "MetricVerdict", "Range", "six_digits"]

MetricVerdict = Literal["PASS", "REGRESSION", "HOLD", "NOT_JUDGED"]


def six_digits(value: float | None) -> float | None:
    """A figure as it is compared and printed: six significant digits; None when there is none."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")


@dataclass(frozen=True)
class Range:
    """new / legacy: lower bound, best value, upper bound; None where there is no figure."""

    low: float | None
    best: float | None
    high: float | None

    def as_json(self) -> dict[str, float | None]:
        """As in verdict.json."""
        return {"low": six_digits(self.low), "best": six_digits(self.best), "high": six_digits(self.high)}


@dataclass(frozen=True)
class Census:
    """A metric that is counted or weighed, not sampled: it brings its own verdict. `fact` outranks NOT FIT."""

    range: Range
    verdict: MetricVerdict
    note: str = ""
    fact: bool = False


@dataclass(frozen=True)
class Measured:
    """One metric of one comparison. `estimate` is of ln(new / legacy) over `blocks` judged of `blocks_declared`.

    `weight` names its share of alpha in the checklist; `lower_is_worse` flips the sign of the tests; `by_leg`: a block
    is a whole leg.
    """

    id: str
    unit: str
    legacy: float | None
    new: float | None
    estimate: Estimate | None = None
    n: int = 0
    blocks: int = 0
    blocks_declared: int = 0
    declared: bool = False
    weight: str = "undeclared"
    lower_is_worse: bool = False
    census: Census | None = None
    note: str = ""
    by_leg: bool = False


@dataclass(frozen=True)
class Fact:
    """Something that happened, not a number: it needs no test. `worst` names it in the trigger line."""

    trigger: str
    text: str
    worst: str


@dataclass(frozen=True)
class Evidence:
    """Everything that the verdict is decided on; `aa` and `control` are None where a session has no calibration.

    `facts_only` says what a session compares that judges no latency, empty where it does.
    `covered` counts what the known-differences list covers of the critical and major differences of new.
    `short` says, by metric, why its power does not suffice; `watched` is what the sequential tests take in.
    `legacy_failures`, `aa_intolerable` and `hold` are sentences; `frames_share` is accounted / sent.
    """

    grade: str
    facts_only: str
    calibrated: bool
    metrics: list[Measured]
    aa: dict[str, Measured] | None = None
    control: Estimate | None = None
    facts: list[Fact] = field(default_factory=list)
    legacy_failures: list[str] = field(default_factory=list)
    aa_intolerable: list[str] = field(default_factory=list)
    hold: list[str] = field(default_factory=list)
    covered: int = 0
    short: Mapping[str, str] = field(default_factory=dict)
    watched: list[Watched] = field(default_factory=list)
    interrupted: bool = False
    frames_sent: int = 0
    frames_accounted: int = 0

    @property
    def frames_share(self) -> float:
        """Frames accounted for, of those sent; 0 when nothing was sent."""
        return self.frames_accounted / self.frames_sent if self.frames_sent else 0.0
