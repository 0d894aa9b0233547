"""The comparison that a rehearsal begins with where none says SHIP yet."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from shadow.cli import main, parser
from shadow.rehearsal.command import compare
from shadow.rehearsal.plan import RehearsalPlan, read_rehearsal
from tests.shadow.rehearsal.test_rehearsal import session, short_plan


def plan(folder: Path) -> RehearsalPlan:
    found = read_rehearsal(short_plan(folder))
    assert found is not None
    return found


def test_a_session_that_says_ship_about_every_unit_is_enough(tmp_path: Path) -> None:
    wanted = plan(tmp_path)
    session(tmp_path / "runs", wanted.connections, wanted.symbols)
    assert compare(wanted, tmp_path / "runs", pytest.fail) == 0


@pytest.mark.parametrize(
    ("connections", "symbols", "verdict"),
    [
        (("gateio.spot.public",), ("BTC_USDT",), "SHIP"),
        (("gateio.spot.public", "mexc.spot.public"), ("ETH_USDT",), "SHIP"),
        (("gateio.spot.public", "mexc.spot.public"), ("BTC_USDT",), "HOLD"),
    ],
)
def test_any_other_asks_for_a_comparison_of_all_that_the_plan_holds(
    connections: tuple[str, ...],
    symbols: tuple[str, ...],
    verdict: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = plan(tmp_path)
    session(tmp_path / "runs", connections, symbols, verdict)
    called: list[list[str]] = []
    monkeypatch.setattr(subprocess, "call", lambda words, **_: called.append(words) or 11)
    said: list[str] = []
    assert compare(wanted, tmp_path / "runs", said.append) == 11
    ((_, _, _, *words),) = called
    options: Any = parser().parse_args(words)
    assert (options.command, options.connections, options.symbols) == ("run", wanted.connections, wanted.symbols)
    assert options.duration == "65s"
    assert "first a comparison of 65 s" in said[0]


@pytest.mark.long
def test_no_rehearsal_is_played_without_a_comparison_that_says_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two seconds are too few for any verdict but HOLD or NOT FIT."""
    monkeypatch.chdir(tmp_path)
    path = short_plan(tmp_path, session="2s")
    assert main(["rollout", "start", "--rehearsal", str(path)]) in (11, 12)
    assert "it is a gate out of shadow" in capsys.readouterr().err
    assert not (tmp_path / "runs" / "rehearsals").exists()
