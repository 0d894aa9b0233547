"""What came of a drill beside a running consumer: the harm's own flips, counts and alarms, and nobody else's."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from shadow.connections import CONNECTIONS
from shadow.drill.acts import ACTS, Strike
from shadow.drill.cells import Cell, word_of
from shadow.drill.run import books_of_new, check_stages
from shadow.drill.served import audited, bound_of, cell_of, lacking, wrong_since
from shadow.drill.served_plan import STAGES, rules_of, served_drills
from shadow.errors import UsageError
from shadow.rollout.consumers import Alarm
from shadow.rollout.stages import position_of
from shadow.rollout.units import parse_unit

SECOND = 1_000_000_000
DRILLS = served_drills(CONNECTIONS)
FIRES = next(one for one in DRILLS if one.drill.what == "alter")
SILENT = next(one for one in DRILLS if one.drill.what == "quiet")
CLEAN = {"unit": "a", "audited": True, "lost": 0, "duplicated": 0, "reordered": 0, "given_up": 0}


def test_every_trigger_fires_somewhere_and_every_part_dies() -> None:
    assert {one.drill.trigger for one in DRILLS} == {"functionality", "stability", "memory", "performance", ""}
    assert {one.act for one in DRILLS} == set(ACTS)
    silent = {one.drill.what for one in DRILLS if not one.drill.trigger}
    assert {"dearer by 5 %", "conflate", "outage", "quiet", "burst"} <= silent
    assert {"the judge dies", "the controller dies", "the flag file is unreadable"} <= silent
    assert all(bool(one.drill.trigger) == (one.drill.bound_s is not None) for one in DRILLS)
    assert not [one for one in served_drills(["mexc.spot.private"]) if one.word in ("alter", "conflate")]


@pytest.mark.parametrize("stage", STAGES)
def test_new_serves_in_each_stage(stage: str) -> None:
    for unit in ("gateio.spot.book.BTC_USDT", "mexc.spot.private"):
        assert position_of(rules_of(stage), parse_unit(unit)).stage.value == stage


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_needs_a_book_that_new_serves(stage: str) -> None:
    for connections in (CONNECTIONS, ["gateio.spot.public"], ["mexc.spot.private", "gateio.futures.public"]):
        check_stages(["shadow", stage], connections)
    accounts = [one for one in CONNECTIONS if one.endswith(".private")]
    check_stages(["shadow"], accounts)
    with pytest.raises(UsageError, match=f"--stages {stage}: new serves no book of gateio.spot.private, "):
        check_stages(["shadow", stage], accounts)


def test_a_canary_needs_it_among_its_own_half() -> None:
    assert books_of_new("live", ["mexc.spot.public"]) == ["mexc.spot.book.BTC_USDT", "mexc.spot.book.ETH_USDT"]
    assert books_of_new("canary", ["mexc.spot.public"]) == []
    assert books_of_new("canary", ["gateio.spot.public"]) == ["gateio.spot.book.BTC_USDT"]


def struck(served: Any, alarms: list[Alarm], first_ns: int | None, sides: str = "new") -> Strike:
    judge = SimpleNamespace(alarms=alarms, first_alarm_ns=first_ns)
    scene: Any = SimpleNamespace(judge=judge, sides_are=lambda wanted: wanted == {"u": sides})
    back_ns = 3 * SECOND if served.drill.trigger else 0
    return Strike(scene, served, (), 4.0, struck_ns=SECOND, back_ns=back_ns, happened=1, wanted={"u": "new"})


def test_the_way_back_is_timed_from_the_harm_and_its_trigger_has_to_be_first() -> None:
    right, other = Alarm("functionality", says="altered"), Alarm("memory")
    cell = cell_of(struck(FIRES, [right, other], 2 * SECOND))
    assert (cell.delay, cell.bound, word_of(cell)) == (2.0, 4.0, "ok")
    assert "opened after 1 s, legacy served after 2 s" in cell.reason
    assert word_of(cell_of(struck(FIRES, [other, right], 2 * SECOND))) == "memory named first"
    assert word_of(cell_of(struck(FIRES, [right], SECOND // 2))) == "before its evidence"


@pytest.mark.parametrize(("seen_s", "bound_s"), [(5.0, 8.0), (40.0, 15.0), (math.inf, 15.0)])
def test_a_noisy_machine_gets_no_longer_bound_than_planned(seen_s: float, bound_s: float) -> None:
    cost: Any = SimpleNamespace(seconds_to_see=lambda ratio: seen_s if ratio == 1.5 else 0.0)
    dearer = next(one for one in DRILLS if one.drill.trigger == "performance")
    assert bound_of(dearer, cost) == bound_s
    assert bound_of(FIRES, None) == FIRES.drill.bound_s
    assert bound_of(SILENT, None) == 0.0


def test_one_that_never_came_back_did_not_pass() -> None:
    strike = struck(FIRES, [Alarm("functionality")], 2 * SECOND)
    strike.back_ns = 0
    assert word_of(cell_of(strike)) == "nothing named first"


def test_what_may_not_fire_may_neither_alarm_nor_move_a_unit() -> None:
    assert word_of(cell_of(struck(SILENT, [], None))) == "ok"
    assert word_of(cell_of(struck(SILENT, [Alarm("memory")], 2 * SECOND))) == "fired: memory"
    assert word_of(cell_of(struck(SILENT, [], None, sides="legacy"))) == "fired: "


def cell(trigger: bool) -> Cell:
    served = FIRES if trigger else SILENT
    return cell_of(struck(served, [Alarm("functionality")] if trigger else [], 2 * SECOND if trigger else None))


def test_each_line_has_the_audits_of_its_own_time() -> None:
    lines = [(cell(True), 10), (cell(True), 20), (cell(False), 30)]
    flips = [CLEAN | {"decided": 5}, CLEAN | {"decided": 15, "lost": 1, "unit": "b"}]
    found = audited(lines, flips)
    assert [word_of(one) for one in found] == ["ok", "1 of 1 audits not clean, first b", "ok"]
    assert [word_of(one) for one in audited(lines, [CLEAN | {"decided": 5}])][1] == "no flip was audited"
    unaudited = CLEAN | {"decided": 15, "audited": False}
    assert word_of(audited(lines, [CLEAN | {"decided": 5}, unaudited])[1]) == "no flip was audited"


def test_what_the_consumer_lost_since_is_named() -> None:
    before = {"owed": 10, "lost": 1, "doubled": 0, "reordered": 2}
    assert wrong_since(before, {"owed": 20, "lost": 1, "doubled": 0, "reordered": 2}) == ""
    assert wrong_since(before, {"owed": 20, "lost": 3, "doubled": 1, "reordered": 2}) == "2 lost, 1 doubled"
    assert wrong_since(before, before) == "nothing was sent"
    assert word_of(lacking(lacking(cell(True), "2 lost"), "a hold")) == "2 lost; a hold"
