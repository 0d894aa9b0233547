"""The page after a rollback, as HTML and Markdown: what was taken back, what is known of why, what a person has to add.

Made from `rollback.json` in the rollout's folder and the run directory that it names; nothing is taken from the clock.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from reports import markdown, profile_tables
from reports.aftermath import Aftermath
from reports.first_screen import Fact
from reports.profile import bottleneck
from reports.run_data import ReportInput, load
from reports.since import deciding_since
from reports.suspects import first_bad_event, reproducers, suspects
from reports.tables import Table
from reports.templates import page, write_whole
from reports.text import NO_DATA, clean, count, seconds, shorten
from reports.triggers import TRIGGERS

__all__ = ["Analysis", "Rollback", "build", "render"]

NAMES: Final = dict(TRIGGERS)
NO_PROFILE: Final = "No profile was taken in that session. shadow run --sampled-profile takes one."


class Analysis(msgspec.Struct, frozen=True):
    """One item of the checklist's post-rollback analysis: what is known already, and what a person has to find out."""

    title: str
    known: list[str]
    asked: str


class Rollback(msgspec.Struct, frozen=True):
    """All parts of the page as texts."""

    title: str
    meaning: str
    problems: list[str]
    happened: list[Fact]
    evidence: list[Fact]
    commands: list[str]
    split: Table
    suspects: Table
    profile_says: str
    profile: list[Table]
    journal: Table
    analysis: list[Analysis]


def render(folder: Path) -> Path:
    """Write rollback.html and rollback.md, mode 0600, from `rollback.json`; returns the path of rollback.html."""
    found = msgspec.json.decode((folder / "rollback.json").read_bytes(), type=Aftermath)
    run = load(Path(found.run)) if found.run else None
    parts = build(found, run)
    write_whole(folder / "rollback.md", _markdown(parts), 0o600)
    write_whole(folder / "rollback.html", page("rollback.html.jinja", back=parts), 0o600)
    return folder / "rollback.html"


def build(found: Aftermath, run: ReportInput | None) -> Rollback:
    """The page's texts; `run` is the session before the rollback, None where there was none."""
    what = f"{NAMES[found.trigger]} trigger" if found.trigger in NAMES else "by hand"
    ranked = suspects(run, found.units)
    profile = run.profile if run is not None else None
    return Rollback(
        title=f"Taken back: {what}",
        meaning=f"{', '.join(clean(unit) for unit in found.units)}: taken back by the flag at {_utc(found.at_s)}",
        problems=_problems(found, run),
        happened=_happened(found),
        evidence=_evidence(found, run),
        commands=reproducers(found.run, run),
        split=_split(found),
        suspects=ranked,
        profile_says=profile_tables.explain(profile) if profile else NO_PROFILE,
        profile=[profile_tables.stages(profile), profile_tables.functions(profile)] if profile else [],
        journal=_journal(found),
        analysis=_analysis(found, run, ranked),
    )


