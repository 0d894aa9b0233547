"""The quick ways to look at a number refuse what the exact one refuses, and nothing else."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.reference.gateio_values import millis
from shadow.reference.numbers import LARGEST_EXPONENT, exact, probe, read_json

ODD = (
    "", " ", "1", "-1", "0", "0e999", "1e300", "1e301", "1e-301", "1e400", "1e401", "-1e401", "1e-400", "1e-401",
    "1e999999999999999999999", "nan", "inf", "-Infinity", "1_000", "1__0", "_1", " 1.5 ", "\u0661", "\uff11.5", "0x10",
    "1.", ".5", ".", "+7", "1e", "True", "None", "12345678901234567890.123456789", "\x00", "1\x00",
)  # fmt: skip


def is_refused(text: str) -> bool:
    try:
        exact(text)
    except ValueError:
        return True
    return False


def is_probed_away(text: str) -> bool:
    try:
        probe(text)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("text", ODD)
def test_a_probe_refuses_what_is_no_number(text: str) -> None:
    assert is_probed_away(text) == is_refused(text)


@given(st.one_of(st.text(alphabet="0123456789.eE+-_ infa\u0661\u2009", max_size=12), st.decimals().map(str), st.text()))
def test_a_probe_refuses_what_exact_refuses(text: str) -> None:
    assert is_probed_away(text) == is_refused(text)


@given(st.integers(-(10**18), 10**18) | st.sampled_from([10**LARGEST_EXPONENT, 10 ** (LARGEST_EXPONENT + 1) - 1]))
def test_a_time_is_the_same_as_a_number_and_as_text(value: int) -> None:
    assert millis(value) == millis(str(value)) == millis(f"{value}.9") == value


def test_a_time_beyond_this_world_is_refused_in_either_form() -> None:
    for value in (10 ** (LARGEST_EXPONENT + 1), str(10 ** (LARGEST_EXPONENT + 1))):
        with pytest.raises(ValueError, match="no number of this world"):
            millis(value)


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_json_is_read_in_every_coding_with_exact_fractions(coding: str) -> None:
    text = json.dumps({"a": [1, "\u00fc"], "b": None})[:-1] + ', "c": 0.1234567890123456789}'
    assert read_json(text.encode(coding)) == {"a": [1, "\u00fc"], "b": None, "c": Decimal("0.1234567890123456789")}


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff{}", b"NaN", b"[Infinity]", b"[1e999]", b"{} {}"])
def test_what_is_no_json_is_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(payload)
