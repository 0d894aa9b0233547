"""The metrics of one look: who stands where, who serves, who watches, what is open. Pure; listed in docs/monitoring.md.

Counts of events and ratios come from the newest session, as no running process tells them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, get_args

from shadow.diff.codes import EVENT_CODES, INCIDENT_CODES
from shadow.monitoring.evidence import Evidence, worst_metric
from shadow.monitoring.gauges import gauge
from shadow.monitoring.labels import MOST_NAMES, MOST_UNITS, bounded, name_label, one_of, unit_label
from shadow.monitoring.look import Look
from shadow.rollout.consumers import ConsumerStatus, JudgeStatus, TriggerId
from shadow.rollout.lease import LEASE_S
from shadow.rollout.stages import ORDER

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["families", "session_families"]

TRIGGERS: Final[tuple[str, ...]] = get_args(TriggerId)
VERDICTS: Final = ("PASS", "REGRESSION", "HOLD")
SIDES: Final = ("legacy", "new", "both")
CODES: Final = (*EVENT_CODES, *INCIDENT_CODES)

Families = Iterator["GaugeMetricFamily"]


def families(look: Look) -> Families:
    """All that the rollout's files say."""
    yield from _flag(look)
    yield from _units(look)
    yield from _consumers(look)
    yield from _watchers(look)
    yield from _triggers(look)
    yield from _journal(look)


def _flag(look: Look) -> Families:
    yield gauge("flag_readable", "1 while the flag file is understood", float(look.flag_is_good))
    yield gauge("flag_generation", "generation in the flag file", look.mark.generation if look.flag_is_good else None)
    yield gauge("kill_file", "1 while the kill file exists: legacy serves everything", float(look.is_killed))
    rules = {(unit_label(str(rule.unit)),): float(rule.position.rank) for rule in reversed(look.state.rules)}
    names = bounded((unit for (unit,) in rules), MOST_UNITS)
    yield gauge("rule_stage", _STAGE, {(name,): rules[(name,)] for name in names}, ("unit",))


_STAGE: Final = ", ".join(f"{rank} {stage.value}" for rank, stage in enumerate(ORDER))


def _units(look: Look) -> Families:
    kept = bounded(look.stages, MOST_UNITS)
    stages = {(unit_label(name),): float(ORDER.index(look.stages[name])) for name in kept}
    yield gauge("unit_stage", _STAGE, stages, ("unit",))
    yield gauge("units_left_out", "units beyond the most that are shown", float(len(look.stages) - len(kept)))
    serving: dict[tuple[str, ...], float] = {}
    ready: dict[tuple[str, ...], float] = {}
    for file in bounded(look.consumers, MOST_NAMES):
        units = look.consumers[file].units
        for name in sorted(units.keys() & set(kept)):
            key = (name_label(file), unit_label(name))
            serving[key] = float(units[name].serving == "new")
            ready[key] = float(units[name].other_ready)
    labels = ("consumer", "unit")
    yield gauge("unit_serving_new", "1 where new serves the unit, 0 where legacy does", serving, labels)
    yield gauge("standby_ready", "1 where the side that does not serve could take over", ready, labels)


def _consumers(look: Look) -> Families:
    kept = {name_label(file): look.consumers[file] for file in bounded(look.consumers, MOST_NAMES)}
    written_s = _written_s(look)

    def each(name: str, what: str, value: Mapping[str, float | None]) -> GaugeMetricFamily:
        return gauge(name, what, {(key,): found for key, found in value.items()}, ("consumer",))

    yield each("consumer_generation", "generation of the flag that it has applied", _generations(kept))
    ages = {key: _since(look, written_s.get(one.generation)) for key, one in kept.items()}
    yield each("consumer_generation_age_seconds", "since that generation was written", ages)
    stale = {key: _staleness_s(look, one, written_s) for key, one in kept.items()}
    yield each(
        "consumer_flag_staleness_seconds", "since the first generation that it has not applied was written", stale
    )
    yield each(
        "consumer_audit_clean",
        "1 while its flips lost nothing",
        {key: float(one.audit_clean) for key, one in kept.items()},
    )


def _generations(consumers: Mapping[str, ConsumerStatus]) -> dict[str, float | None]:
    return {key: float(one.generation) for key, one in consumers.items()}


def _written_s(look: Look) -> dict[int, float]:
    """When (Unix seconds) the journal wrote each generation."""
    return {entry.fields["generation"]: entry.at_s for entry in look.entries if entry.kind == "flag"}


def _staleness_s(look: Look, consumer: ConsumerStatus, written_s: Mapping[int, float]) -> float | None:
    missing = [at_s for generation, at_s in written_s.items() if generation > consumer.generation]
    return _since(look, min(missing)) if missing else 0.0


def _since(look: Look, at_s: float | None) -> float | None:
    return None if at_s is None else max(0.0, look.now_s - at_s)


