"""What a session holds against new: its first bad event, its metrics with the worst first, and how to see it again."""

from __future__ import annotations

import shlex
from typing import Final

from reports.records import Metric
from reports.run_data import ReportInput
from reports.series import Sample
from reports.tables import Table, value_text
from reports.text import clean, count, quantity, shorten
from reports.triggers import interval

__all__ = ["first_bad_event", "reproducers", "suspects"]

SHOWN: Final = 12
SAMPLE_LENGTH: Final = 160
ORDER: Final = {"REGRESSION": 0, "HOLD": 1, "PASS": 2}
HEAD: Final = ["Metric", "Verdict", "Legacy", "New", "New / legacy [low, best, high]", "Note"]


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


def suspects(data: ReportInput | None) -> Table:
    """Metrics that are no PASS first, then by the lower end of new / legacy; those not judged are left out."""
    metrics = data.verdict.metrics if data is not None and data.verdict is not None else []
    ranked = sorted((one for one in metrics if one.verdict in ORDER), key=_rank)[:SHOWN]
    return Table("Metrics, most suspect first", HEAD, [_row(metric) for metric in ranked], 1)


def _rank(metric: Metric) -> tuple[int, float, str]:
    low = metric.ratio.low if metric.ratio is not None else None
    return ORDER[metric.verdict], -(low if low is not None else 0.0), metric.id


def _row(metric: Metric) -> list[str]:
    sides = [quantity(value, metric.unit) for value in (metric.legacy, metric.new)]
    return [clean(metric.id), metric.verdict, *sides, interval(metric.ratio), shorten(clean(metric.note), 120)]


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
