"""Sessions of grade release: real processes, started again and again with sides exchanged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shadow import release_plan
from shadow.config import SessionConfig
from shadow.leg_run import Listener

Run = Callable[..., tuple[int, dict[str, Any], str]]
Live = dict[str, tuple[Path, tuple[int, dict[str, Any], str]]]
SPOT = ("gateio.spot.public", "mexc.spot.public")
HARMLESS = {"EDGE", "CONFLATED", "IN_FLIGHT"}


def starts(run: Path) -> dict[str, list[str]]:
    """Leg to its roles in the order in which they were started."""
    out: dict[str, list[str]] = {}
    for mark in pq.read_table(run / "marks.parquet").to_pylist():
        if mark["name"] == "subject-start":
            out.setdefault(mark["leg"], []).append(mark["role"])
    return out


@pytest.mark.timeout(480)  # the first test waits for all live sessions
def test_a_very_short_session_is_hold_with_its_metric_named(live: Live) -> None:
    out, (code, verdict, said) = live["at grade release"]
    assert (code, verdict["verdict"], verdict["grade"]) == (11, "HOLD", "release"), verdict["reason"]
    held = [m["id"] for m in verdict["metrics"] if m["verdict"] == "HOLD"]
    assert verdict["reason"].startswith(f"{held[0]} could not be decided: ")
    assert f"HOLD (release): {held[0]}" in said
    assert "Grade: release." in (out / "report.md").read_text()
    assert {entry["code"] for entry in verdict["differences"]} <= HARMLESS
    assert verdict["conservation"]["ok"]
    assert starts(out) == {
        "main": ["legacy", "new"],
        "main2": ["new", "legacy"],
        "main3": ["legacy", "new"],
        "main4": ["new", "legacy"],
    }
    first = pq.read_table(out / "sends.parquet", filters=[("leg", "=", "main2"), ("burst", ">=", 0)])
    assert first.sort_by("t_sent")["subject"][0].as_py() == "new"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_short_calibrated_session_is_watched_and_never_ships(run_session: Run, tmp_path: Path) -> None:
    words = ("--connections", ",".join(SPOT), "--grade", "release", "--duration", "16s")
    code, verdict, _ = run_session(tmp_path / "run", *words, timeout_s=250)
    assert code in (11, 12), verdict["reason"]
    held = {m["id"]: m["note"] for m in verdict["metrics"] if m["declared"] and m["verdict"] == "HOLD"}
    assert {f"latency.{name}.p99" for name in SPOT} <= set(held)
    assert any("its power does not suffice" in note for note in held.values())
    assert verdict["sequential"]["fired"] is False
    assert len(starts(tmp_path / "run")) == 9


class Listening(Listener):
    """Keeps what a person would read."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.total_s = 0.0

    def note(self, text: str) -> None:
        """A line that stays."""
        self.notes.append(text)

    def lengthen(self, total_s: float) -> None:
        """So long it will be."""
        self.total_s = total_s


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_session_works_its_length_out_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything at a twentieth and a cap that its noise goes beyond."""
    from shadow.capture.reader import RunData
    from shadow.session import run_session
    from shadow.verdict.judge import judge

    monkeypatch.setattr(release_plan, "FIRST_PAIRED_S", 8.0)
    monkeypatch.setattr(release_plan, "FIRST_BURST_S", 4.0)
    least = release_plan.Lengths(aa_paired=2.0, aa_burst=1.0, paired=2.0, burst=1.0, connect=1.0, control=2.0)
    monkeypatch.setattr(release_plan, "LEAST", least)
    monkeypatch.setattr(release_plan.fit, "__defaults__", (100.0,))
    listening = Listening()
    config = SessionConfig(connections=SPOT, grade="release", is_sized_by_noise=True)
    config.validate()
    folder = tmp_path / "run"
    folder.mkdir()
    assert run_session(config, folder, listening) is None
    session = json.loads((folder / "session.json").read_text())
    assert session["plan"]["legs"][0]["phases"] == [
        {"phase": "paired", "seconds": 8.0},
        {"phase": "burst", "seconds": 4.0},
        {"phase": "connect", "seconds": 1.0},
    ]
    assert 70.0 < session["duration_s"] <= 100.0
    assert session["duration_s"] == pytest.approx(listening.total_s)
    assert session["power"]["needed_s"] > 100.0
    [said] = [note for note in listening.notes if "min of measuring" in note]
    verdict = judge(RunData(folder)).verdict
    assert verdict["verdict"] in ("HOLD", "NOT_FIT"), verdict["reason"]
    notes = {m["id"]: m["note"] for m in verdict["metrics"] if m["id"] in session["power"]["short"]}
    assert notes
    assert any(name in said for name in notes)
    assert all("its power needs" in note or "too few events" in note for note in notes.values()), notes