def _watchers(look: Look) -> Families:
    ages: dict[tuple[str, ...], float] = {}
    fresh: dict[tuple[str, ...], float] = {}
    groups: tuple[tuple[str, Mapping[str, ConsumerStatus | JudgeStatus]], ...]
    groups = (("consumer", look.consumers), ("judge", look.judges))
    for kind, statuses in groups:
        fresh[(kind,)] = float(sum(look.is_fresh(one) for one in statuses.values()))
        for file in bounded(statuses, MOST_NAMES):
            ages[(kind, name_label(file))] = look.now_s - statuses[file].at
    yield gauge("heartbeat_age_seconds", "since the last heartbeat", ages, ("kind", "name"))
    yield gauge("heartbeats_fresh", "consumers and judges with a fresh heartbeat", fresh, ("kind",))
    unreadable = {(kind,): float(number) for kind, number in look.unreadable.items()}
    yield gauge("status_files_unreadable", "files among theirs that are no status", unreadable, ("kind",))
    lease = look.lease
    yield gauge("lease_held", "1 while a controller watches", float(lease is not None and lease.is_live(look.now_s)))
    age_s = None if lease is None else max(0.0, look.now_s - (lease.until_s - LEASE_S))
    yield gauge("lease_age_seconds", "since the lease was renewed; none where none was left", age_s)


def _triggers(look: Look) -> Families:
    counts: Counter[tuple[str, str]]
    counts = Counter((alarm.trigger, "yes" if alarm.legacy_too else "no") for alarm, _ in look.alarms)
    both = {(trigger, shared): float(counts[trigger, shared]) for trigger in TRIGGERS for shared in ("yes", "no")}
    yield gauge("trigger_open", "open rollback triggers that are told; shared: legacy too", both, ("trigger", "shared"))
    acting = {(trigger,): float(trigger in look.state.acting) for trigger in TRIGGERS}
    yield gauge("trigger_acts", "1 where a drill has proved it, 0 while it only holds", acting, ("trigger",))
    judged: Counter[str] = Counter(one.verdict for one in look.judges.values() if look.is_fresh(one))
    told = {(verdict,): float(judged[verdict]) for verdict in VERDICTS}
    yield gauge("judges", "judges with a fresh heartbeat by what they say", told, ("verdict",))


def _journal(look: Look) -> Families:
    yield gauge("journal_intact", "1 while the journal is as it was written", float(look.journal_is_whole))
    yield gauge("journal_lines", "good lines of the journal", float(len(look.entries)))
    yield gauge("holds", "holds of the rollout", float(len(look.state.holds)))
    causes = Counter(
        one_of(str(entry.fields.get("why", "")).partition(":")[0], TRIGGERS)
        for entry in look.entries
        if entry.fields.get("rolled_back")
    )
    shown = {(cause,): float(causes[cause]) for cause in (*TRIGGERS, "other")}
    yield gauge("rollbacks", "rollbacks in the journal by trigger; other: by hand", shown, ("trigger",))
    last = look.last_rollback
    yield gauge("rollback_age_seconds", "since the last rollback", _since(look, last.at_s if last else None))


def session_families(evidence: Evidence | None, now_s: float) -> Families:
    """What the newest session says; families without values where there is none."""
    age_s = max(0.0, now_s - evidence.started_s) if evidence else None
    yield gauge("session_age_seconds", "since the newest session began", age_s)
    yield gauge("session_trigger_verdict", "1 for what it says of a trigger", _said(evidence), ("trigger", "verdict"))
    yield gauge("session_events", "events of the newest session", _events(evidence), ("kind",))
    yield gauge("session_differences", "its differences", _differences(evidence), ("code", "side"))
    ratios = _ratios(evidence)
    yield gauge("session_worst_ratio", "new / legacy of a trigger's worst metric", ratios, ("trigger", "bound"))


def _said(evidence: Evidence | None) -> dict[tuple[str, ...], float]:
    said = {one.id: one.verdict for one in evidence.verdict.triggers} if evidence else {}
    known = [trigger for trigger in TRIGGERS if trigger in said]
    return {(trigger, word): float(said[trigger] == word) for trigger in known for word in VERDICTS}


def _events(evidence: Evidence | None) -> dict[tuple[str, ...], float | None]:
    coverage = evidence.verdict.coverage if evidence else None
    return {("expected",): coverage.events_expected, ("matched",): coverage.matched} if coverage else {}


def _differences(evidence: Evidence | None) -> dict[tuple[str, ...], float]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in evidence.verdict.differences if evidence else ():
        counts[one_of(row.code, CODES), one_of(row.side, SIDES)] += int(row.count or 0)
    return {key: float(number) for key, number in counts.items()}


def _ratios(evidence: Evidence | None) -> dict[tuple[str, ...], float | None]:
    found: dict[tuple[str, ...], float | None] = {}
    for trigger in TRIGGERS if evidence else ():
        metric = worst_metric(evidence.verdict, trigger) if evidence else None
        if metric is not None and metric.ratio is not None:
            ends = (("low", metric.ratio.low), ("best", metric.ratio.best), ("high", metric.ratio.high))
            found |= {(trigger, bound): value for bound, value in ends}
    return found
