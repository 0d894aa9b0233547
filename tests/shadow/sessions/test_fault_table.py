"""`shadow faults` as a person would call it: real sessions, one that holds and one in which the candidate loses."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.forked import shadow

SABOTEUR = f"{sys.executable} -m shadow.subjects.saboteur"
HOLDS = ("--kinds", "corrupt,close", "--connections", "gateio.spot.public,mexc.spot.private", "--out", "page.md")
LOSES = ("--kinds", "stall", "--connections", "gateio.spot.public", "--new", f"{SABOTEUR} drop@*:at=2s")
DIRECT = ("--kinds", "expire-key", "--connections", "mexc.spot.private", "--door", "direct")
CALLS = {"holds": HOLDS, "loses": LOSES, "direct": DIRECT}
Answer = subprocess.CompletedProcess[str]


def faults(folder: Path, *words: str, timeout_s: float = 100.0) -> Answer:
    return shadow("faults", "--json", *words, cwd=folder, timeout_s=timeout_s)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Answer]]:
    """All calls, side by side."""
    folders = {name: tmp_path_factory.mktemp(name) for name in CALLS}
    with ThreadPoolExecutor(len(CALLS)) as pool:
        running = {name: pool.submit(faults, folders[name], *words) for name, words in CALLS.items()}
        return {name: (folders[name], running[name].result()) for name in running}


def cells(answer: Answer) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    return {(cell["kind"], cell["connection"]): cell["sides"] for cell in json.loads(answer.stdout)["cells"]}


def test_new_holds_under_two_kinds_on_two_connections(answers: dict[str, tuple[Path, Answer]]) -> None:
    folder, answer = answers["holds"]
    assert answer.returncode == 0, answer.stderr
    found = cells(answer)
    assert len(found) == 4
    for (kind, connection), sides in found.items():
        new = sides["new"]
        assert (new["verdict"], new["lost"], new["books"], new["account"]) == ("ok", {}, [], []), (kind, connection)
        assert new["streams"] == (8 if connection == "gateio.spot.public" else 5)
        if kind == "corrupt":
            assert new["hits"] == new["errors"]["decode"] == 15
            assert sides["legacy"]["hits"] == 15
        else:
            assert new["hits"] == 1
            assert "reconnecting" in new["states"]
    assert [path.name for path in folder.iterdir()] == ["page.md"]
    assert "| corrupt | new    | ok (decode)" in (folder / "page.md").read_text()
    assert "2 sessions, 2 at a time" in answer.stderr
    assert answer.stderr.count("s left\n") == 2


def test_a_loss_of_the_candidate_is_found_counted_and_kept(answers: dict[str, tuple[Path, Answer]]) -> None:
    folder, answer = answers["loses"]
    assert answer.returncode == 10, answer.stderr
    assert not json.loads(answer.stdout)["new_holds"]
    ((place, sides),) = cells(answer).items()
    assert place == ("stall", "gateio.spot.public")
    assert (sides["new"]["verdict"], sides["new"]["lost"]) == ("lost 1", {"MISSING trade": 1})
    assert sides["legacy"]["verdict"] == "ok"
    (kept,) = (folder / "runs").glob("faults-*/stall")
    assert (kept / "manifest.json").is_file()
    assert str(kept.relative_to(folder)) in answer.stderr


def test_at_the_direct_door_a_key_that_ended_is_a_typed_error(answers: dict[str, tuple[Path, Answer]]) -> None:
    _, answer = answers["direct"]
    assert answer.returncode == 0, answer.stderr
    new = cells(answer)["expire-key", "mexc.spot.private"]["new"]
    assert new["verdict"] == "ok"
    assert set(new["errors"]) == {"auth"}


@pytest.mark.long
def test_new_holds_under_every_fault_on_every_connection(tmp_path: Path) -> None:
    answer = faults(tmp_path, timeout_s=900)
    assert answer.returncode == 0, answer.stderr
    found = cells(answer)
    assert len(found) == 101
    assert {sides["new"]["verdict"] for sides in found.values()} == {"ok"}
    for connection in ("gateio.spot.public", "gateio.futures.private"):
        assert found["halfopen", connection]["legacy"]["verdict"] == "silent"
        assert found["burst-close", connection]["legacy"]["verdict"] == "silent"
