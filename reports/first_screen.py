"""The first screen, for the person who signs: seven items as plain texts, shared by HTML and Markdown."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from reports import triggers
from reports.run_data import ReportInput
from reports.series import Cell
from reports.since import deciding_since
from reports.targets import summary, target_rows
from reports.text import NO_DATA, count, percent, seconds, shorten
from reports.triggers import TRIGGERS, TriggerLine, facts_evidence, find_trigger

__all__ = ["ALL_CONNECTIONS", "WORDS", "Fact", "FirstScreen", "build", "decider", "describe", "problems_of", "spoken"]

WORDS: Final = {"SHIP": "SHIP", "HOLD": "HOLD", "ROLL_BACK": "ROLL BACK", "NOT_FIT": "NOT FIT"}
MEANINGS: Final = {
    "SHIP": "The new stack is no worse than legacy in what this session covers; see Scope.",
    "HOLD": "No decision: the evidence of this session is not enough.",
    "ROLL_BACK": "The legacy stack stays, or comes back.",
    "NOT_FIT": "This set-up cannot judge; nothing is said about the new stack.",
    "": "The run holds no usable verdict. Run: shadow judge RUN",
}
ALL_CONNECTIONS: Final = (
    "gateio.spot.public",
    "gateio.spot.private",
    "gateio.futures.public",
    "gateio.futures.private",
    "mexc.spot.public",
    "mexc.spot.private",
)


class Fact(msgspec.Struct, frozen=True):
    """A labelled line; `tone` is `good`, `bad`, `warn` or empty."""

    label: str
    text: str
    tone: str = ""


class FirstScreen(msgspec.Struct, frozen=True):
    """Everything above the fold."""

    verdict: str
    word: str
    meaning: str
    reason: str
    decided_by: str
    since: str
    grade: str
    triggers: list[TriggerLine]
    coverage: list[Fact]
    flips: list[Fact]
    exceptions: list[Fact]
    scope: list[Fact]
    signoff: list[Fact]
    problems: list[str]


def build(data: ReportInput) -> FirstScreen:
    """The first screen of a run, whole or partial."""
    verdict = data.verdict
    code = verdict.verdict if verdict else ""
    return FirstScreen(
        verdict=code if code in WORDS else "NONE",
        word=spoken(code),
        meaning=MEANINGS.get(code, MEANINGS[""]),
        reason=verdict.reason if verdict else "",
        decided_by=decider(data),
        since=deciding_since(data),
        grade=(verdict.grade if verdict else "") or data.session.grade or NO_DATA,
        triggers=triggers.lines(data),
        coverage=_coverage(data),
        flips=_flips(),
        exceptions=_exceptions(data),
        scope=_scope(data),
        signoff=_signoff(data),
        problems=problems_of(data),
    )


def spoken(code: str) -> str:
    """A verdict's code in words; an unknown one is shown as such."""
    return WORDS.get(code, f"UNKNOWN VERDICT {shorten(code, 40)}" if code else "NO VERDICT")


def decider(data: ReportInput) -> str:
    """The trigger that decided, with its worst metric."""
    decided = data.verdict.decided_by if data.verdict else None
    if decided is None:
        return "no trigger fired" if data.verdict and data.verdict.verdict == "SHIP" else "no trigger"
    name = next((name for id_, name in TRIGGERS if id_ == decided), decided)
    trigger = find_trigger(data, decided)
    return f"{name} trigger ({trigger.worst})" if trigger and trigger.worst else f"{name} trigger"


def _coverage(data: ReportInput) -> list[Fact]:
    coverage = data.verdict.coverage if data.verdict else None
    calibration = data.verdict.calibration if data.verdict else None
    conservation = data.verdict.conservation if data.verdict else None
    drops = coverage.harness_drops if coverage else None
    share = coverage.share if coverage else None
    problems = calibration.problems if calibration else []
    calibrated = calibration if calibration is not None and calibration.present else None
    return [
        Fact("Judged / declared", _cells(data.analysis.coverage_cells)),
        Fact(
            "Events compared",
            f"{facts_evidence(data)}; {count(coverage.frames_sent if coverage else None)} frames sent",
        ),
        Fact("Share accounted for", percent(share, 3), "" if share is None else ("good" if share >= 0.999 else "bad")),
        _check(
            "Conservation check", conservation.ok if conservation else None, "totals add up", "totals do not add up"
        ),
        _check("A/A gate", calibrated.ok if calibrated else None, "passed", "not passed", "not run"),
        _check("Positive control", calibrated.positive_control if calibrated else None, "seen", "not seen", "not run"),
        *([Fact("Calibration", "; ".join(problems), "bad")] if problems else []),
        Fact("Harness drops", count(drops), "" if drops is None else ("bad" if drops else "good")),
        Fact("Targets (section i)", summary(target_rows(data))),
        *_raw_data(data),
    ]


def _raw_data(data: ReportInput) -> list[Fact]:
    """How much raw data a session in stretches still has."""
    stretches, totals = data.analysis.stretches, data.analysis.totals
    if stretches is None:
        return []
    number = sum(int(leg.get("n") or 0) for leg in stretches.legs)
    latency = f"; one frame in {stretches.keep_one_in} for latency" if stretches.keep_one_in > 1 else ""
    return [
        Fact(
            "Raw data still there",
            f"the newest {count(stretches.raw_frames)} of {count(totals.frames if totals else None)} frames;"
            f" all were compared, in {count(number)} stretches{latency}",
        )
    ]


