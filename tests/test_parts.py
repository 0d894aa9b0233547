"""The runner of `make test` fails whenever one of its parts does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("parts", Path(__file__).with_name("parts.py"))
assert SPEC is not None
assert SPEC.loader is not None
parts = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(parts)


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
def test_one_failing_part_is_a_failure(codes: tuple[int, int], answer: int) -> None:
    assert parts.verdict(codes) == answer


def test_every_part_is_there() -> None:
    for path in (parts.SESSIONS, *parts.STACKS):
        assert list((parts.ROOT / path).rglob("test_*.py")), path
