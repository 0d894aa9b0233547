"""The runner of `make test` fails whenever one of its halves does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("halves", Path(__file__).with_name("halves.py"))
assert SPEC is not None
assert SPEC.loader is not None
halves = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(halves)


@pytest.mark.parametrize(
    ("codes", "answer"),
    [
        ((0, 0), 0),
        ((1, 0), 1),
        ((0, 2), 1),
        ((0, -9), 1),
        ((-9, 0), 1),
        ((5, 0), 0),
        ((0, 5), 0),
        ((5, 5), 1),
        ((5, 1), 1),
    ],
)
def test_one_failing_half_is_a_failure(codes: tuple[int, int], answer: int) -> None:
    assert halves.verdict(codes) == answer