def _check(label: str, ok: bool | None, yes: str, no: str, nothing: str = NO_DATA) -> Fact:
    return Fact(label, nothing) if ok is None else Fact(label, yes if ok else no, "good" if ok else "bad")


def _cells(cells: list[Cell]) -> str:
    declared = [cell for cell in cells if cell.declared is not False]
    judged = [cell for cell in declared if cell.matched]
    if not declared:
        return NO_DATA

    def shape(chosen: list[Cell]) -> str:
        # The exchanges spell one symbol differently.
        venues = {cell.connection.split(".")[0] for cell in chosen}
        return (
            f"{len(venues)} × {len({c.channel for c in chosen})} × {len({c.symbol.replace('_', '') for c in chosen})}"
        )

    return f"{len(judged)} / {len(declared)} cells; venues × channels × symbols {shape(judged)} / {shape(declared)}"


def _flips() -> list[Fact]:
    return [
        *(Fact(f"Last drill: {name.lower()}", "no drill recorded yet", "warn") for _, name in TRIGGERS),
        Fact("Flip time", "no flip recorded yet", "warn"),
        Fact("Lost / duplicated at flips", "no flip recorded yet", "warn"),
        Fact("A rollback now", "this session changed no flag; nothing is flipped, nothing would be taken back"),
    ]


def _exceptions(data: ReportInput) -> list[Fact]:
    known = [describe(item) for item in data.verdict.known] if data.verdict else []
    empty = [
        f"{cell.connection} {cell.channel} {cell.symbol}" for cell in data.analysis.coverage_cells if not cell.matched
    ]
    return [
        Fact("Known differences", _listed(known) if data.verdict else NO_DATA, "warn" if known else ""),
        Fact("Muted metrics", "none"),
        Fact(
            "Cells without data", _listed(empty) if data.analysis.coverage_cells else NO_DATA, "warn" if empty else ""
        ),
    ]


def _listed(items: list[str], most: int = 8) -> str:
    if not items:
        return "none"
    rest = f"; and {len(items) - most} more" if len(items) > most else ""
    return "; ".join(items[:most]) + rest


def describe(item: Any) -> str:
    """An entry of a list whose members may be texts or records, as one line."""
    if isinstance(item, dict):
        head = [str(item[key]) for key in ("id", "metric", "code") if item.get(key) is not None]
        rest = [f"{key} {value}" for key, value in item.items() if key not in ("id", "metric", "code")]
        return ", ".join([*head, *rest])
    return NO_DATA if item is None else str(item)


def _scope(data: ReportInput) -> list[Fact]:
    session = data.session
    left_out = [name for name in ALL_CONNECTIONS if name not in session.connections]
    faults = [describe(fault) for fault in session.faults]
    rate = session.rate if isinstance(session.rate, str) else count(session.rate)
    seed = NO_DATA if session.seed is None else session.seed
    shape = f"profile {session.profile or NO_DATA}; {rate} messages/s for each subject; seed {seed}"
    if session.time_scale != 1.0:
        shape += f"; COMPRESSED DAY: 24 hours in {seconds(86_400 / session.time_scale)}"
    return [
        Fact("Grade and feed", f"{session.grade or NO_DATA}; feed {session.feed or NO_DATA}"),
        Fact("Load", f"{shape}; {seconds(session.duration_s)}"),
        Fact("Connections", ", ".join(session.connections) or NO_DATA),
        Fact("Symbols", ", ".join(session.symbols) or NO_DATA),
        Fact("Faults injected", _listed(faults) if session.run else NO_DATA),
        Fact("Not tested", "; ".join(_not_tested(data, left_out)), "warn"),
        Fact("Since the last sign-off", "no sign-off recorded yet"),
    ]


def _not_tested(data: ReportInput, left_out: list[str]) -> list[str]:
    if data.session.feed is None:
        return [NO_DATA]
    gaps = (
        []
        if data.session.feed.startswith("live") and not data.session.own_upstream
        else ["never against the real exchange (an upstream of its own, named by a file)"]
        if data.session.own_upstream
        else ["never against the real exchange (loopback venue, no TLS, no network delay)"]
    )
    unjudged = sum(metric.verdict == "NOT_JUDGED" for metric in data.verdict.metrics) if data.verdict else 0
    if unjudged:
        gaps.append(f"{unjudged} metrics shown without judgement, tails among them (section k)")
    if left_out and data.session.connections:
        gaps.append("connections left out: " + ", ".join(left_out))
    if data.session.calibration is False:
        gaps.append("no calibration: what the set-up can see is not known")
    return gaps


def _signoff(data: ReportInput) -> list[Fact]:
    versions = data.session.versions or {}
    return [
        Fact("Data hash", (data.verdict.data_sha256 if data.verdict else None) or NO_DATA),
        Fact("Config hash", (data.verdict.config_sha256 if data.verdict else None) or NO_DATA),
        Fact("Version", ", ".join(f"{name} {value}" for name, value in sorted(versions.items())) or NO_DATA),
        Fact("Run", f"{data.session.run or NO_DATA}, started {data.session.started_utc or NO_DATA}"),
        Fact("Re-derive", "shadow judge RUN"),
    ]


def problems_of(data: ReportInput) -> list[str]:
    """What limits a run's figures: files that cannot be used, an interruption."""
    problems = [data.running, *data.problems] if data.running else list(data.problems)
    if data.manifest.interrupted:
        problems.append(f"the run was interrupted: {data.manifest.interrupted}")
    elif data.manifest.complete is False:
        problems.append("the run is not complete")
    return problems
