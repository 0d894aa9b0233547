"""Feeds the frames beside this file to a stack; what it delivers has to be what the reference read from them."""

from __future__ import annotations

from pathlib import Path

from shadow.reproducer.case import read_case
from shadow.reproducer.replay import differences, replay


def test_the_stack_delivers_what_was_sent() -> None:
    case = read_case(Path(__file__).parent)
    assert differences(case, replay(case)) == []
