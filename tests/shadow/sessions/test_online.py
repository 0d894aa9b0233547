"""The online judge over a recorded run that grows again before its eyes, segment by segment."""

from __future__ import annotations

import gc
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shadow.capture.manifest import read_manifest, write_manifest
from shadow.capture.reader import RunData
from shadow.diff.leg import diff_leg
from shadow.online.follow import Follower
from shadow.online.pace import CORE_SHARE, STATISTICS_SHARE
from shadow.online.snapshot import SETTLE_NS
from shadow.online.stop import StopRule
from shadow.verdict.judge import judge
from shadow.verdict.write import write

from .conftest import SPOT, Edit, Outcome, of, sabotage, shadow_run
from .test_damage import drop, drop_book, invent, price_changed, silent, t_goes_back

S = 1_000_000_000
SEGMENT_NS = 5 * S
TIMES = {"sends": "t_sent", "events/new": "t_read", "events/legacy": "t_read"}
Damage = Callable[[Path, Edit], Path]


class Replay:
    """A run directory that holds what a recorded run held at a moment, as segments of one second each."""

    def __init__(self, run: Path, folder: Path) -> None:
        self.folder = folder
        (folder / "events").mkdir(parents=True)
        shutil.copy(run / "session.json", folder)
        self.tables = {
            path.relative_to(run).with_suffix("").as_posix(): pq.read_table(path)
            for path in (*run.glob("*.parquet"), *run.glob("events/*.parquet"))
            if path.stem != "differences"
        }
        self.times = {name: self._times(name) for name in self.tables}
        marks = self.tables["marks"].to_pylist()
        self.begin = next(row["t"] for row in marks if row["name"] == "leg-begin")
        self.end = next(row["t"] for row in marks if row["name"] == "leg-end")
        self._shown = dict.fromkeys(self.tables, 0)

    def _times(self, name: str) -> Any:
        """When each row was written down: never before the row above it."""
        if name != "frames":
            return np.maximum.accumulate(self.tables[name][TIMES.get(name, "t")].to_numpy())
        sends = self.tables["sends"].to_pydict()
        first: dict[int, int] = {}
        for number, t in zip(sends["frame_no"], sends["t_sent"], strict=True):
            first.setdefault(number, t)
        return np.maximum.accumulate([first.get(number, 0) for number in self.tables["frames"]["frame_no"].to_pylist()])

    def show(self, until: int) -> None:
        """Add a segment of each table with what it got since."""
        for name, table in self.tables.items():
            upto = int(np.searchsorted(self.times[name], until, side="right"))
            rows, self._shown[name] = table.slice(self._shown[name], upto - self._shown[name]), upto
            place = self.folder / name
            place.mkdir(exist_ok=True)
            with pa.ipc.new_stream(place / f"{len(list(place.iterdir())) + 1:06d}.arrows", rows.schema) as stream:
                stream.write_table(rows)


def grave(differences: Any) -> list[tuple[str, str, str, str, str, int]]:
    return sorted(
        (d.code, d.side, d.connection, d.type, d.field, d.count)
        for d in differences
        if d.severity in ("critical", "major")
    )


ARRIVES_NS = 200_000


