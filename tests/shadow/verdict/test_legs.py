"""Who compares the legs of a run, and what is done meanwhile."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shadow.verdict import legs
from shadow.verdict.legs import SideBySide, diff_legs, side_by_side

ROLES = ("legacy", "new")


def run_of(*names: str) -> Any:
    return SimpleNamespace(session={"plan": {"legs": [{"leg": name} for name in names]}})


def test_workers_are_for_runs_of_several_legs() -> None:
    assert isinstance(side_by_side(run_of("aa1", "main"), list), SideBySide)
    for run in (run_of("main"), SimpleNamespace(session={})):
        with side_by_side(run, list) as differ:
            assert differ is diff_legs


class Pool:
    """Notes what is asked of it; a task is done when somebody wants its result."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def submit(self, _: Any, _run: Path, leg: str, *_more: Any) -> Any:
        self.told.append(f"asked {leg}")
        return SimpleNamespace(result=lambda: self.told.append(f"waited {leg}") or leg.upper())


def test_the_comparison_goes_first_and_the_parent_works_before_it_waits(tmp_path: Path) -> None:
    told: list[str] = []
    differ = SideBySide(lambda: told.append("meanwhile"))
    differ._pool = Pool(told)  # type: ignore[assignment]  # stands in
    assert differ(tmp_path, [("aa1", ROLES), ("main", ROLES)], ()) == {"aa1": "AA1", "main": "MAIN"}
    assert told == ["asked main", "asked aa1", "meanwhile", "waited aa1", "waited main"]


def test_workers_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legs, "WORKERS", 1)
    with SideBySide() as differ:
        with pytest.raises(legs.RunError, match="no run directory"):
            differ(tmp_path / "none", [("main", ROLES)], ())
        worker = next(iter(differ._pool._processes.values()))
        assert worker.is_alive()
    assert not worker.is_alive()
