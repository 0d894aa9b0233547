"""Which trigger opens, why it is no pass, and what a watch ends with."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from shadow.attach.pairs import LEGACY, NEW
from shadow.attach.speed import CALIBRATION, Speed
from shadow.attach.telling import as_json, in_a_line, last_word
from shadow.attach.watch import Look
from shadow.diff.lines import event_of
from tests.shadow.attach.conftest import MS, C, Desk, S

BLOCK = S // 2


def steady(desk: Desk, first: int, seconds: float, took: tuple[int, int] = (100, 80)) -> int:
    """Twenty trades a second on both sides with recv-to-callback times in us; the next number."""
    rng = np.random.default_rng(first)
    for number in range(first, first + round(20 * seconds)):
        for side, us in zip((LEGACY, NEW), took, strict=True):
            noisy = round(us * 1000 * math.exp(0.05 * rng.standard_normal()))
            desk.trade(number, (side,), took_ns=noisy)
        desk.beat(50 * MS)
        if number % 20 == 0:
            desk.look()
    return first + round(20 * seconds)


READY_S = 25.0


def ready() -> tuple[Desk, int]:
    """A watch that has its noise and is quiet."""
    desk = Desk(BLOCK)
    return desk, steady(desk, 1, READY_S)


def triggers(look: Look) -> list[str]:
    return [alarm.trigger for alarm in look.alarms]


def test_two_equal_sides_are_a_pass_once_the_detector_is_ready() -> None:
    desk = Desk(BLOCK)
    number = steady(desk, 1, 10)
    look = desk.look()
    assert (look.verdict, look.onset) == ("HOLD", "unknown")
    assert "not ready" in look.held[0]
    steady(desk, number, READY_S - 10)
    look = desk.look()
    assert (look.verdict, look.onset, look.held, look.alarms) == ("PASS", "quiet", [], [])
    assert last_word(look, desk.watch.fired, "")[0] == "PASS"
    assert last_word(look, desk.watch.fired, "the tap is gone") == ("HOLD", "the tap is gone")
    told = as_json(look, 25.0)
    assert told["speeds"][C]["ratio"] == pytest.approx(0.8, rel=0.03)
    assert told["events"][NEW]["MATCH"] == 20 * READY_S - told["events"][NEW]["waiting"]
    assert "PASS" in in_a_line(look, 25.0)


@pytest.mark.checklist("R.4")
def test_one_lost_event_of_new_is_a_fact_and_stays_one_to_the_end() -> None:
    desk, number = ready()
    desk.trade(number, (LEGACY,))
    number = steady(desk, number + 1, 4)
    look = desk.look()
    assert (look.verdict, triggers(look)) == ("REGRESSION", ["functionality"])
    assert look.alarms[0].says.startswith(f"MISSING {C} BTC_USDT trade {number - 81}")
    assert not look.alarms[0].legacy_too
    steady(desk, number, 12)
    look = desk.look()
    assert (look.verdict, look.alarms) == ("PASS", [])
    verdict, reason = last_word(look, desk.watch.fired, "")
    assert verdict == "REGRESSION"
    assert "MISSING" in reason


def test_what_only_new_has_is_no_alarm_and_no_pass() -> None:
    desk, number = ready()
    desk.trade(number, (NEW,))
    steady(desk, number + 1, 4)
    look = desk.look()
    assert (look.verdict, look.alarms) == ("HOLD", [])
    assert "invented, or lost by legacy" in look.held[0]


def word(desk: Desk) -> tuple[str, str]:
    return last_word(desk.look(), desk.watch.fired, "", desk.watch.doubts())


def test_what_only_new_has_is_doubted_to_the_end() -> None:
    desk, number = ready()
    desk.trade(number, (NEW,))
    steady(desk, number + 1, 16)
    look = desk.look()
    assert (look.verdict, look.held) == ("PASS", [])
    assert word(desk) == ("HOLD", "new has 1 events that legacy has not: invented, or lost by legacy")


def test_what_legacy_had_in_the_end_is_not_doubted() -> None:
    desk, number = ready()
    desk.trade(number, (NEW,))
    steady(desk, number + 1, 4)
    desk.trade(number, (LEGACY,))
    assert word(desk)[0] == "PASS"


def test_what_legacy_has_twice_is_not_told_as_events_of_new() -> None:
    desk, number = ready()
    desk.trade(number - 1, (LEGACY,))
    steady(desk, number, 4)
    look = desk.look()
    assert (look.counts[LEGACY]["DUP"], look.held) == (1, [])
    assert word(desk)[0] == "PASS"


def test_where_legacy_loses_events_too_rates_decide() -> None:
    """One of each is the connection's; new alone, again and again, is not."""
    desk, number = ready()
    for side in (NEW, LEGACY):
        desk.trade(number, (side,))
        number = steady(desk, number + 1, 4)
    assert desk.watch.fired == {}
    for _ in range(20):
        desk.trade(number, (LEGACY,))
        number = steady(desk, number + 1, 2.5)
    assert list(desk.watch.fired) == ["functionality"]
    assert desk.watch._rates[C].counts[NEW] > 8


