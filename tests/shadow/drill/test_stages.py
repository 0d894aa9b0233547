"""Drills beside a consumer that new serves, with real processes; one of them in every run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shadow.drill.cells import Cell, word_of
from shadow.drill.run import write_record
from shadow.drill.served_plan import STAGES, served_drills
from shadow.drill.stages import run_stages
from shadow.rollout.evidence import newest_drills, our_machine, our_version

PUBLIC, PRIVATE = "gateio.spot.public", "mexc.spot.private"


def words(cells: list[Cell]) -> dict[str, str]:
    return {cell.drill.what: f"{word_of(cell)}: {cell.reason}"[:300] for cell in cells if word_of(cell) != "ok"}


@pytest.mark.checklist("R.4", "R.5", "R.6")
def test_a_harmed_candidate_is_left_by_itself_and_the_gate_finds_the_record(tmp_path: Path) -> None:
    drills = [one for one in served_drills([PUBLIC]) if one.drill.what == "alter"]
    told: list[str] = []
    ((cells, head),) = run_stages(["live"], [PUBLIC], 1, tmp_path / "runs", told.append, drills)
    assert words(cells) == {}
    assert [cell.fired for cell in cells] == [("functionality",)]
    folder = tmp_path / "runs" / "drills" / "1-live"
    folder.mkdir(parents=True)
    assert write_record(folder, cells, head)["passed"]
    assert "with a consumer that new serves in this stage" in (folder / "drill.md").read_text()
    found = newest_drills(tmp_path / "runs")["live"]
    assert (found.passed, found.version, found.machine) == (True, our_version(), our_machine())
    assert found.triggers == {"functionality"}
    assert len(told) == len(cells)
    assert not list((tmp_path / "runs").glob("drill-*"))


@pytest.mark.long
def test_every_drill_of_both_stages_passes_on_a_public_and_a_private_connection(tmp_path: Path) -> None:
    places = [PUBLIC, PRIVATE]
    found = run_stages(STAGES, places, 1, tmp_path / "runs", lambda _: None)
    assert [head["stage"] for _, head in found] == list(STAGES)
    for cells, head in found:
        assert words(cells) == {}
        assert len(cells) == len(served_drills(places))
        assert json.dumps(head)
