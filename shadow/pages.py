"""The pages behind a run: its report, the link to the newest one, and the index of all sessions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shadow.errors import UsageError

__all__ = ["RUNS", "load_drawing", "render_copy", "render_report", "render_running", "render_sessions"]

RUNS: Final = Path("runs")
REPORTS: Final = Path("reports")


def load_drawing() -> None:
    """Load what a report is drawn with, for whoever has to wait anyway."""

    import reports.figures
    import reports.session  # noqa: F401


def render_report(folder: Path) -> Path:
    """Write the run's report, point reports/latest.html at it and list the run in the index; path of report.html."""
    from reports.session import render

    path: Path = render(folder)
    _link_latest(path)
    _list_sessions(folder)
    return path


def render_running(folder: Path) -> Path:
    """Write the report of a session that still runs and point reports/latest.html at it; its path."""
    from reports.session import render

    path: Path = render(folder)
    _link_latest(path)
    return path


def render_copy(folder: Path) -> Path:
    """Write the copy that may be shared; returns its path."""
    from reports.session import render_shared

    path: Path = render_shared(folder)
    return path


def render_sessions(places: Sequence[Path]) -> Path:
    """Write the index over run directories or folders that hold some; returns its path, UsageError for a mistake."""
    from reports.index import render_index

    for place in places:
        if not place.is_dir():
            raise UsageError(f"{place} is no folder; --index takes run directories or folders that hold some")
    folder = _index_folder() or places[0]
    try:
        path: Path = render_index(places, folder)
    except OSError as error:
        raise UsageError(f"the index cannot be written into {folder}: {error.strerror}") from None
    return path


def _link_latest(report: Path) -> None:
    """Point reports/latest.html at the newest report, where there is such a folder."""
    if not REPORTS.is_dir():
        return
    link = REPORTS / "latest.html"
    link.unlink(missing_ok=True)
    link.symlink_to(report.resolve())


def _list_sessions(folder: Path) -> None:
    """Write the index of runs/ and this run; no verdict depends on it, so that a failure is told and no more."""
    from reports.index import render_index

    place = _index_folder()
    if place is None:
        return
    try:
        render_index([RUNS, folder], place)
    except OSError as error:
        sys.stderr.write(f"the index of sessions could not be written: {error}\n")


def _index_folder() -> Path | None:
    """Where the index belongs: reports/, else runs/; None where there is neither."""
    return next((place for place in (REPORTS, RUNS) if place.is_dir()), None)