def test_a_side_that_is_silent_is_found_and_it_is_shared_when_both_are() -> None:
    desk, number = ready()
    for _ in range(100):
        desk.trade(number, (LEGACY,))
        number += 1
        desk.beat(50 * MS)
    look = desk.look()
    assert "functionality" in triggers(look)
    assert f"{C} trade BTC_USDT: new is silent" in look.held
    for _ in range(120):
        desk.beat(50 * MS)
    assert any("both sides are silent for 6 s" in text for text in desk.look().held)


def test_a_stack_that_is_gone_is_unstable_and_one_that_is_not_wanted_holds() -> None:
    desk, _ = ready()
    desk.sources[C][NEW] = Desk.runs(connected=False, pid=None, shed=True)
    for _ in range(40):
        desk.beat(50 * MS)
    look = desk.look()
    assert triggers(look) == ["stability"]
    assert f"{C}: new does not run" in look.held
    other, _ = ready()
    other.sources[C][NEW] = Desk.runs(connected=False, pid=None)
    for _ in range(40):
        other.beat(50 * MS)
    look = other.look()
    assert (look.verdict, look.alarms) == ("HOLD", [])
    assert look.held == [f"{C}: new does not run"]
    other.sources[C][NEW] = Desk.runs()
    other.beat(50 * MS)
    assert other.look().alarms == []


@pytest.mark.checklist("R.3")
def test_growth_of_the_process_that_holds_new_alone_opens_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    desk, _ = ready()
    asked: list[list[int]] = []

    def grown(pids: list[int]) -> str:
        asked.append(pids)
        return "+30 % and 20 MiB" if pids else ""

    monkeypatch.setattr(desk.watch._memory, "grown", grown)
    assert triggers(desk.look()) == []
    desk.sources[C][NEW] = Desk.runs(pid=2)
    desk.beat(50 * MS)
    assert triggers(desk.look()) == ["memory"]
    assert asked == [[], [2]]


