"""Parts of a run: one connection, as far as one moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadow.capture.tables import schema
from shadow.drill.view import RunView

ONE, OTHER = "gateio.spot.public", "mexc.spot.public"
BLANK: dict[str, Any] = {"leg": "main", "detail": "{}"}
ZEROS: dict[str, Any] = {"string": "", "binary": b"", "bool": False, "int64": 0, "int32": 0}


def write(run: Path, name: str, rows: list[dict[str, Any]]) -> None:
    wanted = schema(name)
    empty = {field.name: BLANK.get(field.name, ZEROS[str(field.type)]) for field in wanted}
    path = run / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist([empty | row for row in rows], schema=wanted), path)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    session = {"schema": 1, "connections": [ONE, OTHER], "rate": 600}
    (tmp_path / "session.json").write_bytes(orjson.dumps(session))
    write(tmp_path, "frames", [{"frame_no": n, "connection": (ONE, OTHER)[n % 2]} for n in range(10)])
    write(tmp_path, "sends", [{"frame_no": n, "connection": (ONE, OTHER)[n % 2], "t_sent": n} for n in range(10)])
    lines = [{"n": n, "c": (ONE, OTHER, "", "stderr")[n % 4], "t_read": n} for n in range(12)]
    write(tmp_path, "events/new", lines)
    marks = [
        {"t": 0, "name": "leg-begin"},
        {"t": 3, "name": "fault", "detail": f'{{"connection":"{ONE}"}}'},
        {"t": 4, "name": "fault", "detail": f'{{"connection":"{OTHER}"}}'},
        {"t": 9, "name": "leg-end"},
    ]
    write(tmp_path, "marks", marks)
    return tmp_path


def test_a_connection_alone_has_its_rows_its_marks_and_its_share_of_the_rate(run: Path) -> None:
    view = RunView(run, ONE)
    assert view.table("frames")["frame_no"].to_pylist() == [0, 2, 4, 6, 8]
    assert view.table("sends")["t_sent"].to_pylist() == [0, 2, 4, 6, 8]
    assert set(view.table("events/new")["c"].to_pylist()) == {ONE, "", "stderr"}
    assert view.table("marks")["t"].to_pylist() == [0, 3, 9]
    assert (view.session["connections"], view.session["rate"]) == ([ONE], 300)


def test_a_part_ends_at_its_moment_and_its_leg_a_little_before(run: Path) -> None:
    part = RunView(run, ONE).until(5)
    assert part.table("sends")["t_sent"].to_pylist() == [0, 2, 4]
    assert part.table("frames")["frame_no"].to_pylist() == [0, 2, 4]
    assert part.table("events/new")["t_read"].to_pylist() == [0, 2, 3, 4]
    marks = part.table("marks").to_pylist()
    assert [(row["name"], row["t"]) for row in marks] == [("leg-begin", 0), ("fault", 3), ("leg-end", 5 - 300_000_000)]


def test_a_leg_that_has_ended_by_then_is_left_as_it_is(run: Path) -> None:
    marks = RunView(run).until(20).table("marks").to_pylist()
    assert [row["t"] for row in marks if row["name"] == "leg-end"] == [9]
