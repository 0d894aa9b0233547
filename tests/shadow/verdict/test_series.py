from __future__ import annotations

import numpy as np
import pytest

from shadow.diff import codes
from shadow.diff.codes import Matches
from shadow.diff.frames import first_sends
from shadow.stats.intervals import estimate_mean
from shadow.verdict.checklist import load_checklist
from shadow.verdict.latency import latency_metrics
from shadow.verdict.plan_view import PlanView
from shadow.verdict.resources import Samples, cpu_blocks, memory_metric
from shadow.verdict.series import (
    TYPES,
    Pairs,
    ServicePair,
    join_pairs,
    paired_latencies,
    paired_services,
    untimed_bursts,
)
from shadow.verdict.service import middle_half, pooled_pairs, visible_burn
from shadow.verdict.timeline import Burst, Phase, read_marks

MIB = 1 << 20


def matches(rows: list[tuple[int, int, int]], *, burst: int = -1, queued: tuple[int, ...] = ()) -> Matches:
    """Rows of (frame_no, t_sent, t_callback)."""
    frame, sent, done = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    zero = np.zeros(len(rows), np.int16)
    flags = np.isin(frame, queued)
    return Matches(
        frame, zero, zero.astype(np.int8), zero, sent, done, ~flags, flags, np.full(len(rows), burst, np.int32)
    )


def test_pairs_are_frames_of_both_sides_inside_the_phase_and_not_queued() -> None:
    a = matches([(1, 90, 95), (2, 100, 130), (3, 160, 170), (4, 180, 190), (5, 210, 220)])
    b = matches([(1, 91, 95), (2, 120, 140), (4, 185, 205), (5, 211, 212)], queued=(4,))
    pairs = paired_latencies(a, b, Phase("main", "paired", 100, 250), 50, 3)
    assert pairs.t_sent.tolist() == [100, 210]
    assert (pairs.legacy.tolist(), pairs.new.tolist()) == ([30, 10], [20, 1])
    assert pairs.block.tolist() == [0, 2]


def test_overlapped_is_sent_while_the_other_copy_was_unanswered() -> None:
    a = matches([(1, 100, 130), (2, 200, 210), (3, 350, 360)])
    b = matches([(1, 120, 150), (2, 220, 240), (3, 300, 355)])  # 3: legacy second, new still unanswered
    pairs = paired_latencies(a, b, Phase("main", "paired", 0, 1000), 500, 2)
    assert pairs.overlapped.tolist() == [True, False, True]


def test_a_block_in_which_the_harness_could_not_keep_up_is_not_judged() -> None:
    a = matches([(1, 100, 110), (2, 160, 170)])
    pairs = paired_latencies(a, a, Phase("main", "paired", 100, 250), 50, 3, bound=[165])
    assert pairs.block.tolist() == [0, -1]


def test_legs_are_joined_block_after_block() -> None:
    a = matches([(1, 100, 110), (2, 160, 170)])
    part = paired_latencies(a, a, Phase("aa1", "paired", 100, 250), 50, 3)
    joined = join_pairs([part, part])
    assert (joined.block.tolist(), joined.declared) == ([0, 1, 3, 4], 6)


def burst(number: int, role: str, t: int, frames: int = 2) -> Burst:
    return Burst(number, role, "c", "book", frames, t)