@pytest.mark.checklist("R.3")
@pytest.mark.parametrize(("legacy", "new"), [(1, 1), (2, 1)])
def test_growth_of_the_application_is_not_news_and_is_told_as_not_judged(
    legacy: int, new: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In canary and live new runs in the application, pid 1, and legacy beside it."""
    desk, _ = ready()
    monkeypatch.setattr(desk.watch._memory, "grown", lambda pids: "+30 % and 20 MiB" if pids else "")
    desk.sources[C] = {LEGACY: Desk.runs(pid=legacy), NEW: Desk.runs(pid=new)}
    desk.beat(50 * MS)
    look = desk.look()
    assert (look.verdict, look.alarms) == ("PASS", [])
    text = f"memory of {C}: new is not alone in its process"
    assert look.not_judged == as_json(look, 1.0)["not_judged"] == [text]
    assert f"not judged: {text}" in in_a_line(look, 1.0)
    assert last_word(look, {}, "")[1].endswith(f"not judged: {text}")


@pytest.mark.checklist("R.2")
@pytest.mark.parametrize(("down", "fires"), [(1.5, False), (1.9, True)])
def test_connections_below_99_percent_open_stability(down: float, fires: bool) -> None:
    """Of the first minute 0.6 s are allowed, and the first second behind the end of a connection is free."""
    desk, _ = ready()
    desk.sources[C][NEW]["connected"] = False
    for _ in range(round(down * 20)):
        desk.beat(50 * MS)
    desk.sources[C][NEW]["connected"] = True
    desk.beat(50 * MS)
    assert triggers(desk.look()) == (["stability"] if fires else [])


def test_an_outage_of_both_is_shared() -> None:
    desk, _ = ready()
    for side in (LEGACY, NEW):
        desk.sources[C][side]["connected"] = False
    for _ in range(60):
        desk.beat(50 * MS)
    assert [alarm.legacy_too for alarm in desk.look().alarms] == [True]


@pytest.mark.checklist("R.1")
def test_a_slower_callback_is_an_onset() -> None:
    desk, number = ready()
    steady(desk, number, 15, took=(100, 130))
    look = desk.look()
    assert (look.onset, triggers(look)) == ("alarm", ["performance"])
    assert re.search(r"x1\.(2[5-9]|3[0-5]) of legacy's over", look.alarms[0].says)


def test_what_was_unequal_from_the_start_is_no_onset_but_a_rise_from_there_is() -> None:
    desk = Desk(BLOCK)
    number = steady(desk, 1, 60, took=(100, 150))
    assert desk.look().onset == "quiet"
    steady(desk, number, 20, took=(100, 200))
    assert desk.look().onset == "alarm"


def test_errors_of_new_alone_open_functionality_until_no_more_come() -> None:
    desk, number = ready()

    def fail(side: str, connection: str = C) -> None:
        desk.watch.take({"k": "error", "c": connection, "t": desk.now, "by": side, "kind": "decode"})

    for side in (LEGACY, NEW):
        fail(side)
    assert triggers(desk.look()) == []
    for _ in range(2):
        fail(NEW)
        assert [alarm.says for alarm in desk.look().alarms][-1].startswith(f"EXC {C} decode: ")
        number = steady(desk, number, 11)
        assert triggers(desk.look()) == []
    for side in (LEGACY, NEW):
        fail(side)
    assert triggers(desk.look()) == []


def test_errors_of_legacy_on_another_connection_excuse_none_of_new() -> None:
    desk, _ = ready()
    desk.watch.take({"k": "error", "c": "mexc.spot.public", "t": desk.now, "by": LEGACY, "kind": "decode"})
    desk.watch.take({"k": "error", "c": C, "t": desk.now, "by": NEW, "kind": "decode"})
    assert [alarm.says for alarm in desk.look().alarms] == [f"EXC {C} decode: 1 of new, 0 of legacy"]


def test_a_tap_of_one_side_or_of_nothing_is_never_a_pass() -> None:
    desk = Desk()
    for number in range(100):
        desk.trade(number, (LEGACY,))
        desk.beat(50 * MS)
    assert "new has delivered nothing" in desk.look().held
    desk.sources = {}
    desk.beat()
    assert desk.look().held[0].startswith("nothing is behind the tap")
    assert last_word(None, {}, "") == ("HOLD", "nothing was seen")


def fill(desk: Desk, number: int, *sides: str) -> None:
    for side in sides:
        desk.say(side, "fill", id=str(number), order_id="7", price=1.5, quantity=1.0, side="buy", ts=number)


@pytest.mark.parametrize(("speaks", "lacks"), [(LEGACY, NEW), (NEW, LEGACY)])
def test_a_stream_that_one_side_never_begins_is_no_pass(speaks: str, lacks: str) -> None:
    """Four fills are too few for a silence, and an edge as long as one side has had none."""
    desk, number = ready()
    for one in range(4):
        fill(desk, one, speaks)
        number = steady(desk, number, 2.5)
    look = desk.look()
    assert look.held == [f"{C} fill BTC_USDT: {lacks} has delivered none yet"]
    assert (look.verdict, look.counts[speaks]["EDGE"]) == ("HOLD", 4)
    fill(desk, 5, speaks, lacks)
    assert desk.look().held == []
    assert word(desk) == ("HOLD", f"{C} fill BTC_USDT: {lacks} had none of it while it was there")


def test_a_stream_begun_by_one_side_a_moment_ago_or_whose_other_half_the_tap_lost_is_held_by_nothing() -> None:
    desk, number = ready()
    fill(desk, 1, LEGACY)
    number = steady(desk, number, 1.5)
    assert desk.look().held == []
    desk.watch.take({"k": "dropped", "t": desk.now, "count": 1})
    number = steady(desk, number, 4)
    assert desk.watch.join.lonely == []
    desk.sources[C][NEW]["connected"] = False
    fill(desk, 2, LEGACY)
    desk.beat()
    desk.sources[C][NEW]["connected"] = True
    steady(desk, number, 4)
    assert [side for _, side in desk.watch.join.lonely] == [NEW]
    assert desk.watch.doubts() == []


def test_dropped_events_are_no_pass() -> None:
    desk, number = ready()
    desk.watch.take({"k": "dropped", "t": desk.now, "count": 100})
    steady(desk, number, 4)
    look = desk.look()
    assert look.verdict == "HOLD"
    assert "were not seen" in look.held[0]


def test_a_stack_that_does_not_say_when_it_read_leaves_the_detector_without_data() -> None:
    speed = Speed(BLOCK)
    for number in range(2000):
        t = number * 25 * MS
        line = {"k": "event", "c": C, "t": t + 50_000, "type": "trade", "symbol": "BTC_USDT", "recv": None}
        speed.pair(event_of(1, t, line), event_of(1, t, line | {"t": t + 20_000, "recv": t}))
        speed.settle(t)
    assert (speed.state, speed.ratio(), len(speed.lead_ns)) == ("thin", None, 2000)
    assert set(speed.lead_ns) == {30_000}


def test_a_frame_of_several_events_is_one_sample() -> None:
    speed = Speed(BLOCK)
    line = {"k": "event", "c": C, "t": 50_000, "type": "trade", "symbol": "BTC_USDT", "recv": 10_000}
    for late in (0, 1_000, 2_000):
        speed.pair(event_of(1, 0, line | {"t": 50_000 + late}), event_of(1, 0, line | {"t": 30_000 + late}))
    assert list(speed.took_ns[NEW]) == [20_000]
    assert list(speed.took_ns[LEGACY]) == [40_000]


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_no_false_onset_in_a_quarter_of_a_million_blocks(phi: float) -> None:
    """50 watches of 5 000 blocks, each with its own 40 first blocks; new stands 65 % above legacy all the time."""
    from scipy.signal import lfilter

    from shadow.stats.onset import ALARM, block_scale, onset_evidence, standing_theta

    drawn = np.random.default_rng(11).standard_normal((50, 5_000 + CALIBRATION + 200))
    drawn[..., 1:] *= math.sqrt(1 - phi**2)
    y = 0.5 + 0.05 * lfilter([1.0], [1.0, -phi], drawn)[:, 200:]
    highest = []
    for row in y:
        first, live = row[:CALIBRATION], row[CALIBRATION:]
        theta = standing_theta(first, math.log(1.10))
        highest.append(onset_evidence(live, theta, block_scale(first)).max())
    assert max(highest) < ALARM
