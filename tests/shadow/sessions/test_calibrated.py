"""Calibrated sessions: legacy against itself, real CPU work in the stack, and our new stack."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shadow.config import Burn, SessionConfig, own_subject
from shadow.connections import CONNECTIONS
from shadow.leg_run import Listener

Run = Callable[..., tuple[int, dict[str, Any], str]]
HARMLESS = {"EDGE", "CONFLATED", "IN_FLIGHT"}
SPOT = ("gateio.spot.public", "mexc.spot.public")
SHORT = {1: SPOT, 2: SPOT, 3: CONNECTIONS}
"""Seed to connections."""
both_sizes = pytest.mark.parametrize("connections", [CONNECTIONS, SPOT], ids=["six", "two"])


def burned(folder: Path, connections: tuple[str, ...], share: float, seed: int) -> dict[str, Any]:
    """Legacy against legacy, one of them burning a share of the service time that this session measured."""
    from shadow.capture.reader import RunData
    from shadow.session import run_session
    from shadow.verdict.judge import judge

    folder.mkdir()
    config = SessionConfig(
        connections=connections, seed=seed, new=own_subject("legacy"), burn=Burn(role="new", share=share)
    )
    config.validate()
    assert run_session(config, folder, Listener()) is None
    verdict: dict[str, Any] = judge(RunData(folder)).verdict
    return verdict


def check_against_itself(verdict: dict[str, Any]) -> None:
    assert verdict["verdict"] != "ROLL_BACK", verdict["reason"]
    assert {entry["code"] for entry in verdict["differences"]} <= HARMLESS
    assert verdict["conservation"]["ok"]
    if verdict["verdict"] == "NOT_FIT":
        assert verdict["calibration"]["problems"]
        assert verdict["calibration"]["problems"][0].split(":")[0].lower() in verdict["reason"].lower()


@pytest.fixture(scope="module")
def short_ones(run_session: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """Seed to verdict of short sessions of legacy against itself, side by side: each is the others' noise."""
    folder = tmp_path_factory.mktemp("short")

    def run(seed: int) -> dict[str, Any]:
        words = ("--connections", ",".join(SHORT[seed]), "--new", own_subject("legacy"), "--duration", "10s")
        return run_session(folder / str(seed), *words, "--seed", str(seed))[1]

    with ThreadPoolExecutor(len(SHORT)) as pool:
        return dict(zip(SHORT, pool.map(run, SHORT), strict=True))


@pytest.mark.timeout(300)  # the first test waits for all of them
@pytest.mark.parametrize("seed", SHORT)
def test_legacy_against_itself_is_never_rolled_back(short_ones: dict[int, dict[str, Any]], seed: int) -> None:
    check_against_itself(short_ones[seed])


@pytest.mark.long
@pytest.mark.timeout(480)
@pytest.mark.parametrize("seed", range(10))
def test_a_whole_session_of_legacy_against_itself(run_session: Run, tmp_path: Path, seed: int) -> None:
    words = ("--new", own_subject("legacy"), "--seed", str(seed))
    check_against_itself(run_session(tmp_path / "run", *words, timeout_s=200, cores="shared")[1])


@pytest.mark.long
@pytest.mark.checklist("R.1")
@pytest.mark.timeout(480)
@pytest.mark.parametrize("share", [0.20, 0.50])
@both_sizes
def test_burned_cpu_is_rolled_back_by_service_time(tmp_path: Path, connections: tuple[str, ...], share: float) -> None:
    verdict = burned(tmp_path / "run", connections, share, seed=5)
    assert verdict["verdict"] == "ROLL_BACK", verdict["reason"]
    assert verdict["decided_by"] == "performance"
    slow = {m["id"] for m in verdict["metrics"] if m["verdict"] == "REGRESSION"}
    assert any(name.startswith("service.") for name in slow)


@pytest.mark.long
@pytest.mark.timeout(480)
@both_sizes
def test_twelve_per_cent_is_never_shipped(tmp_path: Path, connections: tuple[str, ...]) -> None:
    verdict = burned(tmp_path / "run", connections, 0.12, seed=6)
    assert verdict["verdict"] != "SHIP"


@pytest.mark.long
@pytest.mark.timeout(480)
@both_sizes
def test_five_per_cent_is_never_rolled_back(tmp_path: Path, connections: tuple[str, ...]) -> None:
    verdict = burned(tmp_path / "run", connections, 0.05, seed=7)
    assert verdict["verdict"] != "ROLL_BACK", verdict["reason"]


@pytest.mark.long
@pytest.mark.checklist("S.1", "1.2.14", "1.2.15", "5.3.1", "5.3.2", "5.3.3", "5.3.4", "5.3.5", "5.3.6", "5.3.7")
@pytest.mark.timeout(480)
@both_sizes
def test_the_new_stack_ships_and_every_target_has_its_figures(
    run_session: Run, tmp_path: Path, connections: tuple[str, ...]
) -> None:
    words = ("--connections", ",".join(connections))
    code, verdict, _ = run_session(tmp_path / "run", *words, timeout_s=200, cores="shared")
    assert (code, verdict["verdict"]) == (0, "SHIP"), verdict["reason"]
    bare = {target["id"]: target["why"] for target in verdict["targets"] if target["p50"] is None}
    assert set(bare) == {"1.2.16", "1.3.16"}, bare
    assert [target["what"] for target in verdict["targets"] if target["limit"] and not target["met"]] == []
