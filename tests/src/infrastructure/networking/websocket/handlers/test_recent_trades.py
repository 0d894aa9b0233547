"""Each trade once, by its id as text or as a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.structs.events import TradeEvent
from infrastructure.networking.websocket.handlers.recent_trades import NumberedTrades, RecentTrades

KINDS = pytest.mark.parametrize("kind", [RecentTrades, NumberedTrades])


def trade(trade_id: str | None, symbol: str = "BTC_USDT") -> TradeEvent:
    return TradeEvent(symbol, 1.0, 2.0, "buy", 1, trade_id)


def ids(trades: list[TradeEvent]) -> list[str | None]:
    return [one.trade_id for one in trades]


@KINDS
def test_a_repeated_frame_is_delivered_once(kind: type[RecentTrades]) -> None:
    recent = kind()
    assert ids(recent.fresh([trade("7"), trade("8")])) == ["7", "8"]
    assert recent.fresh([trade("7"), trade("8")]) == []
    assert recent.repeated == 2


@KINDS
def test_an_older_trade_that_comes_late_is_delivered(kind: type[RecentTrades]) -> None:
    recent = kind()
    assert ids(recent.fresh([trade("9")]) + recent.fresh([trade("7")]) + recent.fresh([trade("8")])) == ["9", "7", "8"]
    assert recent.fresh([trade("7")]) == []


@KINDS
def test_symbols_have_their_own_ids(kind: type[RecentTrades]) -> None:
    recent = kind()
    assert len(recent.fresh([trade("7")]) + recent.fresh([trade("7", "ETH_USDT")])) == 2
    assert recent.fresh([trade("7", "ETH_USDT")]) == []


@KINDS
def test_trades_without_an_id_always_pass(kind: type[RecentTrades]) -> None:
    recent = kind()
    assert len(recent.fresh([trade(None), trade(None)]) + recent.fresh([trade(None)])) == 3


def test_what_is_remembered_is_bounded() -> None:
    recent = RecentTrades()
    for number in range(10 * RecentTrades.KEPT):
        recent.fresh([trade(str(number))])
    seen = recent._by_symbol["BTC_USDT"]
    assert len(seen.ids) == RecentTrades.KEPT
    assert seen.highest == str(10 * RecentTrades.KEPT - 1)


def test_of_numbers_as_many_are_remembered() -> None:
    recent = NumberedTrades()
    for number in range(10 * NumberedTrades.KEPT):
        assert recent.is_new("BTC_USDT", number)
    assert len(recent.numbers["BTC_USDT"].ids) == NumberedTrades.KEPT
    assert not recent.is_new("BTC_USDT", 10 * NumberedTrades.KEPT - 1)
    assert recent.repeated == 1


@pytest.mark.no_cover
@KINDS
@given(numbers=st.lists(st.integers(0, 200), max_size=300))
def test_every_id_is_delivered_exactly_once_at_its_first_coming(kind: type[RecentTrades], numbers: list[int]) -> None:
    recent = kind()
    delivered = [one for number in numbers for one in ids(recent.fresh([trade(str(number))]))]
    assert delivered == list(dict.fromkeys(str(number) for number in numbers))


@KINDS
def test_of_one_frame_only_the_repeated_ones_are_left_out(kind: type[RecentTrades]) -> None:
    recent = kind()
    recent.fresh([trade("1"), trade("2")])
    assert ids(recent.fresh([trade("2"), trade("3"), trade("1"), trade("3"), trade("4")])) == ["3", "4"]
    assert recent.repeated == 3
    recent.forget()
    assert ids(recent.fresh([trade("1")])) == ["1"]
