"""A whole rollout with real processes: up by stages, a regression, back by itself; the short one in every run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shadow.capture.manifest import write_manifest
from shadow.cli import main
from shadow.connections import CHANNELS, channels_of
from shadow.rehearsal.plan import read_rehearsal
from shadow.rollout.evidence import our_version

ROOT = Path(__file__).parents[3]
STAGES = ("shadow", "canary:10", "canary:50", "live")
HEAD = """
[rehearsal]
connections = ["gateio.spot.public", "mexc.spot.public"]
symbols = ["BTC_USDT"]
rate = 300
after = "1s"
"""
Play = Callable[..., tuple[int, dict[str, Any]]]


def session(runs: Path, connections: Sequence[str], symbols: Sequence[str], verdict: str = "SHIP") -> None:
    """The evidence that the gate out of shadow asks for, a sealed comparison."""
    folder = runs / "compared"
    folder.mkdir(parents=True)
    content = {
        "connections": list(connections),
        "channels": {one: list(channels_of(one, CHANNELS)) for one in connections},
        "symbols": list(symbols),
        "commands": {"legacy": "(own legacy)", "new": "(own new)"},
        "versions": {"ws-shadow": our_version()},
        "started_utc": datetime.now(UTC).isoformat(),
    }
    (folder / "session.json").write_text(json.dumps(content))
    (folder / "verdict.json").write_text(json.dumps({"verdict": verdict, "grade": "quick"}))
    write_manifest(folder)


def short_plan(folder: Path, **settings: str) -> Path:
    path = folder / "short.toml"
    steps = [f'[[step]]\nunit = "*.*.*.*"\nstage = "{stage}"\nat_least = "1s"\n' for stage in STAGES]
    lines = [f'{name} = "{value}"\n' for name, value in settings.items()]
    path.write_text("".join([HEAD, *lines, *steps]))
    return path


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Play:
    """Plays a plan through the command line, beside a rollout in earnest; its code and its record."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "earnest.kill").touch()
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "earnest.kill"))
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "earnest" / "flags.json"))

    def played(path: Path) -> tuple[int, dict[str, Any]]:
        plan = read_rehearsal(path)
        assert plan is not None
        session(tmp_path / "runs", plan.connections, plan.symbols)
        code = main(["rollout", "start", "--rehearsal", str(path)])
        (record,) = (tmp_path / "runs" / "rehearsals").glob("*/rehearsal.json")
        assert record.with_suffix(".html").exists()
        assert os.environ["WS_SHADOW_KILL"] == str(tmp_path / "earnest.kill")
        assert not (tmp_path / "earnest").exists()
        return code, json.loads(record.read_bytes())

    return played


def failed(record: dict[str, Any]) -> list[str]:
    return [f"{check['name']}: {check['says']}" for check in record["checks"] if not check["ok"]]


@pytest.mark.checklist("R.5", "R.6")
def test_a_rollout_goes_up_by_stages_and_comes_back_by_itself(
    play: Play, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, record = play(short_plan(tmp_path, harm="alter", placement="inline"))
    assert (code, failed(record)) == (0, [])
    assert capsys.readouterr().out.startswith("verdict=PASSED code=0 report=runs/rehearsals/")
    assert sum(one["altered"] for one in record["streams"]) > 0
    assert [moment["kind"] for moment in record["moments"]] == [
        *("stage", "stage", "stage", "controller", "controller", "stage"),
        *("harm", "trigger", "back", "end"),
    ]
    moved = [line["rules"] for line in record["journal"] if line["kind"] == "flag"]
    assert moved == [[["*.*.*.*", stage]] for stage in (*STAGES, "shadow")]
    assert all(line["rehearsal"] for line in record["journal"])
    shares = [sides for sides in record["served"].values() if len(sides) == 3]
    assert len(shares) == len(record["served"]) == 8


@pytest.mark.long
@pytest.mark.parametrize(("harm", "trigger"), [("mute", "functionality"), ("die", "stability"), ("leak", "memory")])
def test_a_silent_a_dead_and_a_leaking_candidate_lose_nothing_either(
    harm: str, trigger: str, play: Play, tmp_path: Path
) -> None:
    code, record = play(short_plan(tmp_path, harm=harm))
    assert (code, failed(record)) == (0, [])
    (moment,) = [moment for moment in record["moments"] if moment["kind"] == "trigger"]
    assert moment["says"].startswith(f"{trigger}: ")


@pytest.mark.long
def test_a_way_back_that_takes_too_long_fails_the_rehearsal(play: Play, tmp_path: Path) -> None:
    code, record = play(short_plan(tmp_path, placement="inline", rollback_within="1ms"))
    assert code == 10
    assert [text.partition(":")[0] for text in failed(record)] == ["back on legacy by itself, in time"]


@pytest.mark.long
def test_what_make_rollout_plays_passes_on_all_six_connections(play: Play) -> None:
    code, record = play(ROOT / "docs" / "examples" / "rehearsal.toml")
    assert (code, failed(record)) == (0, [])
    assert {one["connection"] for one in record["streams"]} == set(record["plan"]["connections"])
    assert record["took_s"] < 480
