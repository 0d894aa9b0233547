"""What reduces a session, on a leg made by hand that is on disk as a running session leaves it."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from shadow.capture.lines import read_head
from shadow.capture.tables import columns
from shadow.capture.writer import SegmentWriter
from shadow.diff.stretches import LegJudge, Rows
from shadow.errors import ShadowError
from shadow.stretches.__main__ import main
from shadow.stretches.reducer import LOOK_AHEAD_NS, Reducer
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


def never_quiet() -> Scene:
    """A side says nothing, and the other one's first event comes last."""
    scene = make_scene(20)
    lines = scene.lines["new"]
    first = next(line for line in lines if line["k"] == "event")
    lines.remove(first)
    lines.append(first | {"t": lines[-1]["t"], "read": lines[-1]["read"]})
    scene.lines["legacy"] = []
    return scene


def test_without_a_quiet_moment_it_waits_twice_as_long_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = never_quiet()
    on_disk(scene, tmp_path)
    begin = scene.sends[0]["t_sent"]
    reducer = Reducer(tmp_path, 0.5, 0)
    tries: list[float] = []
    judge = LegJudge.stretch

    def stretch(self: LegJudge, rows: Rows, limit: int) -> Any:
        tries.append((limit - begin) / SECOND)
        return judge(self, rows, limit)

    monkeypatch.setattr(LegJudge, "stretch", stretch)
    for now in range(begin, begin + 16 * SECOND, SECOND // 4):
        reducer.look(now)
    assert tries == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_more_than_can_be_judged_without_a_quiet_moment_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = never_quiet()
    on_disk(scene, tmp_path)
    monkeypatch.setattr("shadow.stretches.reducer.MOST_LINES", 100)
    reducer = Reducer(tmp_path, 60.0, 0)
    with pytest.raises(ShadowError, match="leg main has had no quiet moment for 4 s and more than 100 lines of a side"):
        reducer.look(scene.sends[0]["t_sent"] + 4 * SECOND + LOOK_AHEAD_NS)


def test_what_waits_is_judged_before_it_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(20)
    on_disk(scene, tmp_path)
    monkeypatch.setattr("shadow.stretches.reducer.MOST_LINES", 100)
    reducer = Reducer(tmp_path, 3600.0, 0)
    reducer.look(scene.now + LOOK_AHEAD_NS)
    assert len(read_stretches(tmp_path)["main"]) == 1


def test_why_it_cannot_go_on_is_the_last_line_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_disk(make_scene(1), tmp_path)
    there, here = os.pipe()
    start = {"dir": str(tmp_path), "stretch_s": 1.0, "keep_bytes": 0}
    os.write(here, orjson.dumps(start) + b"\n")

    def look(*_: Any) -> None:
        raise ShadowError("no moment was quiet")

    monkeypatch.setattr(Reducer, "look", look)
    monkeypatch.setattr("shadow.stretches.__main__.EVERY_S", 0.001)
    monkeypatch.setattr("pyarrow.set_cpu_count", lambda _: None)
    monkeypatch.setattr("os.nice", lambda _: None)
    with os.fdopen(there, "rb") as stdin, os.fdopen(here, "wb"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stdin))
        assert main() == ShadowError.exit_code
    assert capsys.readouterr().err == "no moment was quiet\n"


def test_a_side_that_fell_silent_before_a_leg_broke_off_misses_what_it_was_sent(tmp_path: Path) -> None:
    scene = make_scene(60)
    broken = scene.now
    for _ in range(30):
        scene.step(MEXC, silent=("new",))
    on_disk(scene, tmp_path)
    reducer = Reducer(tmp_path, 0.1, 0)
    reducer.look(broken + LOOK_AHEAD_NS)
    assert len(read_stretches(tmp_path)["main"]) == 1
    reducer.finish()
    last = read_stretches(tmp_path)["main"][-1].reduced
    assert last.totals["new"]["input"] == 0
    assert last.totals["new"]["codes"]["MISSING"] > 0


def test_a_leg_that_is_over_before_a_look_at_it_begins_with_its_first_frame(tmp_path: Path) -> None:
    scene = make_scene(5)
    on_disk(scene, tmp_path)
    reducer = Reducer(tmp_path, 60.0, 0)
    reducer.finish()
    (stored,) = read_stretches(tmp_path)["main"]
    times = [row["t_sent"] for row in scene.sends]
    assert (stored.reduced.begin, stored.reduced.end) == (min(times), max(times))


def test_messages_are_what_was_sent_however_often_it_is_delivered(tmp_path: Path) -> None:
    scene = make_scene(10)
    trade = scene.events("new", MEXC, "trade")[5]
    place = scene.lines["new"].index(trade)
    scene.lines["new"][place:place] = [dict(trade)] * 3
    on_disk(scene, tmp_path)
    Reducer(tmp_path, 0.1, 0).finish()
    (stored,) = read_stretches(tmp_path)["main"]
    counted = {role: sum(n for _, n in seconds) for role, seconds in stored.reduced.messages.items()}
    frames = sum(row["kind"] == "ws" for row in scene.frames)
    assert counted == {"legacy": frames, "new": frames}
