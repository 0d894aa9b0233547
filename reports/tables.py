"""The tables below the first screen, as rows of texts with a tone for the eye."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from reports.first_screen import describe
from reports.outages import outages
from reports.records import DifferenceRow, Metric
from reports.run_data import ReportInput, Reproducer
from reports.series import Forest, Load, Sample, Totals
from reports.text import NO_DATA, count, plain, quantity, ratio, seconds, shorten
from reports.triggers import DEFAULT_SEVERITY, interval

__all__ = [
    "DifferenceLine",
    "Table",
    "connect_times",
    "connections",
    "conservation",
    "differences",
    "is_declared",
    "load",
    "method",
    "metrics",
    "outages_table",
    "value_text",
]

SAMPLES_SHOWN: Final = 3
SAMPLE_LENGTH: Final = 600
NOTE_LENGTH: Final = 160


class Table(msgspec.Struct, frozen=True):
    """Head and rows; the first column is each row's header. `verdict_column` is shown as a badge."""

    caption: str
    head: list[str]
    rows: list[list[str]]
    verdict_column: int = -1


class SampleText(msgspec.Struct, frozen=True):
    """One sample of a difference, ready to print."""

    title: str
    expected: str
    delivered: str
    frame: str


class DifferenceLine(msgspec.Struct, frozen=True):
    """A class of differences in the main leg, with the same class's count in the A/A legs (the floor)."""

    code: str
    side: str
    severity: str
    where: str
    field: str
    count: str
    floor: str
    known: str
    samples: list[SampleText]
    more: int
    reproducers: list[str]


def metrics(data: ReportInput) -> Table:
    """Every metric with its numbers: the text behind the forest plot."""
    forest = {row.id: row for row in data.analysis.forest}
    rows = []
    for metric in data.verdict.metrics if data.verdict else []:
        drawn = forest.get(metric.id)
        declared = is_declared(metric, drawn)
        blocks = count(metric.blocks)
        if metric.blocks_declared is not None:
            blocks += f" / {count(metric.blocks_declared)}"
        rows.append(
            [
                metric.id,
                quantity(metric.legacy, metric.unit),
                quantity(metric.new, metric.unit),
                interval(metric.ratio),
                metric.verdict,
                NO_DATA if declared is None else ("yes" if declared else "no"),
                count(metric.n),
                blocks,
                ratio(metric.detectable),
                interval(drawn.aa if drawn else None),
                shorten(metric.note, NOTE_LENGTH) or "-",
            ]
        )
    head = ["Metric", "Legacy", "New", "Ratio [low, best, high]", "Verdict", "Declared", "n", "Blocks (of declared)"]
    return Table("All metrics", [*head, "Smallest effect", "A/A ratio", "Note"], rows, verdict_column=4)


def is_declared(metric: Metric, drawn: Forest | None) -> bool | None:
    """Whether a metric was declared before the run; None where the run does not say."""
    return metric.declared if metric.declared is not None else (drawn.declared if drawn else None)


def differences(data: ReportInput) -> list[DifferenceLine]:
    """Difference classes of the main leg, gravest first."""
    order = {"critical": 0, "major": 1, "minor": 2}
    lines = [_difference(data, row) for row in (data.verdict.differences if data.verdict else [])]
    return sorted(lines, key=lambda line: (line.side == "legacy", order.get(line.severity, 3), line.code, line.where))


def _difference(data: ReportInput, row: DifferenceRow) -> DifferenceLine:
    same = [other for other in data.differences if _same(other, row)]
    own = [other for other in same if (other.leg or "main").startswith("main") and other.side == row.side]
    floor = sum(other.count or 0 for other in same if (other.leg or "").startswith("aa"))
    severity = row.severity or next((o.severity for o in own if o.severity), None)
    fields = sorted({other.field for other in [row, *own] if other.field})
    samples = [s for s in data.analysis.samples if _same(s, row) and s.side == row.side]
    samples = [sample for sample in samples if (sample.leg or "main").startswith("main")]
    return DifferenceLine(
        code=row.code,
        side=row.side,
        severity=severity or DEFAULT_SEVERITY.get(row.code, "info"),
        where=" ".join(part for part in (row.connection, row.type) if part) or "-",
        field=shorten(", ".join(fields), 80) or "-",
        count=count(row.count),
        floor=count(floor) if data.session.calibration is not False and data.differences else NO_DATA,
        known=row.known or next((o.known for o in own if o.known), None) or "",
        samples=[_sample(sample) for sample in samples[:SAMPLES_SHOWN]],
        more=max(0, len(samples) - SAMPLES_SHOWN),
        reproducers=[one.folder for one in data.reproducers if row.side in ("new", "both") and _same(one, row)],
    )


def _same(other: DifferenceRow | Sample | Reproducer, row: DifferenceRow) -> bool:
    """Whether `other` belongs to the class `row`; a row without a field takes all fields in."""
    where = (other.code, other.connection or "", other.type or "")
    if where != (row.code, row.connection or "", row.type or ""):
        return False
    return row.field is None or (other.field or "") == row.field


def _sample(sample: Sample) -> SampleText:
    place = NO_DATA if sample.frame_no is None else count(sample.frame_no)
    title = " · ".join(part for part in (f"frame {place}", sample.symbol, sample.field) if part)
    return SampleText(title, value_text(sample.expected), value_text(sample.delivered), value_text(sample.frame))


def value_text(value: Any, length: int = SAMPLE_LENGTH) -> str:
    """An event or frame of a sample as text, cut to `length` characters."""
    if value is None:
        return NO_DATA
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    return shorten(text, length)


