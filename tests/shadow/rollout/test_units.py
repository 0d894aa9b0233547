"""Units as people type them, and which covers which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.errors import UsageError
from shadow.rollout.units import PUBLIC_CHANNELS, Unit, parse_unit, representatives

EXCHANGES, MARKETS, NAMES = st.sampled_from(["*", "gateio", "mexc"]), st.sampled_from(["*", "spot"]), ["*", "BTC_USDT"]
UNITS = st.one_of(
    st.builds(Unit, EXCHANGES, MARKETS),
    st.builds(Unit, EXCHANGES, MARKETS, st.just("private"), st.just("*"), st.sampled_from(["*", "main"])),
    st.builds(
        Unit, EXCHANGES, MARKETS, st.just("public"), st.sampled_from(["*", "book", "trade"]), st.sampled_from(NAMES)
    ),
)


@given(UNITS)
def test_what_is_printed_is_read_again(unit: Unit) -> None:
    assert parse_unit(str(unit)).covers(unit)
    assert unit.covers(parse_unit(str(unit)))


@given(UNITS, UNITS)
def test_patterns_agree_with_their_single_units(one: Unit, other: Unit) -> None:
    """The sets of single units are the oracle of `covers` and `common`."""
    units = representatives([one, other])
    mine, others = ({unit for unit in units if pattern.covers(unit)} for pattern in (one, other))
    common = one.common(other)
    assert one.covers(other) == (others <= mine)
    assert {unit for unit in units if common is not None and common.covers(unit)} == mine & others
    assert mine
    assert others


@pytest.mark.parametrize("text", ["", "a.b.c", "gateio.spot.candles.BTC_USDT", "gateio..private", "GATEIO.spot", "a b"])
def test_what_is_no_unit_is_told_with_the_way_out(text: str) -> None:
    with pytest.raises(UsageError, match=r"gateio\.spot\.book\.BTC_USDT"):
        parse_unit(text)


def test_a_single_unit_asks_the_flag_as_a_consumer_does() -> None:
    book, account = parse_unit("gateio.spot.book.BTC_USDT"), parse_unit("gateio.spot.private")
    assert (book.is_single, account.is_single, parse_unit("gateio.spot.book.*").is_single) == (True, True, False)
    assert book.targeting_key == "gateio.spot.book.BTC_USDT"
    assert (account.context()["channel"], account.targeting_key) == ("private", "gateio.spot.private")
    assert set(PUBLIC_CHANNELS) == {"book", "trade", "book_ticker", "ticker"}
