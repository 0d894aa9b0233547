"""Confirmed facts and failures: what needs no test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from shadow.verdict.evidence import Fact
from shadow.verdict.timeline import Failure, Timeline

if TYPE_CHECKING:
    from shadow.diff.codes import Difference, LegDiff

__all__ = [
    "GRAVE",
    "SAME_LOAD",
    "asked_less",
    "covered_by_list",
    "difference_facts",
    "failure_facts",
    "holds_of",
    "intolerable",
    "is_shared_refusal",
    "legacy_failures",
    "mute_sides",
    "without_shared_refusal",
]

GRAVE = ("critical", "major")
SAME_LOAD = 0.9
"""Both sides ask for the same; what they are owed differs only by what came between a close and the resubscription."""
_REASONS = {
    "not-found": "could not be started",
    "exited-before-hello": "ended before it said hello",
    "no-hello": "never said hello",
    "protocol": "speaks another protocol",
    "no-subscription": "never completed its subscriptions",
    "died": "died",
    "hung": "did not end when told to",
    "no-bye": "ended without saying bye",
}
HARMLESS = ("no-bye",)


def _said(failure: Failure) -> str:
    text = f": {failure.text}" if failure.text else ""
    return f"{_REASONS.get(failure.reason, failure.reason)}{text} (leg {failure.leg})"


def failure_facts(timeline: Timeline) -> list[Fact]:
    """A new stack that is unstartable, dead or hung."""
    return [
        Fact("functionality", f"the new stack {_said(failure)}", f"subject.{failure.reason}")
        for failure in timeline.failures
        if failure.role == "new" and failure.reason not in HARMLESS
    ]


def is_shared_refusal(timeline: Timeline) -> bool:
    """Whether the exchange let no side subscribe: taking new back would help nobody."""
    unserved = {failure.role for failure in timeline.failures if failure.reason == "no-subscription"}
    return {"legacy", "new"} <= unserved


def without_shared_refusal(
    failures: Iterable[Fact], differences: Iterable[Difference]
) -> tuple[list[Fact], list[Difference]]:
    """What is left to blame new for where the exchange let no side subscribe."""
    facts = [fact for fact in failures if fact.worst != "subject.no-subscription"]
    return facts, [d for d in differences if (d.code, d.side, d.field) != ("EXC", "both", "no-subscription")]


def legacy_failures(timeline: Timeline) -> list[str]:
    """A legacy that is unstartable, dead or hung: nothing to compare with."""
    return [
        f"the {'second ' if failure.role == 'legacy2' else ''}legacy stack {_said(failure)}"
        for failure in timeline.failures
        if failure.role != "new" and failure.reason not in HARMLESS
    ]


def mute_sides(diffs: Mapping[str, LegDiff]) -> tuple[list[Fact], list[str]]:
    """Sides that delivered nothing of what they were owed: facts of new, failures of legacy."""
    facts, failures = [], []
    for leg, diff in diffs.items():
        for role in diff.roles:
            totals = diff.totals.get(role, {})
            if totals.get("expected", 0) and not totals.get("input", 0):
                text = f"stack delivered none of {totals['expected']} events (leg {leg})"
                if role == "new":
                    facts.append(Fact("functionality", f"the new {text}", "subject.mute"))
                else:
                    failures.append(f"the legacy {text}")
    return facts, failures


def asked_less(main: LegDiff | None) -> list[str]:
    """A sentence where new was owed clearly less than legacy: what it did not ask for was not compared."""
    if main is None:
        return []
    legacy, new = (main.totals.get(role, {}).get("expected", 0) for role in main.roles)
    return [f"the new stack was owed {new} events, legacy {legacy}"] if new < SAME_LOAD * legacy else []


def difference_facts(differences: Iterable[Difference]) -> list[Fact]:
    """One fact per (code, connection, type, field) of the main leg that is critical or major on new's side or both."""
    found: dict[tuple[str, str, str, str, str], int] = {}
    for d in differences:
        if d.side in ("new", "both") and d.severity in GRAVE and d.code != "UNJUDGED" and d.known is None:
            key = (d.severity, d.code, d.connection, d.type, d.field)
            found[key] = found.get(key, 0) + d.count
    order = sorted(found.items(), key=lambda item: (GRAVE.index(item[0][0]), -item[1], item[0]))
    return [
        Fact(
            "functionality",
            f"{count} {severity} {code} of the new stack in "
            + " ".join(part for part in (connection, kind, field and f"({field})") if part),
            ".".join(part for part in (code, connection, kind) if part),
        )
        for (severity, code, connection, kind, field), count in order
    ]


def covered_by_list(differences: Iterable[Difference]) -> int:
    """Critical and major differences on new's side or both that would be facts, did the known list not cover them."""
    return sum(
        d.count for d in differences if d.side in ("new", "both") and d.severity in GRAVE and d.known is not None
    )


def intolerable(leg: str, differences: Iterable[Difference], excused: Iterable[str]) -> list[str]:
    """Difference classes of an A/A leg that say the set-up cannot be trusted; `excused` connections had faults."""
    excused = set(excused)
    found = {
        f"legacy against itself shows {d.severity} {d.code} in {d.connection} {d.type} (leg {leg})".replace("  ", " ")
        for d in differences
        if d.severity in GRAVE and d.code != "UNJUDGED" and d.known is None and d.connection not in excused
    }
    return sorted(found)


def holds_of(
    diffs: Mapping[str, LegDiff], timeline: Timeline, planned: Iterable[str], manifest_reason: str | None
) -> list[str]:
    """Sentences that keep a session at HOLD: interruption, drops, accounts that do not add up, unjudged events."""
    out = []
    reason = timeline.interrupted or manifest_reason
    if reason:
        legs = ", ".join(timeline.legs) or "none"
        events = sum(totals.get("input", 0) for diff in diffs.values() for totals in diff.totals.values())
        out.append(f"the run was interrupted ({reason}) after {events} events; legs begun: {legs}")
    if timeline.stopped:
        out.append(f"the session was stopped early by {timeline.stopped}")
    if timeline.drops:
        out.append(f"the harness dropped {timeline.drops} rows")
    missing = [leg for leg in planned if leg not in diffs]
    if missing and not (reason or timeline.stopped):
        out.append(f"legs without data: {', '.join(missing)}")
    for leg, diff in diffs.items():
        if not diff.conserved:
            out.append(f"the event accounts of leg {leg} do not add up")
        unjudged = sum(totals.get("codes", {}).get("UNJUDGED", 0) for totals in diff.totals.values())
        if unjudged:
            out.append(f"{unjudged} events of leg {leg} were not judged: the join's memory cap was reached")
    floods = sum(role == "new" and timeline.is_measured(leg, t) for t, leg, role in timeline.loud)
    if floods:
        out.append(f"the new stack flooded its log {floods} time{'s' if floods > 1 else ''}")
    out += [f"the {f.role} stack {_said(f)}" for f in timeline.failures if f.reason in HARMLESS]
    return out
