"""The tests that may be looked at after every block, over a whole session: does any of them say REGRESSION? Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from shadow.stats.counts import incident_evidence
from shadow.stats.eprocess import mean_evidence
from shadow.stats.multiplicity import any_regression, rank_suspects, union_alarms, weighted_bonferroni
from shadow.stats.tails import block_votes, tail_evidence
from shadow.verdict.checklist import Checklist
from shadow.verdict.evidence import six_digits

__all__ = ["Incidents", "Series", "Tail", "Watch", "Watched", "alpha_of", "watch"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """ln(new / legacy) of each block of a metric, higher is worse; `at` when each was complete (ns)."""

    id: str
    weight: str
    at: Ints
    y: Floats

    def evidence(self, line: float) -> Floats:
        """ln E after each block that new / legacy lies above `line`."""
        return mean_evidence(self.y, math.log(line))


@dataclass(frozen=True)
class Tail:
    """The pairs (ns) behind a quantile; `threshold` is legacy's in A/A, `at` the end of each declared block."""

    id: str
    weight: str
    at: Ints
    block: Ints
    legacy: Ints
    new: Ints
    threshold: float

    def evidence(self, line: float) -> Floats:
        """ln E after each block that new's tail is fatter by more than `line`."""
        return tail_evidence(block_votes(self.block, self.legacy, self.new, self.threshold, line, len(self.at)))


@dataclass(frozen=True)
class Incidents:
    """Incidents of both sides in order of time, True where new's.

    `floor` are incidents that legacy had beyond its own of this list when it was compared with itself: they count as
    legacy's from the begin.
    """

    id: str
    weight: str
    at: Ints
    is_new: Bools
    floor: int = 0

    def evidence(self, line: float) -> Floats:
        """ln E after each incident that new's rate is more than `line` times legacy's."""
        history = np.concatenate([np.zeros(self.floor, np.bool_), self.is_new])
        return incident_evidence(history, line)[self.floor :]


Watched = Series | Tail | Incidents


@dataclass(frozen=True)
class Watch:
    """What the tests say together: at the look that fired first, else at the last one.

    `single` fired by themselves; `suspects` are ranked, strongest first (for diagnosis); `at` is that look's time.
    """

    alpha: float = 0.0
    looks: int = 0
    at: int | None = None
    fired: bool = False
    by_mean: bool = False
    log_mean: float = -math.inf
    single: tuple[str, ...] = ()
    suspects: list[str] = field(default_factory=list)
    log_e: dict[str, float] = field(default_factory=dict)
    needs: dict[str, float] = field(default_factory=dict)

    @property
    def worst(self) -> str | None:
        """The test that speaks loudest: one that fired by itself before all others."""
        names = self.single or tuple(self.log_e)
        return max(names, key=lambda name: (self.log_e[name] - self.needs[name], name), default=None)

    def as_json(self) -> dict[str, Any]:
        """As in verdict.json."""
        return {
            "alpha": six_digits(self.alpha),
            "looks": self.looks,
            "fired": self.fired,
            "by_mean": self.by_mean,
            "single": list(self.single),
            "suspects": self.suspects,
            "ln_mean": six_digits(self.log_mean),
        }

    def rows(self) -> list[dict[str, Any]]:
        """For analysis.json: ln E of each test, and the ln E with which it fires by itself."""
        order = {name: place for place, name in enumerate(self.suspects)}
        return [
            {"id": name, "ln_e": six_digits(self.log_e[name]), "fires_at": six_digits(self.needs[name]),
             "suspect": order.get(name)}
            for name in self.log_e
        ]  # fmt: skip


def alpha_of(connections: int, limits: Checklist) -> float:
    """What the intervals and the census of each connection's own closes leave of the session's alpha."""
    session = limits.session
    return session.alpha * (1 - session.interval_share) - limits.uptime.incident_alpha * connections


def watch(watched: Sequence[Watched], lines: Mapping[str, float], alpha: float, limits: Checklist) -> Watch:
    """Look at all tests after each block and each incident; REGRESSION with a chance of at most alpha to err.

    Half of alpha is for the mean of all e-values, half for the single ones by weight. `lines` says, by id, above which
    ratio a metric is worse; the margin where it says nothing.
    """
    heard = [one for one in watched if len(one.at)]
    if not heard or alpha <= 0:
        return Watch(max(alpha, 0.0))
    weights = {one.id: limits.weights[one.weight] for one in heard}
    looks = np.unique(np.concatenate([one.at for one in heard]))
    margin = limits.session.margin
    table = np.array([_at_looks(one.at, one.evidence(lines.get(one.id, margin)), looks) for one in heard])
    alarms = union_alarms(table, np.array(list(weights.values())), alpha)
    look = int(alarms.argmax()) if alarms.any() else len(looks) - 1
    log_e = {one.id: float(value) for one, value in zip(heard, table[:, look], strict=True)}
    alarm = any_regression(log_e, weights, alpha)
    needs = {name: -math.log(share) for name, share in weighted_bonferroni(weights, alpha / 2).items()}
    return Watch(
        alpha, len(looks), int(looks[look]), alarm.fired, alarm.by_mean, alarm.log_mean, alarm.single,
        rank_suspects(log_e, limits.session.alpha), log_e, needs,
    )  # fmt: skip


def _at_looks(at: Ints, log_e: Floats, looks: Ints) -> Floats:
    """ln E as it stands at each look; 0 before the first value."""
    return np.asarray(np.concatenate([[0.0], log_e])[np.searchsorted(at, looks, side="right")])
