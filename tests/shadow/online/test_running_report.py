"""The report of a session that still runs: when it is rendered again, and what it says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadow.online import running_report
from shadow.online.follow import Look
from shadow.online.running_report import EVERY_S, RunningReport
from shadow.online.status import status_of, write_status
from shadow.verdict.sequential import Watch

from ..verdict.conftest import Effects, MadeUpRun

LOOK = Look(5, "main", 1, [], [], None, Watch(), None, 0.0, measured_s=71.4)


class Made:
    """A follower whose looks saw a made-up run."""

    def __init__(self, run: MadeUpRun) -> None:
        self.judgement = run.judge


def test_a_long_session_is_rendered_each_minute_and_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = MadeUpRun(tmp_path / "run", Effects(calibration=False, session={"duration_s": 600.0}))
    now = 0.0
    monkeypatch.setattr(running_report, "monotonic", lambda: now)
    monkeypatch.setattr(running_report, "process_time", lambda: 0.0)
    monkeypatch.chdir(tmp_path)
    report = RunningReport(run.path, Made(run), 600.0)  # type: ignore[arg-type]  # stands in for Follower
    assert not report.after(LOOK)
    (run.path / "manifest.json").unlink()
    write_status(run.path, status_of(LOOK, [1.0], {}, None))
    now = EVERY_S
    assert report.after(LOOK)
    page = (run.path / "report.html").read_text()
    assert "running, 71 of 600 s" in page
    assert "manifest.json is missing" not in page
    assert not report.after(LOOK)


@pytest.mark.parametrize(("planned_s", "is_strained"), [(300.0, False), (600.0, True)])
def test_short_sessions_and_strained_harnesses_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planned_s: float, is_strained: bool
) -> None:
    now = 0.0
    monkeypatch.setattr(running_report, "monotonic", lambda: now)
    report = RunningReport(tmp_path, None, planned_s)  # type: ignore[arg-type]  # it is never asked
    now = 10 * EVERY_S
    strained = Look(5, "main", 1, [], [], None, Watch(), None, 0.0, is_strained=is_strained)
    assert not report.after(strained)
    assert list(tmp_path.iterdir()) == []
