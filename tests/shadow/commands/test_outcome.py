"""Judging a run whose workers got ready before its data were sealed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shadow.commands import outcome
from shadow.commands.outcome import Judging
from shadow.verdict import legs


class Workers:
    """Stands for what compares; notes when it began and ended."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def __enter__(self) -> Workers:
        self.told.append("begun")
        return self

    def __exit__(self, *_: object) -> None:
        self.told.append("ended")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(legs, "side_by_side", lambda run, meanwhile: Workers(said))

    def judged(run: Any, differ: Any) -> dict[str, Any]:
        said.append("judged")
        return {"by": differ}

    monkeypatch.setattr(outcome, "_judged", judged)
    return said


def sealed(folder: Path) -> Path:
    (folder / "manifest.json").write_bytes(b"{}")
    return folder


@pytest.mark.parametrize("times", [0, 1, 2])
def test_workers_begin_once_whenever_they_are_told(times: int, told: list[str], tmp_path: Path) -> None:
    with Judging(sealed(tmp_path)) as judging:
        for _ in range(times):
            judging.prepare()
        assert told == ["begun"][:times]
        judging.judge()
    assert told == ["begun", "judged", "ended"]


def test_workers_end_where_nothing_is_judged_after_all(told: list[str], tmp_path: Path) -> None:
    with Judging(tmp_path) as judging:
        judging.prepare()
    assert told == ["begun", "ended"]


def test_another_engine_needs_no_workers(told: list[str], tmp_path: Path) -> None:
    engine: Any = object()
    with Judging(sealed(tmp_path), engine) as judging:
        judging.prepare()
        assert judging.judge() == {"by": engine}
    assert told == ["judged"]
