"""What the online judge takes of a core, as a ratio."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shadow.online.pace import CORE_SHARE, EVERY_S, STATISTICS_SHARE, pause_s

SECONDS = st.floats(0, 500)


@given(SECONDS, SECONDS)
def test_neither_share_of_a_core_is_passed(fact_s: float, stat_s: float) -> None:
    whole_s = fact_s + stat_s + pause_s(fact_s, stat_s)
    assert stat_s <= STATISTICS_SHARE * whole_s * 1.000001
    assert fact_s + stat_s <= CORE_SHARE * whole_s * 1.000001


def test_cheap_looks_come_each_second() -> None:
    assert pause_s(0.1, 0.01) == EVERY_S
