"""A leg judged in stretches has the counts of the leg judged whole, wherever it is cut."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from shadow.diff import carry, part, side
from shadow.diff.codes import LegDiff
from shadow.diff.cut import Cut
from shadow.diff.frames import FrameStore, columns_of
from shadow.diff.stretches import LegJudge, Rows
from shadow.verdict.union import as_one

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
MS = 1_000_000
Damage = Callable[[Any, int], None]


def rows_of(scene: Any) -> Rows:
    tables = (scene.frames, scene.sends, scene.connections, scene.marks, scene.requests)
    return Rows(*map(columns_of, tables), scene.written())


def in_stretches(scene: Any, limits: list[int]) -> tuple[LegDiff, list[Cut]]:
    judge, rows = LegJudge("main", {"schema": 1}), rows_of(scene)
    diffs, cuts = [], []
    for limit in sorted(limits):
        found = judge.stretch(rows, limit)
        if found is not None:
            diff, cut, rows = found
            diffs.append(diff)
            cuts.append(cut)
    return as_one([*diffs, judge.rest(rows)]), cuts


def counts(diff: LegDiff) -> dict[str, Any]:
    """All that a verdict counts: differences by code, side and place, totals, matched frames."""
    differences: Counter[tuple[str, ...]] = Counter()
    for d in diff.differences:
        differences[d.code, d.side, d.severity, d.connection, d.type, d.symbol, d.field] += d.count
    names = ("input", "expected", "pairs", "codes", "delivered_codes", "expected_codes", "rounded")
    return {
        "differences": differences,
        "totals": {role: {name: total[name] for name in names} for role, total in diff.totals.items()},
        "matches": {role: sorted(side.frame_no.tolist()) for role, side in diff.matches.items()},
        "arrivals": [(one.connection, one.n, one.candidate_first) for one in diff.first_arrival],
        "frames": (diff.frames_sent, diff.frames_accounted, diff.conserved),
    }


def lose(scene: Any, at: int) -> None:
    drop(scene, at, 1)


def lose_a_second_of_it(scene: Any, at: int) -> None:
    drop(scene, at, 30)


def drop(scene: Any, at: int, n: int) -> None:
    lines = scene.lines["new"]
    first = next(i for i, line in enumerate(lines) if line["t"] >= at and line["k"] == "event")
    del lines[first : first + n]


def copy(scene: Any, at: int) -> None:
    """A line of a while ago comes once more."""
    lines = scene.lines["new"]
    first = next(i for i, line in enumerate(lines) if line["t"] >= at and line["k"] == "event")
    old = dict(lines[max(first - 12, 10)])
    lines.insert(first, old | {"t": lines[first]["t"], "read": lines[first]["read"]})


def exchange(scene: Any, at: int) -> None:
    """Two events of one stream change places."""
    events = [line for line in scene.events("legacy", GATEIO, "trade") if line["t"] >= at - 60 * MS][:2]
    if len(events) == 2:
        lines = scene.lines["legacy"]
        a, b = (next(i for i, line in enumerate(lines) if line is event) for event in events)
        lines[a], lines[b] = lines[b], lines[a]
        for line in lines[a : b + 1]:
            line["t"], line["read"] = lines[a]["t"], lines[a]["read"]


def alter(scene: Any, at: int) -> None:
    """A level of the book, which differs until it is written again, and a price."""
    book = next(line for line in scene.events("new", GATEIO, "book") if line["t"] >= at)
    book["bids"][1] = [book["bids"][1][0], book["bids"][1][1] + 0.5]
    next(line for line in scene.events("new", MEXC, "trade") if line["t"] >= at)["price"] += 1


def wrong_times(scene: Any, at: int) -> None:
    next(line for line in scene.events("new", MEXC, "ticker") if line["t"] >= at)["t"] -= 400 * MS


def be_silent(scene: Any, at: int) -> None:
    """A side loses updates; a whole book stands for those on one connection, later ones come on the other."""
    for connection in (GATEIO, MEXC):
        for _ in range(3):
            scene.step(connection, silent=("new",))
    scene.rebuild("new", GATEIO)
    for connection in (GATEIO, MEXC):
        for _ in range(5):
            scene.step(connection)


def reconnect(scene: Any, at: int) -> None:
    """Frames in flight at an abnormal close, a hole until the new connection's ack, a whole book behind it."""
    scene.step(GATEIO, silent=("new",))
    scene.note("new", GATEIO, "close", code=1006, cause="connect-leg")
    scene.conn_no["new", GATEIO] += 1
    scene.step(GATEIO, to=("legacy",))
    scene.subscribe("new", GATEIO)
    scene.now += MS
    scene.rebuild("new", GATEIO)
    for _ in range(6):
        scene.step(GATEIO)


def swapped_by_the_venue(scene: Any, at: int) -> None:
    scene.swap(GATEIO, healed=False)
    scene.rebuild("new", GATEIO)
    for _ in range(3):
        scene.step(GATEIO)


DAMAGES: list[Damage] = [
    lose, lose_a_second_of_it, copy, exchange, alter, wrong_times, be_silent, reconnect, swapped_by_the_venue,
]  # fmt: skip


