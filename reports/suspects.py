"""What a session holds against new: its first bad event, its metrics with the worst first, and how to see it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from reports.records import Metric
from reports.run_data import ReportInput
from reports.series import Evidence, Sample
from reports.tables import Table, value_text
from reports.text import clean, count, plain, quantity, shorten
from reports.triggers import interval

__all__ = ["first_bad_event", "reproducers", "suspects"]

SHOWN: Final = 12
SAMPLE_LENGTH: Final = 160
PROCESS: Final = ("cpu", "memory", "throughput")
PRIVATE_TYPES: Final = ("order", "fill", "balance", "position")
ORDER: Final = {"REGRESSION": 0, "HOLD": 1, "PASS": 2}
HEAD: Final = [
    *("Metric", "Verdict", "Legacy", "New", "New / legacy [low, best, high]"),
    *("Place by e-BH", "ln E", "Of the units", "Note"),
]


def first_bad_event(data: ReportInput) -> str:
    """The difference of new with the lowest frame among the samples that the session kept, in a sentence."""
    found = [sample for sample in data.analysis.samples if _is_of_new(sample)]
    first = min(found, key=lambda sample: sample.frame_no or 0, default=None)
    if first is None:
        return "none kept: no event of new was lost or altered, as far as the session says"
    where = " ".join(clean(part) for part in (first.connection, first.type, first.symbol, first.field) if part)
    expected, delivered = (clean(value_text(part, SAMPLE_LENGTH)) for part in (first.expected, first.delivered))
    return f"frame {count(first.frame_no)}: {clean(first.code)} {where}; expected {expected}; delivered {delivered}"


def _is_of_new(sample: Sample) -> bool:
    in_main = (sample.leg or "main").startswith("main")
    return sample.frame_no is not None and sample.side in ("new", "both") and in_main


def suspects(data: ReportInput | None, units: Sequence[str] = ()) -> Table:
    """The session's suspects: by e-BH over the e-values of all its tests first, strongest first, of which at most a
    share alpha is expected to be innocent; then metrics that are no PASS, by the lower end of new / legacy.

    `units` are those taken back: of each metric it is said whether it measures one of them. Metrics that were not
    judged are left out, unless their test makes them a suspect.
    """
    metrics = data.verdict.metrics if data is not None and data.verdict is not None else []
    tests = {one.id: one for one in data.analysis.sequential} if data is not None else {}
    named = {metric.id for metric in metrics}
    alone = [Metric(name) for name, one in tests.items() if one.suspect is not None and name not in named]
    ranked = sorted(
        (one for one in [*metrics, *alone] if one.verdict in ORDER or _place(tests, one) is not None),
        key=lambda one: _rank(one, _place(tests, one)),
    )
    rows = [_row(metric, tests.get(metric.id), units) for metric in ranked[:SHOWN]]
    return Table("Metrics, most suspect first", HEAD, rows, 1)


def is_of(metric: str, units: Sequence[str]) -> bool:
    """Whether a metric measures one of the units: its type, all of its connection, or the process as a whole."""
    parts = metric.split(".")
    return any(parts[0] in PROCESS or _measures(parts, unit.split(".")) for unit in units)


def _measures(parts: list[str], unit: list[str]) -> bool:
    exchange, market, channel = [*unit, "*", "*"][:3]
    if exchange not in ("*", *parts) or market not in ("*", *parts):
        return False
    types = ("private", *PRIVATE_TYPES) if channel == "private" else ("public", channel)
    return channel == "*" or any(one in parts for one in types)


def _place(tests: Mapping[str, Evidence], metric: Metric) -> int | None:
    return tests[metric.id].suspect if metric.id in tests else None


def _rank(metric: Metric, place: int | None) -> tuple[float, int, float, str]:
    low = metric.ratio.low if metric.ratio is not None else None
    first = float(place) if place is not None else float("inf")
    return first, ORDER.get(metric.verdict, len(ORDER)), -(low if low is not None else 0.0), metric.id


def _row(metric: Metric, test: Evidence | None, units: Sequence[str]) -> list[str]:
    sides = [quantity(value, metric.unit) for value in (metric.legacy, metric.new)]
    evidence = "-" if test is None else f"{plain(test.ln_e, 3)}, fires at {plain(test.fires_at, 3)}"
    place = "-" if test is None or test.suspect is None else str(test.suspect + 1)
    told = [interval(metric.ratio), place, evidence, "yes" if is_of(metric.id, units) else "no"]
    return [clean(metric.id), metric.verdict, *sides, *told, shorten(clean(metric.note), 120)]


def reproducers(run: str, data: ReportInput | None) -> list[str]:
    """Commands that show the fault again: those of the reproducers at hand, else the one that makes some."""
    if data is None or data.verdict is None:
        return ["shadow run --grade release"]
    folder = shlex.quote(run)
    if data.reproducers:
        kept = [f"{folder}/reproducer/{shlex.quote(one.folder)}" for one in data.reproducers]
        return [f"cd {place} && python -m pytest --import-mode=importlib test_reproducer.py" for place in kept]
    if any(row.side in ("new", "both") and row.count for row in data.verdict.differences):
        return [f"shadow reproduce {folder}"]
    return [f"shadow judge {folder}"]
