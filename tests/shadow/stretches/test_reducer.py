"""What reduces a session, on a leg made by hand that is on disk as a running session leaves it."""

from __future__ import annotations

import json
from pathlib import Path

import orjson

from shadow.capture.lines import read_head
from shadow.capture.tables import columns
from shadow.capture.writer import SegmentWriter
from shadow.stretches.reducer import Reducer
from shadow.stretches.store import read_stretches

from ..diff.conftest import MEXC, MS, Scene, make_scene

SECOND = 1000 * MS


def on_disk(scene: Scene, run: Path) -> None:
    """Write the scene's tables as segments."""
    plan = {"legs": [{"leg": "main", "roles": ["legacy", "new"], "phases": []}]}
    (run / "session.json").write_bytes(orjson.dumps({"schema": 1, "plan": plan}))
    tables = {name: getattr(scene, name) for name in ("frames", "sends", "connections", "marks", "requests")}
    for name, rows in tables.items():
        writer = SegmentWriter(run, name)
        writer.extend([tuple(row[column] for column in columns(name)) for row in rows])
        writer.close()
    for role, lines in scene.lines.items():
        writer = SegmentWriter(run, f"events/{role}")
        for n, line in enumerate(lines):
            body = json.dumps({name: value for name, value in line.items() if name != "read"}).encode()
            head = read_head(body)
            assert head is not None
            writer.append(
                ("main", n, head.k, head.c or "", head.type or "", head.symbol or "", head.t, line["read"], body)
            )
        writer.close()


def test_a_time_beyond_64_bits_is_a_wrong_time(tmp_path: Path) -> None:
    scene = make_scene(10)
    scene.events("new", MEXC, "trade")[5]["t"] = 2**63
    on_disk(scene, tmp_path)
    reducer = Reducer(tmp_path, 0.1, 0)
    reducer.look(scene.now + 10 * SECOND)
    reducer.finish()
    found = [one for stored in read_stretches(tmp_path)["main"] for one in stored.reduced.differences]
    assert [(one.code, one.side, one.field) for one in found] == [("CLOCK", "new", "missing")]