@pytest.mark.parametrize("damage", [None, *DAMAGES])
def test_wherever_a_leg_is_cut_its_counts_are_those_of_the_whole(
    scene: Any, damage: Damage | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (carry, part, side):
        monkeypatch.setattr(module, "AROUND_NS", 150 * MS)
    draw = random.Random(f"{damage}")
    times = sorted(row["t_sent"] for row in scene.sends)
    if damage is not None:
        damage(scene, times[len(times) // 2])
    judged = scene.judge()
    assert bool(judged.differences) == (damage not in (None, reconnect, swapped_by_the_venue))
    whole = counts(judged)
    end = max(row["t_sent"] for row in scene.sends)
    near = times[len(times) // 2]
    for limits in ([near, near + 7 * MS, near + 25 * MS], draw.sample(range(times[0], end), 4), [end - 40 * MS]):
        found, cuts = in_stretches(scene, limits)
        assert len({cut.t for cut in cuts}) >= 1
        assert counts(found) == whole, (limits, cuts)


def test_a_swap_excuses_its_own_two_frames_alone(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry, "AROUND_NS", 50 * MS)
    swapped_by_the_venue(scene, 0)
    since = scene.now
    for _ in range(16):
        scene.step(GATEIO)
    lost = [line for line in scene.events("new", GATEIO, "ticker") if line["t"] >= since][::2]
    for line in lost:
        scene.lines["new"].remove(line)
    whole = scene.judge()
    assert whole.totals["new"]["codes"]["MISSING"] == len(lost)
    found, cuts = in_stretches(scene, list(range(since, scene.now, 60 * MS)))
    assert len(cuts) >= 4
    assert counts(found) == counts(whole)


def test_a_cut_lies_before_what_is_under_way(scene: Any) -> None:
    late = scene.events("new", GATEIO, "trade")[20]
    sent = late["t"] - 150_000
    lines = scene.lines["new"]
    lines.remove(late)
    behind = next(i for i, line in enumerate(lines) if line["t"] > sent + 200 * MS)
    lines.insert(behind, late | {"t": lines[behind]["t"], "read": lines[behind]["read"]})
    found, cuts = in_stretches(scene, [sent + 100 * MS])
    assert [cut.t < sent for cut in cuts] == [True]
    assert counts(found) == counts(scene.judge())


def test_what_has_not_come_yet_is_waited_for(scene: Any) -> None:
    times = sorted(row["t_sent"] for row in scene.sends)
    since = times[len(times) // 2]
    scene.lines["new"] = [line for line in scene.lines["new"] if line["c"] == MEXC or line["t"] < since]
    _, (cut,) = in_stretches(scene, [times[-1]])
    assert cut.t <= since
    quiet, cuts = in_stretches(scene, [times[-1] + 100_000 * MS])
    assert cuts[0].t > since
    assert counts(quiet) == counts(scene.judge())


def test_each_frame_is_read_once(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, read = FrameStore.decode, list[bytes]()

    def watched(store: FrameStore, connection: str, payload: bytes, is_text: bool) -> Any:
        read.append(payload)
        return decode(store, connection, payload, is_text)

    monkeypatch.setattr(FrameStore, "decode", watched)
    _, cuts = in_stretches(scene, list(range(scene.now - 300 * MS, scene.now, 60 * MS)))
    assert len(cuts) >= 4
    assert read == [row["payload"] for row in scene.frames if row["kind"] == "ws"]


def test_a_number_that_stands_for_other_bytes_now_is_read_again(scene: Any) -> None:
    before = FrameStore(scene.frames)
    changed = [row | {"payload": scene.frames[0]["payload"]} for row in scene.frames if row["connection"] == GATEIO]
    found = FrameStore(changed, before.frames)
    assert found.frames == FrameStore(changed).frames
    assert found.updates == FrameStore(changed).updates


def test_memory_does_not_grow_with_the_stretches(fresh_scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (carry, part, side):
        monkeypatch.setattr(module, "AROUND_NS", 50 * MS)
    scene = fresh_scene(60)
    judge, rows = LegJudge("main", {"schema": 1}), rows_of(scene)
    held = []
    gc.collect()
    gc.freeze()  # the collector need not go over what other tests left, 0.5 s each time
    tracemalloc.start()
    try:
        for limit in range(scene.now - 2000 * MS, scene.now, 250 * MS):
            found = judge.stretch(rows, limit)
            assert found is not None
            rows = found[2]
            del found
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert held[-1] < held[3] + 50_000, held


def test_a_leg_without_a_quiet_moment_is_not_cut(scene: Any) -> None:
    lines = scene.lines["new"]
    last = max(i for i, line in enumerate(lines) if line["k"] == "event")
    first = next(line for line in lines if line["k"] == "event")
    lines.remove(first)
    lines.insert(last, first | {"t": lines[last - 1]["t"], "read": lines[last - 1]["read"]})
    scene.lines["legacy"], kept = [], scene.lines["legacy"]
    assert kept
    found, cuts = in_stretches(scene, [scene.now - 50 * MS])
    assert cuts == []
    assert counts(found) == counts(scene.judge())