def _utc(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _problems(found: Aftermath, run: ReportInput | None) -> list[str]:
    gone = {line.consumer for line in found.split if not line.is_fresh}
    late = {line.consumer for line in found.split if line.is_fresh and not line.has_applied}
    still = [one for one in found.split if one.serves_now == "new" and one.stage_since in ("off", "shadow")]
    return [
        *(["the rollout's journal is not as it was written: shadow journal verify"] * (not found.journal_is_whole)),
        *(f"{clean(name)} has no heartbeat: what it serves is not known" for name in sorted(gone)),
        *(f"{clean(name)} has not applied generation {found.generation} yet" for name in sorted(late)),
        *(f"{clean(one.consumer)}: new still serves {clean(one.unit)}" for one in still),
        *([] if found.split else ["no consumer has told what it serves"]),
        *(f"the session before it: {problem}" for problem in (run.problems if run else [])),
    ]


def _happened(found: Aftermath) -> list[Fact]:
    reached = {line.consumer for line in found.split if line.is_fresh and line.has_applied}
    all_of = {line.consumer for line in found.split}
    told_s = found.at_s - found.first_told_s
    onset = f"{seconds(told_s)} before, {_utc(found.first_told_s)}" if told_s > 0 else "not before the rollback"
    opened = [f"{one.trigger} on {clean(one.unit)}: {clean(one.says)}" for one in found.still_open]
    return [
        Fact("When", _utc(found.at_s)),
        Fact("Why", clean(found.why) or NO_DATA),
        Fact("Trigger first in the journal", onset if found.trigger else "no trigger: a person decided"),
        Fact("Units", ", ".join(clean(unit) for unit in found.units)),
        Fact("Rules before", "; ".join(clean(rule) for rule in found.rules_before) or "none"),
        Fact("Generation of the flag", count(found.generation)),
        Fact(
            "Reached",
            f"{len(reached)} of {len(all_of)} consumers",
            "good" if all_of and reached == all_of else "bad",
        ),
        Fact("Still open", "; ".join(opened) or "nothing", "bad" if opened else "good"),
        *([Fact("Rehearsal", "this was no production rollback", "warn")] if found.rehearsal else []),
    ]


def _evidence(found: Aftermath, run: ReportInput | None) -> list[Fact]:
    if run is None or run.verdict is None:
        why = "no session had compared these units before" if not found.run else f"{found.run} holds no usable verdict"
        return [Fact("Session", why, "warn"), Fact("First bad event", NO_DATA), Fact("Onset", NO_DATA)]
    verdict = run.verdict
    bad = verdict.verdict in ("ROLL_BACK", "NOT_FIT")
    return [
        Fact("Session", f"{found.run}, started {clean(run.session.started_utc or NO_DATA)}"),
        Fact("It said", f"{clean(verdict.verdict)}: {clean(verdict.reason)}", "bad" if bad else ""),
        Fact("First bad event", first_bad_event(run)),
        Fact("Onset", deciding_since(run) or "no trigger decided that session"),
    ]


def _split(found: Aftermath) -> Table:
    head = ["Unit", "Consumer", "Stage before", "Served before", "Stage since", "Serves now"]
    rows = [
        [
            clean(one.unit),
            clean(one.consumer),
            one.stage_before,
            one.served_before,
            one.stage_since,
            clean(one.serves_now) + ("" if one.is_fresh else ", as last heard"),
        ]
        for one in found.split
    ]
    return Table("Who was served by whom", head, rows)


def _journal(found: Aftermath) -> Table:
    rows = [
        [str(line.number), _utc(line.at_s), clean(line.kind), shorten(clean(line.says), 300)] for line in found.journal
    ]
    return Table(f"Journal around line {found.number}", ["Line", "When", "What", "Says"], rows)


def _analysis(found: Aftermath, run: ReportInput | None, ranked: Table) -> list[Analysis]:
    """The four lines of the checklist's section Post-Rollback Analysis."""
    judged = [f"{row[0]}: {row[1]}, new / legacy {row[4]}" for row in ranked.rows if row[1] != "PASS"]
    worst = [f"Suspect: {line}" for line in judged[:3]] or ["No metric is known to have been worse before it"]
    first = [f"First bad event: {first_bad_event(run)}"] if run else []
    slow = [row for row in ranked.rows if row[0].split(".")[0] in ("service", "cpu", "latency", "memory", "throughput")]
    profile = [f"{row[0]}: legacy {row[2]}, new {row[3]}, new / legacy {row[4]}" for row in slow[:5]]
    shown = bottleneck(run.profile) if run is not None else ""
    seen = [f"Profile: {clean(shown)}"] if shown else []
    return [
        Analysis(
            "Root cause analysis of issues",
            [f"Told: {clean(found.why) or NO_DATA}", *first, *worst],
            "What was the cause, and which change brought it in?",
        ),
        Analysis(
            "Performance profiling to identify bottlenecks",
            [*seen, *(profile or ["No figures: no session before the rollback judged them"])],
            "Does the function with the largest difference explain the trigger, and what made it dear?"
            if seen
            else f"{NO_PROFILE} Which function takes the time or memory?",
        ),
        Analysis(
            "Architectural review if fundamental issues found",
            [f"Taken back before: {', '.join(_utc(at_s) for at_s in found.earlier_s) or 'never'}"],
            "Is it a fault in one place, or does the design make it likely again?",
        ),
        Analysis(
            "Timeline for retry with fixes",
            [clean(one) for one in found.latches] or ["The cool-down has passed"],
            "Which fix, proved by which session and drill, by when? Then: shadow rollout advance",
        ),
    ]


def _markdown(back: Rollback) -> str:
    lines = [f"## {markdown.words(back.title)}", "", markdown.words(back.meaning), ""]
    lines += [f"> {markdown.words(problem)}" for problem in back.problems] + [""] * bool(back.problems)
    for title, facts in (("What happened", back.happened), ("Evidence", back.evidence)):
        told = (f"- {markdown.words(one.label)}: {markdown.words(one.text)}" for one in facts)
        lines += [f"**{title}**", "", *told, ""]
    lines += ["**Reproducer**", "", *(f"- {markdown.code(command)}" for command in back.commands), ""]
    lines += [*_table(back.split), *_table(back.suspects)]
    lines += [f"**Profile**: {markdown.words(back.profile_says)}", ""]
    for table in (*back.profile, back.journal):
        lines += _table(table)
    lines += ["**Post-rollback analysis**", ""]
    for item in back.analysis:
        lines += [f"- [ ] **{markdown.words(item.title)}**"]
        lines += [f"  - {markdown.words(known)}" for known in item.known]
        lines += [f"  - {markdown.words(item.asked)}", "  - Finding: ", "  - Who, by when: "]
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(table: Table) -> list[str]:
    if not table.rows:
        return [f"**{markdown.words(table.caption)}**: no data", ""]
    rows = [markdown.table_row([markdown.words(cell) for cell in row]) for row in table.rows]
    return [f"**{markdown.words(table.caption)}**", "", *markdown.table_head(table.head), *rows, ""]
