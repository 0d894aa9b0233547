"""What the online judge takes of a core, as a ratio."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadow.online.pace import CORE_SHARE, EVERY_S, STATISTICS_SHARE, pause_s, rest_s

SECONDS = st.floats(0, 500)


@given(SECONDS)
def test_neither_share_of_a_core_is_passed(spent_s: float) -> None:
    assert spent_s <= CORE_SHARE * (spent_s + pause_s(spent_s)) * 1.000001
    assert spent_s <= STATISTICS_SHARE * (spent_s + rest_s(spent_s)) * 1.000001


def test_cheap_looks_come_at_once_and_the_tests_when_they_may() -> None:
    assert pause_s(0.1) == EVERY_S
    assert 0.18 < rest_s(0.01) < 0.22
