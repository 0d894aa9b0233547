"""The verdict of a run, derived from its raw tables alone; the same run gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from shadow.capture.manifest import config_sha256, data_sha256
from shadow.capture.probe_file import read_probe
from shadow.errors import RunError
from shadow.verdict.analysis import build_analysis
from shadow.verdict.assess import EXIT_CODES, assess
from shadow.verdict.checklist import load_checklist
from shadow.verdict.collect import Collected
from shadow.verdict.evidence import Evidence, Fact, Measured, six_digits
from shadow.verdict.facts import (
    GRAVE,
    SAME_LOAD,
    covered_by_list,
    difference_facts,
    failure_facts,
    holds_of,
    intolerable,
    is_shared_refusal,
    legacy_failures,
    mute_sides,
    without_shared_refusal,
)
from shadow.verdict.lacks import lacks_of
from shadow.verdict.last_words import with_last_words, without_bye
from shadow.verdict.legs import DiffLegs, KnownList, diff_legs, read_known
from shadow.verdict.plan_view import PlanView
from shadow.verdict.stretched import Stretched, read_stretched
from shadow.verdict.targets import TargetData, target_lines
from shadow.verdict.timeline import Timeline, read_marks
from shadow.verdict.watched import watched_of

if TYPE_CHECKING:
    from shadow.capture.reader import RunData
    from shadow.diff.codes import Difference, LegDiff

__all__ = ["Judgement", "exit_code", "facts_of", "gather", "judge", "judge_diffs"]


@dataclass(frozen=True)
class Judgement:
    """verdict.json, analysis.json and the rows of differences.parquet."""

    verdict: dict[str, Any]
    analysis: dict[str, Any]
    differences: list[dict[str, Any]]


def exit_code(verdict: Mapping[str, Any]) -> int:
    """Exit code of a command that ends with this verdict."""
    return EXIT_CODES[verdict["verdict"]]


def judge(run: RunData, differ: DiffLegs = diff_legs) -> Judgement:
    """Judge a run directory, its legs compared by `differ`; RunError where a raw file is missing or altered."""
    sealed = (run.path / "manifest.json").is_file()
    if sealed:
        run.verify()
    plan = PlanView(run.session)
    timeline = read_marks(run.table("marks").to_pylist())
    timeline.failures = with_last_words(timeline.failures, run) + without_bye(timeline, run)
    known = read_known(run.path, run.session)
    legs = [(str(leg["leg"]), plan.roles(leg["leg"])) for leg in plan.legs if leg["leg"] in timeline.legs]
    stretched = read_stretched(run.path)
    if run.session.get("stretch_s"):
        return judge_diffs(run, plan, timeline, stretched.diffs(run.session, known), known, stretched)
    return judge_diffs(run, plan, timeline, differ(run.path, legs, known), known)


def judge_diffs(
    run: RunData,
    plan: PlanView,
    timeline: Timeline,
    diffs: Mapping[str, LegDiff],
    known: KnownList = (),
    stretched: Stretched | None = None,
) -> Judgement:
    """Judge a run whose legs have been compared."""
    limits = load_checklist()
    collected = Collected(run, plan, timeline, diffs, limits, stretched or Stretched())
    evidence = gather(collected)
    assessment = assess(evidence, limits)
    measured = TargetData(
        read_probe(run.path),
        {} if plan.replay else collected.stamped(),
        collected.recovered,
        {metric.id: metric for metric in assessment.metrics},
    )
    rows = _difference_rows(diffs)
    verdict = {
        "schema": 1,
        "verdict": assessment.outcome,
        "grade": evidence.grade,
        "reason": assessment.reason,
        "decided_by": assessment.decided_by,
        "triggers": [line.as_json() for line in assessment.triggers],
        "metrics": [metric.as_json() for metric in assessment.metrics],
        "differences": [
            {name: row[name] for name in ("code", "side", "severity", "connection", "type", "field", "count", "known")}
            for row in _merged(collected.main)
        ],
        "conservation": {"ok": bool(diffs) and all(diff.conserved for diff in diffs.values())},
        "coverage": _coverage(evidence, collected.main, timeline),
        "calibration": assessment.calibration.as_json(),
        "sequential": assessment.watch.as_json(),
        "targets": target_lines(limits.target, measured, limits.session.margin),
        "known": _known(known, collected.main),
        "not_judged": [metric.id for metric in assessment.metrics if metric.verdict == "NOT_JUDGED"],
        "data_sha256": data_sha256(run.path),
        "config_sha256": config_sha256(run.path),
    }
    return Judgement(verdict, build_analysis(collected, assessment), rows)


def gather(collected: Collected) -> Evidence:
    """What the verdict is decided on, from a run's figures."""
    plan, timeline, diffs = collected.plan, collected.timeline, collected.diffs
    main = collected.main
    mute_legacies = mute_sides(diffs)[1]
    manifest_reason = _manifest_reason(collected.run)
    calibrated = plan.calibrated
    metrics = (
        collected.facts_only() if plan.replay or plan.live or plan.capacity else collected.comparison(plan.main_legs)
    )
    aa = {metric.id: metric for metric in collected.comparison(plan.aa_legs)} if calibrated else None
    return Evidence(
        grade=plan.grade,
        facts_only=_facts_only(plan, metrics),
        calibrated=calibrated,
        metrics=metrics,
        aa=aa,
        control=collected.control() if calibrated else None,
        facts=facts_of(collected),
        legacy_failures=legacy_failures(timeline) + mute_legacies,
        aa_intolerable=_aa_intolerable(collected) if calibrated else [],
        hold=holds_of(diffs, timeline, [leg["leg"] for leg in plan.legs], manifest_reason) + lacks_of(collected),
        covered=covered_by_list(_told(collected)[1]),
        short=plan.short,
        watched=watched_of(collected) if calibrated else [],
        interrupted=bool(timeline.interrupted or manifest_reason),
        frames_sent=main.frames_sent if main else 0,
        frames_accounted=main.frames_accounted if main else 0,
    )