def outages_table(data: ReportInput) -> Table:
    """Outages of the main leg, counted and summed by who caused them."""
    found: dict[tuple[str, str, str], list[float | None]] = {}
    for outage in outages(data.analysis):
        lasted = None if outage.end_s is None else outage.end_s - outage.begin_s
        if outage.leg.startswith("main"):
            found.setdefault((outage.connection, outage.role, outage.kind), []).append(lasted)
    rows = []
    for (connection, role, kind), spans in sorted(found.items()):
        closed = [span for span in spans if span is not None]
        longest = f"{max(closed) * 1000:.1f} ms" if closed else NO_DATA
        rows.append([connection, role, kind, str(len(spans)), longest, str(len(spans) - len(closed))])
    return Table(
        "Outages of the main leg", ["Connection", "Subject", "Cause", "Count", "Longest", "Not recovered"], rows
    )


def connect_times(data: ReportInput) -> Table:
    """Times of the connect leg."""
    rows = []
    for connection, roles in sorted(data.analysis.connect.items()):
        for role, times in sorted(roles.items()):
            figures = [
                cell for pair in (times.connect_ns, times.reconnect_ns, times.subscribe_ns) for cell in _pair(pair)
            ]
            rows.append([connection, role, *figures, count(times.n)])
    head = ["Connection", "Subject", "Connect median", "p90", "Reconnect median", "p90", "Subscribe median", "p90", "n"]
    return Table("Connect leg: times after forced closes", head, rows)


def _pair(values: list[float | None] | None) -> list[str]:
    filled = [*(values or []), None, None][:2]
    return [quantity(value, "ns") for value in filled]


def conservation(data: ReportInput) -> Table:
    """Where every event ended, for each leg and subject."""
    codes = sorted({code for roles in data.analysis.conservation.values() for t in roles.values() for code in t.codes})
    rows = [
        [
            f"{leg} · {role}",
            count(tally.expected),
            count(tally.input),
            *(count(tally.codes.get(code, 0)) for code in codes),
        ]
        for leg, roles in data.analysis.conservation.items()
        for role, tally in roles.items()
    ]
    return Table("Where every event ended", ["Leg and subject", "Expected", "Delivered", *codes], rows)


def load(data: ReportInput) -> list[tuple[str, str]]:
    """Rates and totals of the run."""
    asked = data.analysis.load or Load()
    totals = data.analysis.totals or Totals()
    rate = asked.rate_asked
    facts = [
        ("Rate asked / sent", f"{rate if isinstance(rate, str) else plain(rate)} / {plain(asked.rate_sent)} per s"),
        ("Frames queued / overlapped", f"{count(asked.queued)} / {count(asked.overlapped)}"),
        ("Frames in all", count(totals.frames)),
    ]
    return facts + [(f"Events of {role}", count(n)) for role, n in (totals.events or {}).items()]


def connections(data: ReportInput) -> list[tuple[str, str]]:
    """The two commands under comparison and the machine."""
    commands = data.session.commands or {}
    machine = data.session.machine or {}
    facts = [(f"Command of {role}", describe(command)) for role, command in commands.items()]
    return [*facts, ("Machine", ", ".join(f"{key} {describe(value)}" for key, value in machine.items()) or NO_DATA)]


def method(data: ReportInput) -> list[tuple[str, str]]:
    """Tests, levels and block length; what was not judged has a list of its own."""
    plan = data.session.plan
    block = f"{plan.block_s:g} s" if plan and plan.block_s else NO_DATA
    gap = f"{plan.gap_us:g} µs" if plan and plan.gap_us is not None else NO_DATA
    legs = ", ".join(leg.leg for leg in plan.legs) if plan and plan.legs else NO_DATA
    planned = sum(p.seconds or 0 for leg in plan.legs for p in leg.phases) if plan else 0
    cores = "both subjects share a core of their own" if data.session.cores == "shared" else "free to use any core"
    return [
        ("Legs", f"{legs}; {seconds(planned)} planned" if planned else legs),
        (
            "Blocks",
            f"{block} each, declared before the run; unit: ln(new / legacy), mean of two medians by write order",
        ),
        ("Staggered tee", f"each frame goes to one subject and after {gap} to the other, order by seed"),
        ("Latency, CPU", "interval of the mean of block values, studentised, t with effective n"),
        ("Service", "ln(new / legacy) of each pair of bursts; mean of their middle half, t (Tukey & McLaughlin 1963)"),
        ("Quantiles", "ratio by write order, each block's common level divided out, interval by resampling blocks"),
        ("Processes", f"same hash seed, allocator thresholds and, if the system allows it, address layout; {cores}"),
        ("Memory", "fires above +20 % and 8 MiB; the slope is judged from ten minutes on"),
        ("Uptime", "fires above 1 % own-caused downtime, or 100 ms more than legacy"),
        ("Facts", "no test: every event is compared with what was sent; one serious difference of new decides"),
        (
            "Decision",
            "interval wholly above 1.10 (turned where lower is worse): REGRESSION; wholly below: PASS; else HOLD",
        ),
        ("Ship", "needs every declared metric to PASS"),
        ("Level", "1 % for each test towards SHIP; 1 % for the session towards REGRESSION"),
        (
            "Calibration",
            "A/A interval within 1/1.05 to 1.05; the positive control, +30 % of service time, must be seen",
        ),
        ("Not in this report", "queue depth and drops, flips with audit: this session records none"),
    ]
