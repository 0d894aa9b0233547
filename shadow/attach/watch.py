"""What a judge at a tap says at every look: differences, figures, open triggers, and why it is not a pass."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from shadow.attach.join import Join
from shadow.attach.links import Link
from shadow.attach.pairs import BOTH, LEGACY, NEW, SIDES, Finding
from shadow.attach.speed import Speed, p50
from shadow.diff.codes import severity_of
from shadow.diff.dual import WINDOW_NS
from shadow.diff.lines import Delivered
from shadow.rehearsal.memory import Memory
from shadow.rollout.consumers import Alarm, TriggerId
from shadow.stats.counts import IncidentTest
from shadow.verdict.checklist import load_checklist

__all__ = ["Look", "Watch"]

Verdict = Literal["PASS", "REGRESSION", "HOLD"]
Onset = Literal["quiet", "alarm", "unknown"]
FRESH_NS: Final = 10_000_000_000
"""How long evidence keeps a trigger open."""
QUIET_NS: Final = 5_000_000_000
EVERYTHING: Final = "*"
"""The candidate is one program: what it does to one unit is reason to take back all."""
RATED: Final = frozenset({"MISSING", "DUP", "REORDER"})
"""Codes for which a connection may be to blame as well as the stack."""


@dataclass(frozen=True)
class Look:
    """One look. `held` are the reasons why it is no PASS; `fresh` differences since the last look."""

    t: int
    verdict: Verdict
    onset: Onset
    alarms: list[Alarm]
    held: list[str]
    fresh: list[Finding]
    counts: dict[str, dict[str, int]]
    speeds: dict[str, dict[str, Any]]
    coverage: float
    not_judged: list[str] = field(default_factory=list)
    """What nobody can say, and why; no reason against a PASS."""


@dataclass
class Rate:
    """Incidents of one connection: all that a side does within W is one."""

    test: IncidentTest
    log_e: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, side: str, t: int) -> None:
        """What a side does at a moment."""
        before = self.last.get(side)
        self.last[side] = t
        if before is not None and t - before < WINDOW_NS:
            return
        self.counts[side] += 1
        self.log_e = self.test.update(side == NEW)


class Watch:
    """Takes the tap's lines; `look` judges what is older than W. Nothing here knows the time but by the tap's beats."""

    def __init__(self, block_ns: int, application: int | None = None) -> None:
        """`application` is the pid that the tap's greeting told."""
        self.join = Join(self._on_pair)
        self.fired: dict[str, str] = {}
        """Every trigger that has fired, with what it said first."""
        self._limits = load_checklist()
        self._block_ns = block_ns
        self._application = application
        self._speeds: dict[str, Speed] = {}
        self._fresh: list[Finding] = []
        self._rates: dict[str, Rate] = {}
        self._open: dict[tuple[str, str], tuple[int, Alarm]] = {}
        self._more_errors: Counter[tuple[str, str]] = Counter()
        """By connection and kind, how many more errors of new than of legacy have been told."""
        self._only_new_at: int | None = None
        self._memory = Memory()

    def take(self, line: dict[str, Any]) -> None:
        """One line of the tap."""
        self._fresh += self.join.take(line)

    def _on_pair(self, legacy: Delivered, new: Delivered) -> None:
        name = legacy.connection
        if name not in self._speeds:
            self._speeds[name] = Speed(self._block_ns)
        self._speeds[name].pair(legacy, new)

    def look(self) -> Look:
        """Judge as of the last beat."""
        now = self.join.now
        fresh = [*self._fresh, *self.join.settle()]
        self._fresh = []
        for finding in fresh:
            self._weigh(finding)
        self._weigh_stale()
        self._weigh_errors()
        self._weigh_links()
        self._weigh_speeds(now)
        self._open = {key: one for key, one in self._open.items() if now - one[0] < FRESH_NS}
        alarms, held = [alarm for _, alarm in self._open.values()], self._held()
        verdict: Verdict = "REGRESSION" if alarms else "HOLD" if held else "PASS"
        speeds = {name: self._figures(speed) for name, speed in sorted(self._speeds.items())}
        told = self.join.totals(), speeds, self.join.coverage(), self._not_judged()
        return Look(now, verdict, self._onset(), alarms, held, fresh, *told)

    def doubts(self) -> list[str]:
        """What forbids a pass of the whole watch, however long ago it was."""
        unbegun = self.join.unbegun.items()
        told = [f"{' '.join(filter(None, key))}: {side} had none of it while it was there" for key, side in unbegun]
        return [self._invented(), *told] if self._invented() else told

    def _invented(self) -> str:
        count = self.join.totals()[NEW].get("MISSING", 0)
        return f"new has {count} events that legacy has not: invented, or lost by legacy" if count else ""

    # Triggers

    def _fire(self, trigger: TriggerId, says: str, *, cause: str = "", legacy_too: bool = False) -> None:
        first = self._open.get((trigger, cause), (0, Alarm(trigger, EVERYTHING, says, legacy_too)))[1]
        self._open[trigger, cause] = (self.join.now, first)
        self.fired.setdefault(trigger, says)

    def _weigh(self, finding: Finding) -> None:
        """Facts fire at once. What a connection may have lost does, while legacy's has lost nothing; then by rates."""
        if finding.code == "STALE" or severity_of(finding.code, finding.type, "") not in ("critical", "major"):
            return
        says = f"{finding.code} {finding.connection} {finding.symbol} {finding.says}".replace("  ", " ")
        if finding.side == BOTH or finding.code not in RATED:
            if finding.side != LEGACY:
                self._fire("functionality", says, cause=finding.connection)
            return
        rate = self._rates.setdefault(finding.connection, Rate(IncidentTest(self._limits.session.margin)))
        rate.add(finding.side, finding.t)
        if finding.side == LEGACY:
            self._only_new_at = self.join.now if finding.code == "MISSING" else self._only_new_at
        elif not rate.counts[LEGACY] or rate.log_e >= -math.log(self._limits.session.alpha):
            self._fire("functionality", says, cause=finding.connection)

    def _weigh_stale(self) -> None:
        stale = self.join.stale
        is_shared = any(side == LEGACY for _, side in stale)
        for (connection, kind, symbol), side in stale:
            if side == NEW:
                says = f"STALE {connection} {kind} {symbol}: new is silent, legacy is not".replace("  ", " ")
                self._fire("functionality", says, cause=f"stale {connection}", legacy_too=is_shared)

    def _weigh_errors(self) -> None:
        """What new refuses to read, or is refused, and legacy is not."""
        new, legacy = (self.join.errors[side] for side in (NEW, LEGACY))
        for (name, kind), count in new.items():
            more = max(0, count - legacy[name, kind])
            if more > self._more_errors[name, kind]:
                says = f"EXC {name} {kind}: {count} of new, {legacy[name, kind]} of legacy"
                self._fire("functionality", says, cause=f"{kind} {name}")
            self._more_errors[name, kind] = more

    def _weigh_links(self) -> None:
        pids: set[int] = set()
        for name, link in self.join.links.items():
            if (found := link.instability()) is not None:
                self._fire("stability", f"{name}: {found[0]}", cause=name, legacy_too=found[1])
            pids |= {link.pids[NEW] or 0} if link.runs(NEW) and not self._shares(link) else set()
        if grown := self._memory.grown(sorted(pids)):
            self._fire("memory", grown)

    def _shares(self, link: Link) -> bool:
        """Whether new's process holds legacy or the application as well: its growth is not new's alone."""
        return link.pids[NEW] in (link.pids[LEGACY], self._application)

    def _not_judged(self) -> list[str]:
        links = sorted(self.join.links.items())
        sharing = [name for name, link in links if link.runs(NEW) and self._shares(link)]
        return [f"memory of {', '.join(sharing)}: new is not alone in its process"] if sharing else []

    def _weigh_speeds(self, now: int) -> None:
        for name, speed in self._speeds.items():
            speed.settle(now)
            if says := speed.alarm():
                self._fire("performance", f"{name}: {says}", cause=name)

    # What is not known

    def _onset(self) -> Onset:
        states = {speed.state for speed in self._speeds.values()}
        if "alarm" in states:
            return "alarm"
        return "quiet" if "quiet" in states and "calibrating" not in states else "unknown"

    def _held(self) -> list[str]:
        """Every reason why all this is no PASS."""
        join = self.join
        held = []
        if not join.links:
            held.append("nothing is behind the tap: no manager of both stacks is open")
        for name, link in sorted(join.links.items()):
            if (lacking := link.lacks()) is not None:
                held.append(f"{name}: {'neither stack runs' if lacking == BOTH else f'{lacking} does not run'}")
        for side in SIDES:
            if join.links and side not in join.spoke():
                held.append(f"{side} has delivered nothing")
        if join.links and join.spoke() and join.quiet_ns() > QUIET_NS:
            held.append(f"both sides are silent for {join.quiet_ns() / 1e9:.0f} s")
        held += [f"{' '.join(filter(None, key))}: {side} is silent" for key, side in join.stale]
        held += [f"{' '.join(filter(None, key))}: {side} has delivered none yet" for key, side in join.lonely]
        if join.spoke() and join.coverage() < self._limits.session.coverage:
            held.append(f"{1 - join.coverage():.2%} of the events were not seen: the tap or the judge is too slow")
        if self._only_new_at is not None and join.now - self._only_new_at < FRESH_NS and (says := self._invented()):
            held.append(says)
        if self._onset() == "unknown":
            held.append(f"the onset detector is not ready: {self._readiness()}")
        return held

    def _readiness(self) -> str:
        told = [f"{name} {speed.state}, {len(speed.blocks)} blocks" for name, speed in sorted(self._speeds.items())]
        return "; ".join(told) or "no event of both sides yet"

    @staticmethod
    def _figures(speed: Speed) -> dict[str, Any]:
        ratio = speed.ratio()
        return {
            "lead_us": p50(speed.lead_ns),
            "legacy_us": p50(speed.took_ns[LEGACY]),
            "new_us": p50(speed.took_ns[NEW]),
            "ratio": None if ratio is None else round(ratio, 3),
            "blocks": len(speed.blocks),
            "onset": speed.state,
        }
