"""Who compares the legs of a run, and what is done meanwhile."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from shadow.verdict import halves, legs
from shadow.verdict.legs import SideBySide, diff_legs, side_by_side

ROLES = ("legacy", "new")
ENDS_S = 30


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

    def submit(self, _: Any, _run: Path, leg: str, _roles: Any, _known: Any, half: Any) -> Any:
        name = leg if half is None else f"{leg} {'rest' if half[1] else '+'.join(half[0])}"
        self.told.append(f"asked {name}")
        return SimpleNamespace(result=lambda: self.told.append(f"waited {name}") or name.upper())

    def shutdown(self, **_: Any) -> None:
        """Nobody is left to end."""


def session(folder: Path, **lengths: float) -> Path:
    legs = [{"leg": leg, "roles": ROLES, "phases": [{"phase": "burst", "seconds": s}]} for leg, s in lengths.items()]
    (folder / "session.json").write_bytes(orjson.dumps({"connections": ["b", "a", "c"], "plan": {"legs": legs}}))
    return folder


def asked(folder: Path, joined: Any, monkeypatch: pytest.MonkeyPatch, *names: str) -> tuple[dict[str, Any], list[str]]:
    """What comes out for these legs, and what the pool was told."""
    told: list[str] = []
    monkeypatch.setattr(halves, "joined", joined)
    differ = SideBySide(lambda: told.append("meanwhile"))
    differ._pool = Pool(told)  # type: ignore[assignment]  # stands in
    return differ(folder, [(name, ROLES) for name in names], ()), told


def test_the_comparison_goes_first_and_the_parent_works_before_it_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, told = asked(session(tmp_path, aa1=9, main=12), list, monkeypatch, "aa1", "main")
    assert found == {"aa1": "AA1", "main": "MAIN"}
    assert told == ["asked main", "asked aa1", "meanwhile", "waited aa1", "waited main"]


def test_the_third_long_leg_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = session(tmp_path, aa1=9, main=12, aa2=9, control=2)
    found, told = asked(run, " and ".join, monkeypatch, "aa1", "main", "aa2", "control")
    assert found == {"aa1": "AA1", "main": "MAIN", "aa2": "AA2 A+C and AA2 REST", "control": "CONTROL"}
    assert told[:5] == ["asked main", "asked aa1", "asked aa2 a+c", "asked aa2 rest", "asked control"]


def test_halves_that_say_nothing_are_compared_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = session(tmp_path, aa1=9, main=12, aa2=9)
    found, told = asked(run, lambda parts: None, monkeypatch, "aa1", "main", "aa2")
    assert found["aa2"] == "AA2"
    assert told[-2:] == ["asked aa2", "waited aa2"]


def test_workers_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(legs, "WORKERS", 1)
    with SideBySide() as differ:
        worker = next(iter(differ._pool._processes.values()))
        assert worker.is_alive()
        found = differ(session(tmp_path, main=3), [("main", ROLES)], ())
        assert (found["main"].leg, found["main"].roles, found["main"].differences) == ("main", ROLES, [])
    assert not worker.is_alive()


def compare(folder: Path) -> None:
    with SideBySide() as differ:
        differ(folder, [("main", ROLES)], ())


def test_a_process_that_is_a_worker_itself_compares_and_ends(tmp_path: Path) -> None:
    process = get_context("forkserver").Process(target=compare, args=(session(tmp_path, main=3),))
    process.start()
    process.join(ENDS_S)
    code = process.exitcode
    process.kill()
    assert code == 0