@pytest.fixture(scope="session")
def calm(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded run as of a machine that does nothing else: each event arrives within 0.2 ms of its sending.

    On a busy machine something is under way nearly always, and next to nothing is ever settled.
    """
    run = tmp_path_factory.mktemp("calm") / "run"
    shutil.copytree(recorded, run)
    diff = diff_leg(RunData(recorded), "main", ("legacy", "new"))
    for role, side in diff.matches.items():
        order = np.argsort(side.t_callback)
        sent, done = side.t_sent[order].tolist(), side.t_callback[order]
        path = run / "events" / f"{role}.parquet"
        table = pq.read_table(path)
        rows, newest = table.to_pylist(), defaultdict[str, int](int)
        for row in (row for row in rows if row["k"] == "event"):
            place = int(np.searchsorted(done, row["t"]))
            if place < len(sent) and sent[place] < row["t"]:
                # One that stands for no event of its own, a rebuilt book, may have come late: none comes before it.
                hurry(row, max(sent[place] + ARRIVES_NS, newest[row["c"]]))
            newest[row["c"]] = row["t"]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    write_manifest(run)
    return run


def hurry(row: dict[str, Any], latest: int) -> None:
    """Let an event arrive no later than that, and be read soon after."""
    t = min(row["t"], latest)
    body = json.loads(row["body"]) | {"t": t}
    row |= {"t": t, "t_read": min(row["t_read"], t + ARRIVES_NS), "body": json.dumps(body).encode()}


@pytest.mark.checklist("R.4")
def test_looks_at_a_clean_run_see_nothing_and_the_last_one_is_the_offline_diff(calm: Path, tmp_path: Path) -> None:
    """In data time: no look is more than a second behind, and none looks again at what an earlier one has compared."""
    replay, rule = Replay(calm, tmp_path / "live"), StopRule()
    follower = Follower(replay.folder)
    events, compared, behind = [], 0, []
    for now in range(replay.begin + S, replay.end + S, S // 2):
        replay.show(now)
        look = follower.look(now)
        assert grave(look.differences) == []
        assert rule.take(look) is None
        events.append(look.events)
        behind.append(now - look.end)
        compared = max(compared, *(leg.compared for leg in follower.running.values()), 0)
    assert max(behind) <= S
    assert sorted(behind)[len(behind) // 2] == SETTLE_NS
    assert 0 < compared < 1.5 * events[-1]
    replay.show(replay.end + 60 * S)
    look = follower.look(replay.end + 60 * S)
    offline = diff_leg(RunData(calm), "main", ("legacy", "new"))
    assert look.differences == offline.differences
    assert [*events, look.events] == [*sorted(events), sum(t["input"] for t in offline.totals.values())]
    assert look.worst is not None
    assert 0.3 < look.worst.ratio < 3


@pytest.mark.checklist("R.4")
def test_what_a_slow_recorder_writes_late_is_compared_all_the_same(recorded: Path, tmp_path: Path) -> None:
    replay = Replay(recorded, tmp_path / "live")
    follower = Follower(replay.folder)
    for name in ("sends", "events/new"):
        replay.times[name] = replay.times[name] + 1_300_000_000
    for now in range(replay.begin + 3 * S, replay.end, 2 * S):
        replay.show(now)
        follower.look(now)
    replay.show(replay.end + 60 * S)
    look = follower.look(replay.end + 60 * S)
    offline = diff_leg(RunData(recorded), "main", ("legacy", "new"))
    assert look.differences == offline.differences
    assert look.events == sum(totals["input"] for totals in offline.totals.values())


NAMED = {
    "one trade dropped": (drop("gateio.spot.public"), "MISSING"),
    "one book update dropped": (drop_book("mexc.spot.public"), "MISSING"),
    "one price changed": (price_changed("mexc.spot.public"), "FIELD"),
    "one invented": (invent("gateio.spot.public"), "PHANTOM"),
    "t going back": (t_goes_back("mexc.spot.public"), "CLOCK"),
    "silent after the ack": (silent("mexc.spot.public"), "MISSING"),
}


@pytest.mark.checklist("R.4")
@pytest.mark.parametrize("name", NAMED)
def test_each_damage_is_named_within_one_segment(
    recorded: Path, damaged_copy: Damage, tmp_path: Path, name: str
) -> None:
    edit, code = NAMED[name]
    damaged = damaged_copy(recorded, edit)
    replay, rule = Replay(damaged, tmp_path / "live"), StopRule()
    follower = Follower(replay.folder)
    at = damaged_at(recorded, damaged)
    before = at - S // 2
    replay.show(before)
    assert [d for d in follower.look(before).differences if d.code == code] == []
    said = []
    for now in (at + 2 * S, at + SEGMENT_NS):
        replay.show(now)
        look = follower.look(now)
        assert {d.side for d in look.differences if d.code == code} == {"new"}
        said.append(rule.take(look))
    assert said[0] is None
    assert said[1] is not None
    assert re.match("[0-9]+ critical [A-Z]+ of the new stack in", said[1])


@pytest.mark.checklist("R.4")
@pytest.mark.parametrize(
    "name",
    [None, *(pytest.param(one, marks=pytest.mark.long) for one in ("one book update dropped", "one price changed"))],
)
def test_what_is_settled_is_not_compared_again_and_nothing_is_overlooked(
    calm: Path, damaged_copy: Damage, tmp_path: Path, name: str | None
) -> None:
    run = damaged_copy(calm, NAMED[name][0]) if name else calm
    replay, counted = Replay(run, tmp_path / "live"), []
    follower = Follower(replay.folder, keep_ns=S // 2)
    for now in (*range(replay.begin + 2 * S, replay.end, 2 * S), replay.end + 60 * S):
        replay.show(now)
        look = follower.look(now)
        pieces = [piece for leg in follower.running.values() for of in leg.settled.pieces.values() for piece in of]
        counted.append(sum(piece.lines["new"] for piece in pieces))
    offline = diff_leg(RunData(run), "main", ("legacy", "new"))
    assert max(counted) > 100
    # A book is followed from the last update that is settled; what a hole does to it later is not counted again.
    assert grave(look.differences) == [d for d in grave(offline.differences) if d[0] != "STATE"]
    assert look.events == sum(totals["input"] for totals in offline.totals.values())


def late_copy(bodies: list[bytes]) -> list[bytes]:
    """The first trade of a connection once more, 1.5 s after it came."""
    events = [(n, json.loads(body) if body.startswith(b"{") else {}) for n, body in enumerate(bodies)]
    first = next(n for n, event in events if (event.get("c"), event.get("type")) == ("gateio.spot.public", "trade"))
    t = events[first][1]["t"]
    later = next(n for n, event in events if event.get("k") == "event" and event["t"] > t + 3 * S // 2)
    return [*bodies[:later], bodies[first], *bodies[later:]]


@pytest.mark.checklist("R.4")
def test_a_copy_of_what_is_settled_is_found_when_it_comes(calm: Path, damaged_copy: Damage, tmp_path: Path) -> None:
    run = damaged_copy(calm, late_copy)
    replay, in_memory = Replay(run, tmp_path / "live"), bodies_in_memory()
    follower = Follower(replay.folder, keep_ns=S // 4)
    found, settled_before = [], 0
    for now in range(replay.begin + S, replay.end, S // 2):
        replay.show(now)
        found = grave(follower.look(now).differences)
        if found:
            break
        settled_before = follower.running["main"].settled.upto.get("gateio.spot.public", 0)
    assert ("DUP", "new", "gateio.spot.public", "trade") in {one[:4] for one in found}
    copied = next(json.loads(body) for body in events_of(run) if b'"trade"' in body and b"gateio.spot" in body)
    assert settled_before > copied["t"]
    assert bodies_in_memory() <= in_memory, "an event and its delivery name each other, and no collector looks at them"


def bodies_in_memory() -> int:
    """Bodies of delivered events that somebody still holds."""
    return sum(type(one) is dict and one.get("k") == "event" for one in gc.get_objects())


def events_of(run: Path) -> list[bytes]:
    bodies: list[bytes] = pq.read_table(run / "events" / "new.parquet", columns=["body"])["body"].to_pylist()
    return bodies


def damaged_at(run: Path, damaged: Path) -> int:
    """When the first line came that is not what it was."""
    lines = [pq.read_table(path / "events" / "new.parquet", columns=["t_read", "body"]) for path in (run, damaged)]
    bodies = [table["body"].to_pylist() for table in lines]
    first = next(n for n, (a, b) in enumerate(zip(*bodies, strict=False)) if a != b)
    return int(lines[0]["t_read"][first].as_py())


@pytest.mark.checklist("R.4")
@pytest.mark.timeout(120)
def test_a_session_may_end_as_soon_as_new_has_lost_an_event(tmp_path: Path) -> None:
    words = (
        "--no-calibration",
        "--duration",
        "60s",
        "--stop-early",
        "--new",
        sabotage("drop@gateio.spot.public:at=1s"),
    )
    code, verdict, said = shadow_run(tmp_path / "run", *SPOT, *words)
    assert (code, verdict["verdict"], verdict["decided_by"]) == (10, "ROLL_BACK", "functionality")
    assert "stopped early by 1 critical MISSING of the new stack" in said
    assert [d["count"] for d in of(verdict, "MISSING")] == [1]
    manifest = read_manifest(tmp_path / "run")
    assert (manifest.complete, manifest.interrupted) == (True, None)
    assert "online.json" not in {**manifest.raw, **manifest.derived}
    share = json.loads((tmp_path / "run" / "online.json").read_bytes())["cpu_share"]
    assert 0 < share["statistics"] <= STATISTICS_SHARE
    assert share["facts"] + share["statistics"] <= CORE_SHARE
    assert_judged_alike(tmp_path / "run")
    phases = RunData(tmp_path / "run").table("marks").to_pylist()
    assert not any('"burst"' in row["detail"] for row in phases if row["name"] == "phase-begin")


def assert_judged_alike(run: Path) -> None:
    """The verdict of what is there: the same bytes each time."""
    written = (run / "verdict.json").read_bytes()
    write(run, judge(RunData(run)))
    assert (run / "verdict.json").read_bytes() == written


def test_without_the_word_nothing_ends_early(recorded: Path, run_session: Callable[..., Outcome]) -> None:
    marks = RunData(recorded).table("marks")["name"].to_pylist()
    assert "stopped-early" not in marks
    assert not (recorded / "online.json").exists()
