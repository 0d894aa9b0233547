"""What the online judge takes of a core, as a ratio."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadow.online.pace import CORE_SHARE, EVERY_S, STATISTICS_SHARE, may_ask, pause_s

SECONDS = st.floats(0, 500)


@given(SECONDS)
def test_comparing_stays_within_its_share_of_a_core(spent_s: float) -> None:
    assert spent_s <= CORE_SHARE * (spent_s + pause_s(spent_s)) * 1.000001


@given(st.lists(st.floats(0.001, 0.1), min_size=1), st.floats(0.3, 2))
def test_the_tests_stay_within_theirs_at_every_moment(costs: list[float], every_s: float) -> None:
    spent, last, elapsed = 0.0, 0.0, 0.0
    for cost in sorted(costs):
        elapsed += every_s
        if may_ask(spent, max(last, cost / 1.5), elapsed):
            spent, last = spent + cost, cost
        assert spent <= STATISTICS_SHARE * elapsed * 1.000001


def test_cheap_looks_come_at_once_and_the_tests_when_they_may() -> None:
    assert pause_s(0.1) == EVERY_S
    assert may_ask(0.0, 0.02, 1.0)
    assert not may_ask(0.03, 0.02, 1.0)
