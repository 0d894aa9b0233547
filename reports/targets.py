"""The checklist's targets as rows: limit, new and legacy side by side, met or not, and why there is no figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from reports.records import Target
from reports.run_data import ReportInput
from reports.text import GROUP, NO_DATA, count, plain, quantity, ratio, shorten

__all__ = ["HEAD", "TargetRow", "missed", "summary", "target_rows"]

HEAD: Final = ("Target", "Limit", "New p50 / p99", "Legacy p50 / p99", "New / legacy", "Met", "Measured by")
MET, MISSED, OPEN = "met", "not met", "not judged"
UNITS: Final = {"us": "µs", "ratio": "", "1/s": "/s"}
NS: Final = {"us": 1e3, "ms": 1e6, "s": 1e9}
SOURCES: Final = {
    "probe": "probe",
    "stamps": "the subject's stamps",
    "connect": "connect leg",
    "subscribe": "connect leg",
    "reconnect": "connect leg",
    "metric": "metric",
    "tests": "tests",
}
WHY_LENGTH: Final = 160


class TargetRow(msgspec.Struct, frozen=True):
    """One line, ready to print; `why` stands where something could not be said."""

    id: str
    what: str
    limit: str
    new: str
    legacy: str
    ratio: str
    met: str
    source: str
    why: str

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands under HEAD behind the name."""
        source = "; ".join(part for part in (self.source, self.why) if part)
        return self.limit, self.new, self.legacy, self.ratio, self.met, source


def target_rows(data: ReportInput) -> list[TargetRow]:
    """One row for each target, in the order of verdict.json, which is the checklist's."""
    return [_row(target) for target in (data.verdict.targets if data.verdict else [])]


def summary(rows: Sequence[TargetRow]) -> str:
    """How many are met, not met and not judged."""
    if not rows:
        return NO_DATA
    return ", ".join(f"{sum(row.met == word for row in rows)} {word}" for word in (MET, MISSED, OPEN))


def missed(rows: Sequence[TargetRow]) -> list[str]:
    """Names of those that are not met."""
    return [f"{row.id} {row.what}" for row in rows if row.met == MISSED]


def _row(target: Target) -> TargetRow:
    measured = f"{SOURCES.get(target.source, target.source)}, n {count(target.n)}" if target.n else ""
    return TargetRow(
        id=target.id,
        what=target.what,
        limit=_limit(target),
        new=_figures(target, target.p50, target.p99) if target.p50 is not None else "not measured",
        legacy=_figures(target, target.legacy_p50, target.legacy_p99),
        ratio="-" if target.ratio is None else ratio(target.ratio),
        met=_met(target),
        source=measured,
        why=shorten(target.why, WHY_LENGTH),
    )


def _met(target: Target) -> str:
    if target.met is None or target.p50 is None:
        return OPEN
    return MET if target.met else MISSED


def _limit(target: Target) -> str:
    if target.limit is None:
        return "none" if target.source == "tests" else "as legacy"
    return f"{'at least' if target.direction == 'above' else 'below'} {_number(target.limit)}{_unit(target)}"


def _figures(target: Target, p50: float | None, p99: float | None) -> str:
    values = [value for value in (p50, p99) if value is not None]
    if target.unit in NS:
        return " / ".join(quantity(value * NS[target.unit], "ns") for value in values) or "-"
    return " / ".join(_number(value) for value in values) + _unit(target) if values else "-"


def _number(value: float) -> str:
    return f"{value:g}" if float(value).is_integer() and abs(value) < 10_000 else plain(value, 3)


def _unit(target: Target) -> str:
    unit = UNITS.get(target.unit, target.unit)
    return f"{GROUP}{unit}" if unit else ""