def facts_of(collected: Collected, severities: Sequence[str] = GRAVE) -> list[Fact]:
    """Confirmed facts of new: failures, silence, and differences of these severities."""
    failures, differences = _told(collected)
    grave = [d for d in differences if d.severity in severities]
    return failures + mute_sides(collected.diffs)[0] + difference_facts(grave)


def _told(collected: Collected) -> tuple[list[Fact], list[Difference]]:
    """Failures and differences, without what an exchange refused to both sides."""
    timeline, main = collected.timeline, collected.main
    failures, differences = failure_facts(timeline), main.differences if main else []
    if collected.plan.live and is_shared_refusal(timeline):
        return without_shared_refusal(failures, differences)
    return failures, differences


def _facts_only(plan: PlanView, metrics: Sequence[Measured]) -> str:
    """Why a session judges no latency; empty where it does."""
    if plan.replay:
        return "a replay proves facts only"
    if plan.direct:
        return "in direct mode each stack has connections of its own, so nothing is paired"
    if plan.live:
        return "a live session proves facts only"
    if not plan.capacity:
        return ""
    new, legacy = next(((m.new, m.legacy) for m in metrics if m.id == "throughput.max"), (None, None))
    # As the metric shows them, so that both are rounded alike.
    paces = (six_digits(new) or 0.0, six_digits(legacy) or 0.0)
    return "of the steps new kept up with {:.0f} frames/s, legacy with {:.0f}".format(*paces)


def _aa_intolerable(collected: Collected) -> list[str]:
    """Classes that legacy shows against itself, but for connections that the session disturbed on purpose."""
    plan = collected.plan
    out: list[str] = []
    for leg in plan.aa_legs:
        if leg in collected.diffs:
            excused = {connection for at, connection in collected.timeline.faulted if at == leg}
            excused |= set(plan.connections) if plan.storm else set()
            out += intolerable(leg, collected.diffs[leg].differences, excused)
    return out


def _manifest_reason(run: RunData) -> str | None:
    try:
        manifest = run.manifest
    except RunError:
        return "the run was not sealed"
    return manifest.interrupted or (None if manifest.complete else "the run is not complete")


def _coverage(evidence: Evidence, main: LegDiff | None, timeline: Timeline) -> dict[str, Any]:
    """What was compared. A side that never asked for its data is owed what the other one got: its silence is a gap."""
    totals = list(main.totals.values()) if main else []
    most = max((side.get("expected", 0) for side in totals), default=0)
    asked = [side.get("expected", 0) for side in totals]
    expected = sum(count if count >= SAME_LOAD * most else most for count in asked)
    matched = sum(side.get("expected_codes", side.get("codes", {})).get("MATCH", 0) for side in totals)
    share = evidence.frames_share
    if expected > sum(asked):
        share = min(share, matched / expected)
    return {
        "frames_sent": evidence.frames_sent,
        "frames_accounted": evidence.frames_accounted,
        "events_expected": expected,
        "matched": matched,
        "share": six_digits(share),
        "harness_drops": timeline.drops,
    }


def _merged(main: LegDiff | None) -> list[dict[str, Any]]:
    """Differences of the comparison over all symbols."""
    counts: dict[tuple[Any, ...], int] = {}
    for d in main.differences if main else ():
        key = (d.code, d.side, d.severity, d.connection, d.type, d.field, d.known)
        counts[key] = counts.get(key, 0) + d.count
    names = ("code", "side", "severity", "connection", "type", "field", "known")
    order = sorted(counts.items(), key=lambda item: tuple(str(part) for part in item[0]))
    return [dict(zip(names, key, strict=True)) | {"count": count} for key, count in order]


def _difference_rows(diffs: Mapping[str, LegDiff]) -> list[dict[str, Any]]:
    """One row per difference of every leg with its first sample as JSON."""
    names = ("code", "side", "severity", "connection", "type", "symbol", "field", "count")
    out = []
    for leg, diff in diffs.items():
        samples: dict[tuple[Any, ...], dict[str, Any]] = {}
        for sample in diff.samples:
            key = tuple(sample.get(name) for name in ("code", "side", "connection", "type", "symbol", "field"))
            samples.setdefault(key, sample)
        for d in diff.differences:
            first = samples.get((d.code, d.side, d.connection, d.type, d.symbol, d.field))
            text = orjson.dumps(first, default=_text, option=orjson.OPT_SERIALIZE_NUMPY).decode() if first else ""
            out.append({name: getattr(d, name) for name in names} | {"leg": leg, "sample": text})
    return sorted(out, key=lambda row: tuple(str(row[name]) for name in ("leg", *names)))


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _known(known: KnownList, main: LegDiff | None) -> list[dict[str, Any]]:
    """Entries of the known-differences list with how often each covered one in the comparison."""
    counts: dict[str, int] = {}
    for d in main.differences if main else ():
        if d.known is not None:
            counts[d.known] = counts.get(d.known, 0) + d.count
    return [msgspec.to_builtins(entry) | {"count": counts.get(entry.id, 0)} for entry in known]
