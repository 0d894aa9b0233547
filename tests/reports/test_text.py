"""Numbers and strings as the report prints them."""

from __future__ import annotations

import pytest

from reports.text import clean, count, percent, plain, quantity, ratio, shorten

NARROW = "\u202f"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (183_421.0, "ns", "183.4 µs"),
        (999.0, "ns", "999.0 ns"),
        (2.5e9, "ns", "2.500 s"),
        (48_234_496.0, "bytes", "46.00 MiB"),
        (None, "ns", "no data"),
        (0.99999, "share", "99.999 %"),
        (12.5, "", "12.50"),
    ],
)
def test_quantities_take_the_prefix_that_reads_best(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit).replace(NARROW, " ") == text


def test_a_share_below_one_is_never_printed_as_all() -> None:
    assert percent(0.99999999, 2).startswith("99.99")
    assert percent(1.0, 2).startswith("100.00")


def test_missing_numbers_say_so() -> None:
    assert {count(None), ratio(None), plain(None), percent(None)} == {"no data"}


def test_counts_have_groups() -> None:
    assert count(1_234_567) == f"1{NARROW}234{NARROW}567"


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\u202e", "\u200b", "\ud800", "\ufeff", "\x7f", "\ue000"])
def test_characters_that_hide_or_reorder_text_become_visible(bad: str) -> None:
    assert clean(f"a{bad}b") == "a\ufffdb"


def test_ordinary_text_stays() -> None:
    assert clean("BTC_USDT größer 测试\n") == "BTC_USDT größer 测试\n"
    assert shorten("abcdef", 4) == "abc…"
