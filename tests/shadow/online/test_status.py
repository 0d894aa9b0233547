"""online.json: what a look says, whole at every moment."""

from __future__ import annotations

import json
from pathlib import Path

from shadow.diff.codes import Difference
from shadow.online.follow import Look, Worst
from shadow.online.status import NAME, status_of, write_status
from shadow.progress import Progress
from shadow.verdict.evidence import Fact
from shadow.verdict.sequential import Watch

LOST = [Difference("MISSING", "new", "critical", "x", "trade", symbol, "", 2) for symbol in ("A", "B")]
EDGE = Difference("EDGE", "both", "info", "x", "trade", "A", "", 7)
HEARD = Watch(0.002, 9, 5, False, False, 0.1, (), ["a"], {"a": 3.0, "b": 1.0}, {"a": 8.0, "b": 8.5})
LOOK = Look(
    5,
    "main",
    100,
    [*LOST, EDGE],
    [Fact("functionality", "lost", "w")],
    Worst("a", 1.2345678, 9),
    HEARD,
    None,
    0.1,
    heard_to=5 - 10**9,
)


def test_differences_are_counted_by_code_and_side_over_all_symbols() -> None:
    status = status_of(LOOK, [0.5, 1.5], {"facts": 0.1, "statistics": 0.01}, None)
    assert status["differences"] == [
        {"code": "EDGE", "side": "both", "severity": "info", "count": 7},
        {"code": "MISSING", "side": "new", "severity": "critical", "count": 4},
    ]
    assert status["worst"] == {"id": "a", "ratio": 1.23457, "blocks": 9}
    assert status["behind_s"] == 1.5
    assert status["lag_s"] == {"median": 1.0, "worst": 1.5, "looks": 2, "statistics": 2.5}
    assert status["sequential"]["loudest"] == {"id": "a", "ln_e": 3.0, "fires_at": 8.0}


def test_the_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for stop in (None, "a reason"):
        write_status(tmp_path, status_of(LOOK, [0.5, 1.5], {}, stop))
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert json.loads((tmp_path / NAME).read_bytes())["stop"] == "a reason"


def test_progress_shows_what_matters_of_it() -> None:
    progress = Progress(60.0, terminal=True)
    progress.note_look(status_of(LOOK, [0.5, 1.5], {}, None))
    assert "4 differences, worst a 1.23" in progress.picture()
