"""The sessions of some folders, newest first: what the index lists and its trends are drawn from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from reports.first_screen import problems_of
from reports.records import Metric
from reports.run_data import ReportInput, load_summary
from reports.text import NO_DATA, clean, count

__all__ = ["Past", "is_run", "read_sessions"]

TRACES: Final = ("session.json", "manifest.json", "verdict.json", "frames", "frames.parquet", "marks", "marks.parquet")
"""A folder with one of these is a run, whatever became of it."""
NAMED: Final = re.compile(r"(\d{8}T\d{6})Z?(?:-|$)")
UNKNOWN: Final = datetime.min.replace(tzinfo=UTC)


class Past(msgspec.Struct, frozen=True):
    """One session that was; `started` is UNKNOWN where neither its files nor its name tell."""

    folder: Path
    name: str
    started: datetime
    data: ReportInput
    problems: list[str]

    @property
    def when(self) -> str:
        """Start in UTC, in words."""
        return NO_DATA if self.started == UNKNOWN else f"{self.started:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def code(self) -> str:
        """The verdict as in verdict.json; empty where there is none."""
        return self.data.verdict.verdict if self.data.verdict else ""

    @property
    def is_whole(self) -> bool:
        """Whether the session ended as planned and its manifest says so."""
        return self.data.manifest.complete is True and not self.data.manifest.interrupted

    @property
    def rate(self) -> str:
        """Messages per second, in words; `max` where the session climbed in steps."""
        session = self.data.session
        phases = [phase for leg in session.plan.legs for phase in leg.phases] if session.plan else []
        if any(phase.phase.startswith("capacity-") for phase in phases):
            return "rate max"
        return f"{session.rate if isinstance(session.rate, str) else count(session.rate)} messages/s"

    def metric(self, id_: str) -> Metric | None:
        """The metric of that id."""
        metrics = self.data.verdict.metrics if self.data.verdict else []
        return next((metric for metric in metrics if metric.id == id_), None)


def is_run(folder: Path) -> bool:
    """Whether the folder is, or was to become, a run directory."""
    return any(os.path.exists(folder / name) for name in TRACES)


def read_sessions(places: Iterable[Path]) -> list[Past]:
    """Sessions of run directories and of folders that hold them, newest first, each once.

    A damaged, unreadable or interrupted one is there with its `problems`; nothing raises.
    """
    runs = {os.path.realpath(run): run for place in places for run in _runs_of(place)}
    return sorted(map(_read, runs.values()), key=lambda past: (past.started, past.name, past.folder), reverse=True)


def _runs_of(place: Path) -> Iterator[Path]:
    try:
        if is_run(place):
            yield place
            return
        inner = [Path(entry.path) for entry in os.scandir(place) if entry.is_dir()]
    except OSError:
        return
    yield from (folder for folder in inner if not folder.name.startswith(".") and is_run(folder))


def _read(folder: Path) -> Past:
    data = load_summary(folder)
    name = clean(folder.name or str(folder))
    problems = problems_of(data)
    if not (folder / "manifest.json").exists():
        problems.append("it is still running, or was cut off before its data were sealed")
    return Past(folder, name, _started(data.session.started_utc, name), data, problems)


def _started(told: str | None, name: str) -> datetime:
    """When it began: as told, or as its name says; times without a zone are UTC."""
    named = NAMED.match(name)
    for text in (told, named and named[1]):
        try:
            moment = datetime.fromisoformat(text or "")
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return UNKNOWN
