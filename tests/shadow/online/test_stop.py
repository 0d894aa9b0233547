"""When a running session may end: a fact that stands, or a test that the whole judge bears out."""

from __future__ import annotations

from shadow.online.follow import Look
from shadow.online.stop import CONFIRM_NS, StopRule
from shadow.verdict.evidence import Fact
from shadow.verdict.sequential import Watch

S = 1_000_000_000
LOST = Fact("functionality", "1 critical MISSING of the new stack in x trade", "MISSING.x.trade")
WRONG = Fact("functionality", "1 critical FIELD of the new stack in x trade", "FIELD.x.trade")


def look(at_s: float, *facts: Fact, confirmed: str | None = None) -> Look:
    return Look(int(at_s * S), "main", 1, [], list(facts), None, Watch(), confirmed, 0.0)


def test_a_fact_counts_when_it_has_stood_as_long_as_a_late_event_may_take() -> None:
    rule = StopRule()
    said = [rule.take(look(at_s, LOST)) for at_s in (1, 2, 2.9, 3)]
    assert CONFIRM_NS == 2 * S
    assert said == [None, None, None, LOST.text]


def test_a_fact_that_goes_away_begins_anew() -> None:
    rule = StopRule()
    said = [rule.take(look(1, LOST)), rule.take(look(2.5)), rule.take(look(3.5, LOST)), rule.take(look(5, LOST))]
    assert said == [None] * 4
    assert rule.take(look(5.5, LOST)) == LOST.text


def test_two_facts_that_take_turns_do_not_add_up() -> None:
    rule = StopRule()
    assert [rule.take(look(n, WRONG if n % 2 else LOST)) for n in range(1, 9)] == [None] * 8


def test_a_test_that_the_whole_judge_bears_out_counts_at_once() -> None:
    assert StopRule().take(look(1, confirmed="the sequential test of cpu.per_message")) is not None
