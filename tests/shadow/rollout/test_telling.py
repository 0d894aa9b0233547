"""The rollout in one line."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.rollout.consumers import ConsumerStatus
from shadow.rollout.gates import Scene
from shadow.rollout.state import State
from shadow.rollout.telling import one_line


def consumer(**told: Any) -> ConsumerStatus:
    return ConsumerStatus("desk", 1, 100.0, 3, {}, **told)


@pytest.mark.parametrize(
    ("consumers", "says"),
    [
        ([], ""),
        ([consumer()], ""),
        ([consumer(events=12, gaps=0)], "; 12 events handed on, 0 gaps"),
        ([consumer(events=12, gaps=1), consumer(), consumer(events=30, gaps=2)], "; 42 events handed on, 3 gaps"),
    ],
)
def test_it_says_what_consumers_of_both_stacks_had(consumers: list[ConsumerStatus], says: str) -> None:
    line = one_line(State(), Scene(now_s=100.0, consumers=consumers))
    before = f"generation 0; all off, legacy serves; no controller watches, {len(consumers)} consumers, 0 judges"
    assert line == before + says
