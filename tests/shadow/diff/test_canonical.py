"""Numbers are compared by value; a mismatch is named by its kind."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.diff.canonical import content_key, differing, is_rounded, same_levels
from shadow.diff.kinds import number_kind, time_kind
from shadow.reference.events import Book, BookTicker, Trade

decimals = st.decimals(min_value="0.00000001", max_value=10**9, places=8)


@given(decimals)
def test_the_nearest_float_the_exact_text_and_other_spellings_match(value: Decimal) -> None:
    wire = str(value)
    assert number_kind(wire, float(wire)) is None
    assert number_kind(wire, wire) is None
    assert number_kind(wire, f"{value:f}000") is None


@given(decimals, st.integers(1, 8))
def test_a_text_off_in_any_digit_does_not_match(value: Decimal, place: int) -> None:
    wrong = value + Decimal(1).scaleb(-place)
    assert number_kind(str(value), str(wrong)) is not None


@pytest.mark.parametrize(
    ("wire", "given_value", "kind"),
    [
        ("84270.01", 84270.02, "value"),
        ("84270.01", "84270.011", "value"),
        ("84270.01", 84270.0, "precision"),
        ("84270.017", 84270.02, "precision"),
        ("0.1", 0.10000000149011612, "precision"),
        ("1.25", 1250, "unit"),
        ("1.25", "0.00125", "unit"),
        ("1.25", -1.25, "sign"),
        ("1.25", True, "type"),
        ("1.25", "abc", "type"),
        ("1.25", "Infinity", "type"),
        ("1.25", {}, "type"),
    ],
)
def test_kinds_of_mismatch(wire: str, given_value: object, kind: str) -> None:
    assert number_kind(wire, given_value) == kind


@pytest.mark.parametrize(
    ("given_value", "kind"),
    [
        (1790281243450, None),
        (1790281243, "unit"),
        (1790281243450000, "unit"),
        (1790281243000, "precision"),
        (1790281243451, "value"),
        ("1790281243450", "type"),
    ],
)
def test_kinds_of_wrong_times(given_value: object, kind: str | None) -> None:
    assert time_kind(1790281243450, given_value) == kind


def test_a_long_decimal_is_rounded_by_a_float_and_a_short_one_is_not() -> None:
    trade = Trade("S", "1", "0.12345678901234567890", "1.5", "buy", 1)
    body = {"id": "1", "price": float(trade.price or 0), "quantity": 1.5, "side": "buy", "ts": 1}
    assert differing(trade, body) is None
    assert is_rounded(trade, body)
    assert not is_rounded(trade, body | {"price": trade.price})
    trade.price = "0.5"
    assert not is_rounded(trade, body | {"price": 0.5})


def test_levels_are_a_set_whatever_their_order_and_spelling() -> None:
    book = Book("S", 1, 2, False, [["1.10", "3"], ["1.2", "0.000"]], [], None)
    assert same_levels(book, {"bids": [[1.2, 0], ["1.1", 3.0]], "asks": []})
    assert not same_levels(book, {"bids": [[1.1, 3]], "asks": []})
    assert not same_levels(book, {"bids": [[1.1, 3], [1.2, 0]], "asks": None})
    assert not same_levels(book, {"bids": [[1.1, 3], [1.2, 0], [1.2, 0]], "asks": []})


def test_null_is_masked_on_optional_fields_only_and_not_where_the_stack_has_the_field() -> None:
    best = BookTicker("S", "1", "2", "3", "4", 7, 8)
    body = {"bid": 1, "bid_quantity": 2, "ask": 3, "ask_quantity": 4}
    assert differing(best, body) is None
    assert differing(best, body, {"seq"}) == "seq:null"
    assert differing(best, body | {"ask": None}) == "ask:null"
    best.bid = None
    assert differing(best, body) == "bid:null"


def test_content_keys_ignore_times_and_ids() -> None:
    assert content_key(Trade("S", "1", "1.50", "2", "buy", 1)) == content_key(Trade("S", "2", "1.5", "2.0", "buy", 9))


@pytest.mark.parametrize(
    "given", ["sNaN", "NaN", "Infinity", "1e999999999", "-1e999999999", "1e-999999999", "1e999999"]
)
@pytest.mark.parametrize("wire", ["0", "43000.12", "0.00000001"])
def test_no_number_is_too_odd_to_be_named(wire: str, given: str) -> None:
    """A single such value must not cost the session its verdict."""
    assert number_kind(wire, given) in {"type", "value", "unit", "precision"}
