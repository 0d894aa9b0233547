"""Behind a verdict: the newest report is linked, the index lists the run, and no failure of it is the run's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadow.cli import main
from shadow.pages import render_report


def bare_run(folder: Path) -> Path:
    """The least that can be rendered."""
    folder.mkdir(parents=True)
    (folder / "session.json").write_text(json.dumps({"run": folder.name, "started_utc": "2026-11-22T10:15:00Z"}))
    (folder / "verdict.json").write_text(json.dumps({"verdict": "HOLD", "reason": "for a test"}))
    return folder


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_report_is_linked_and_its_run_listed_beside_those_of_runs(desk: Path) -> None:
    (desk / "reports").mkdir()
    bare_run(desk / "runs" / "earlier")
    elsewhere = bare_run(desk / "elsewhere" / "mine")
    render_report(elsewhere)
    assert (desk / "reports" / "latest.html").resolve() == elsewhere / "report.html"
    page = (desk / "reports" / "index.html").read_text()
    assert '<a href="../elsewhere/mine/report.html">mine</a>' in page
    assert "earlier: no report" in page
    assert list((desk / "runs").iterdir()) == [desk / "runs" / "earlier"]


def test_without_a_folder_for_reports_the_index_is_in_runs_and_else_nowhere(desk: Path) -> None:
    render_report(bare_run(desk / "elsewhere" / "mine"))
    assert [path.name for path in desk.iterdir()] == ["elsewhere"]
    (desk / "runs").mkdir()
    render_report(desk / "elsewhere" / "mine")
    assert '<a href="../elsewhere/mine/report.html">mine</a>' in (desk / "runs" / "index.html").read_text()


def test_an_index_that_cannot_be_written_is_told_and_harms_nothing(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk / "runs" / "index.html").mkdir(parents=True)
    report = render_report(bare_run(desk / "mine"))
    assert report.is_file()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "index of sessions could not be written" in said


def test_the_command_lists_folders_and_single_runs(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare_run(desk / "archive" / "first")
    bare_run(desk / "second")
    assert main(["report", "--index", "archive", "second"]) == 0
    assert capsys.readouterr().err == "index archive/index.html\n"
    page = (desk / "archive" / "index.html").read_text()
    assert "first: no report" in page
    assert "second: no report" in page


def test_the_command_takes_runs_where_no_folder_is_named(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare_run(desk / "runs" / "one")
    assert main(["report", "--index"]) == 0
    assert capsys.readouterr().err == "index runs/index.html\n"
    assert "one: no report" in (desk / "runs" / "index.html").read_text()