def joined(*parts: Matches) -> Matches:
    fields = Matches.__struct_fields__
    return Matches(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def test_service_time_is_last_callback_minus_write_by_frames_in_neighbouring_pairs() -> None:
    legacy = joined(
        matches([(1, 0, 5), (2, 0, 20)], burst=0),
        matches([(1, 300, 305), (2, 300, 340)], burst=3),
    )
    new = joined(
        matches([(1, 100, 101), (2, 100, 110)], burst=1),
        matches([(1, 200, 201), (2, 200, 230)], burst=2),
    )
    sequence = [burst(0, "legacy", 0), burst(1, "new", 100), burst(2, "new", 200), burst(3, "legacy", 300)]
    cells = paired_services(sequence, {"legacy": legacy, "new": new}, ("legacy", "new"))
    assert cells["c", "book"] == [ServicePair(10.0, 5.0, 0, 2), ServicePair(20.0, 15.0, 300, 2)]


def test_a_burst_that_did_not_come_back_is_no_service_time() -> None:
    legacy = matches([(1, 0, 5)], burst=0)
    new = matches([(1, 100, 101), (2, 100, 110)], burst=1)
    sequence = [burst(0, "legacy", 0), burst(1, "new", 100)]
    assert paired_services(sequence, {"legacy": legacy, "new": new}, ("legacy", "new")) == {}


@pytest.mark.parametrize(("ends", "is_timed"), [(1, True), (2, True), (3, False), (40, False)])
def test_a_burst_that_ends_in_one_time_for_more_than_a_twentieth_is_no_service_time(ends: int, is_timed: bool) -> None:
    legacy = matches([(n, 0, 10 * n) for n in range(1, 41)], burst=0)
    new = matches([(n, 500, 500 + 10 * min(n, 41 - ends)) for n in range(1, 41)], burst=1)
    sequence = [burst(0, "legacy", 0, 40), burst(1, "new", 500, 40)]
    sides = {"legacy": legacy, "new": new}
    assert bool(paired_services(sequence, sides, ("legacy", "new"))) == is_timed
    assert dict(untimed_bursts(sequence, sides)) == ({} if is_timed else {("c", "book"): 1})


PLAN = PlanView(
    {
        "connections": ["x.y.public"],
        "channels": {"x.y.public": ["book", "trade"]},
        "mix": {"book": 0.6, "trade": 0.2, "ticker": 0.2},
        "rate": 100,
        "calibration": False,
        "plan": {"block_s": 0.5, "legs": [{"leg": "main", "phases": [{"phase": "paired", "seconds": 20.0}]}]},
    }
)


def test_a_short_control_is_seen_by_its_single_bursts() -> None:
    pair = ServicePair(10.0, 13.0, 0, 2)
    cells = {("x.y.public", "book"): [pair] * 4, ("x.y.public", "trade"): [pair] * 4}
    seen = visible_burn(cells, PLAN)
    assert seen is not None
    assert seen.lower(0.01) == pytest.approx(np.log(1.3))
    assert visible_burn({("x.y.public", "book"): [pair]}, PLAN) is None


def test_a_type_is_declared_by_the_plan_and_never_by_what_came() -> None:
    limits = load_checklist()
    assert PLAN.declares_type("x.y.public", "book", limits)  # 100/s * 0.75 * 0.5 s = 37.5 in each of 40 blocks
    assert PLAN.declares_type("x.y.public", "trade", limits)  # 12.5
    found = {m.id: m for m in latency_metrics(Pairs.none(40), [], PLAN, limits)}
    assert found["latency.x.y.book.typical"].declared
    assert not found["latency.x.y.book.p99"].declared
    assert found["latency.x.y.public.p90"].declared
    assert found["latency.x.y.public.typical"].blocks_declared == 40


@pytest.mark.parametrize(("connections", "declared"), [(2, True), (6, False)])
def test_a_p90_is_declared_where_the_plan_gives_its_gate_the_pairs(connections: int, declared: bool) -> None:
    names = [f"x{n}.y.public" for n in range(connections)]
    paired = {"phases": [{"phase": "paired", "seconds": 10.0}]}
    legs = [{"leg": leg, "roles": ["legacy", "legacy2"]} | paired for leg in ("aa1", "main", "aa2")]
    session = {"connections": names, "rate": 600, "calibration": True, "plan": {"block_s": 0.5, "legs": legs}}
    plan, limits = PlanView(session), load_checklist()
    found = {m.id: m for m in latency_metrics(Pairs.none(20), [], plan, limits)}
    assert found["latency.x0.y.public.typical"].declared
    assert found["latency.x0.y.public.p50"].declared
    assert found["latency.x0.y.public.p90"].declared is declared
    assert not found["latency.x0.y.public.p99"].declared
    assert PlanView(session | {"calibration": False}).declares_p90("x0.y.public", None, limits)


def test_cpu_per_message_in_blocks_of_a_second() -> None:
    s = 1_000_000_000
    t = np.arange(0, 4 * s, s // 10)
    samples = Samples(t, t // 100, t)
    sent = np.concatenate([np.linspace(s, 2 * s - 1, 50), np.linspace(2 * s, 3 * s - 1, 100)]).astype(np.int64)
    blocks = cpu_blocks(samples, (sent, np.ones(len(sent), np.int64)), Phase("main", "paired", s, 3 * s), 2)
    assert blocks.tolist() == pytest.approx([s / 100 / 50, s / 100 / 100])


@pytest.mark.parametrize(
    ("legacy", "new", "verdict"),
    [
        ((60, 60), (60, 62), "PASS"),
        ((60, 60), (60, 80), "REGRESSION"),  # a third more than legacy's end
        ((20, 20), (20, 26), "PASS"),  # +30 % but only 6 MiB
        ((90, 90), (60, 80), "REGRESSION"),  # below legacy, yet grew by a third on its own
        ((60, 80), (60, 80), "PASS"),  # both grew alike
    ],
)
def test_memory_level(legacy: tuple[int, int], new: tuple[int, int], verdict: str) -> None:
    t = np.array([0, 10_000_000_000])
    sides = {role: Samples(t, t, np.array(sizes, np.int64) * MIB) for role, sizes in (("legacy", legacy), ("new", new))}
    metric = memory_metric(sides, ("legacy", "new"), 0, 10_000_000_000, load_checklist().memory)
    assert metric.census is not None
    assert metric.census.verdict == verdict


def test_marks_become_a_timeline() -> None:
    def mark(t: int, name: str, detail: str = "{}", role: str = "") -> dict[str, object]:
        return {"t": t, "leg": "main", "role": role, "name": name, "detail": detail}

    line = read_marks(
        [
            mark(10, "leg-begin"),
            mark(20, "phase-begin", '{"phase":"paired"}'),
            mark(25, "fault", '{"kind":"close","connection":"c"}'),
            mark(30, "phase-end", '{"phase":"paired"}'),
            mark(40, "phase-begin", '{"phase":"burst"}'),
            mark(41, "burst", '{"burst":0,"connection":"c","type":"book","frames":256}', "new"),
            mark(50, "interrupted", '{"reason":"SIGTERM"}'),
            mark(51, "harness-drops", '{"count":2}'),
        ]
    )
    assert line.phases == [Phase("main", "paired", 20, 30), Phase("main", "burst", 40, 51)]
    assert line.bursts["main"] == [Burst(0, "new", "c", "book", 256, 41)]
    assert (line.interrupted, line.drops, line.faulted) == ("SIGTERM", 2, {("main", "c")})
    assert TYPES == codes.TYPES


def test_pooled_are_the_bursts_that_hold_the_mix() -> None:
    cells = {
        ("x.y.public", "mixed"): [ServicePair(10.0, 12.0, 0, 2), ServicePair(11.0, 11.0, 0, 2)],
        ("x.y.public", "book"): [ServicePair(1.0, 9.0, 0, 2)] * 4,
    }
    legacy, new = pooled_pairs(cells, "x.y.public")
    assert (legacy.tolist(), new.tolist()) == ([10.0, 11.0], [12.0, 11.0])


@pytest.mark.parametrize("truth", [1.0, 1.2])
def test_slow_spells_of_the_machine_leave_the_service_ratio_alone(truth: float) -> None:
    """400 sessions of 40 pairs, noise 3 %, spells of +50 %: one pair in four lies whole in one, two in ten by half."""
    rng = np.random.default_rng(5)
    missed, halves, plain = 0, [], []
    for _ in range(400):
        spell = rng.random(40)
        slow = np.array([(spell < 0.1) | (spell > 0.75), ((spell >= 0.1) & (spell < 0.2)) | (spell > 0.75)])
        sides = np.exp(rng.normal(0.0, 0.03, (2, 40))) * np.where(slow, 1.5, 1.0)
        found, mean = middle_half(sides[0], sides[1] * truth), estimate_mean(np.log(sides[1] / sides[0]))
        assert found is not None
        assert mean is not None
        missed += not found.lower(0.01) <= np.log(truth) <= found.upper(0.01)
        halves.append(found.upper(0.01) - found.mean)
        plain.append(mean.upper(0.01) - mean.mean)
    assert missed <= 16  # 2 % are 8; 16 are nearly three standard deviations more
    assert np.median(halves) < np.median(plain) / 2


def test_a_frame_that_two_connections_of_a_side_get_is_one_message() -> None:
    numbers, t_sent = np.array([7, 8, 7, 9, 8], np.int64), np.array([10, 20, 12, 30, 19], np.int64)
    assert first_sends(numbers, t_sent).tolist() == [10, 19, 30]
