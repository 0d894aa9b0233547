"""What new has less of than legacy, though no difference shows it."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.verdict.checklist import load_checklist
from shadow.verdict.lacks import never_had_again, slow_recovery
from shadow.verdict.uptime import Recovery

MS = 1_000_000
LIMITS = load_checklist().uptime


def row(t_ms: int, event: str, channel: str = "", cause: str = "", conn_no: int = 1) -> dict[str, Any]:
    symbol = "BTC_USDT" if channel else ""
    return {"t": t_ms * MS, "event": event, "channel": channel, "symbol": symbol, "cause": cause, "conn_no": conn_no}


def again(t_ms: int) -> list[dict[str, Any]]:
    return [row(t_ms, "subscribed", channel, conn_no=2) for channel in ("book", "trade")]


START = [row(0, "open"), row(1, "subscribed", "book"), row(2, "subscribed", "trade")]


@pytest.mark.parametrize(
    ("legacy_ms", "new_ms", "is_slow"),
    [
        ([6, 7, 5], [950, 940, 960], True),
        ([6, 7, 5, 6, 6, 7, 5, 6], [950, None, 940], True),
        ([6, 7, 5], [7, 950, 6], False),
        ([6, 7, 5], [105, 106, 107], False),
        ([6, 7, 5], [107, 106, 107], True),
        ([950, 940, 960], [970, 960, 980], False),
        ([None], [950, 950], False),
        ([6, 7], [None, None], False),
    ],
)
def test_who_comes_back_later_than_legacy_by_the_allowed_time_is_named(
    legacy_ms: list[int | None], new_ms: list[int | None], is_slow: bool
) -> None:
    sides = [[ms if ms is None else Recovery(0, 0, ms * MS, 0) for ms in side] for side in (legacy_ms, new_ms)]
    assert bool(slow_recovery("x.y.z", sides[0], sides[1], LIMITS.over_legacy_ms)) == is_slow


REFUSED = row(3000, "refused", "trade", "fault:refuse-subscribe", 2)


@pytest.mark.parametrize(
    ("legacy", "new", "gone"),
    [
        ([], [REFUSED], ["trade BTC_USDT"]),
        ([REFUSED, *again(4000)], [REFUSED], ["trade BTC_USDT"]),
        ([REFUSED, *again(4000)], [REFUSED, *again(5000)], []),
        # neither asks again: the fault table lets a stack wait for its caller
        ([REFUSED], [REFUSED], []),
        # refused by the exchange itself: a difference of its own, or shared
        ([], [row(3000, "refused", "trade", "upstream", 2)], []),
        ([row(3000, "close", cause="connect-leg"), *again(3100)], [row(3000, "close", cause="connect-leg")], []),
    ],
)
def test_a_stream_that_was_refused_once_and_is_had_by_legacy_alone_is_named(
    legacy: list[dict[str, Any]], new: list[dict[str, Any]], gone: list[str]
) -> None:
    assert never_had_again(START + legacy, START + new) == gone
