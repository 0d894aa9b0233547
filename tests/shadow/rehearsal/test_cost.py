"""Whether new has become dearer: against the consumer beside it, so that a slow machine moves both."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shadow.rehearsal import cost as module
from shadow.rehearsal.cost import BLOCK_S, MOST_WATCHED, USUAL_BLOCKS, Cost

NEW, OTHER = 7, 8
MS = 1_000_000


class Machine:
    """Two processes whose CPU grows by block, on a clock that stands in for the machine's."""

    def __init__(self) -> None:
        self.now_s = 1.0
        self.cpu_ns: dict[int, int | None] = {NEW: MS, OTHER: MS}
        self._chance = np.random.default_rng(2)

    def block(self, new_ms: float, other_ms: float, noise: float = 0.05) -> None:
        for pid, ms in ((NEW, new_ms), (OTHER, other_ms)):
            before = self.cpu_ns[pid]
            assert before is not None
            self.cpu_ns[pid] = before + round(ms * MS * float(np.exp(self._chance.normal(0.0, noise))))
        self.now_s += BLOCK_S


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()

    class Probe:
        def __init__(self, pid: int) -> None:
            self._pid = pid

        def cpu_ns(self) -> int | None:
            return made.cpu_ns[self._pid]

    monkeypatch.setattr(module, "Probe", Probe)
    monkeypatch.setattr(module.time, "monotonic", lambda: made.now_s)
    return made


def said(cost: Cost, machine: Machine, blocks: int, new_ms: float, other_ms: float) -> list[str]:
    found = []
    for _ in range(blocks):
        machine.block(new_ms, other_ms)
        found.append(cost.dearer())
    return found


def usual(machine: Machine) -> Cost:
    cost = Cost([NEW], OTHER)
    cost.dearer()
    said(cost, machine, USUAL_BLOCKS, 40.0, 80.0)
    return cost


def test_work_more_by_a_third_is_told_within_what_was_stated_and_a_twentieth_is_not(machine: Machine) -> None:
    cost = usual(machine)
    assert cost.is_ready
    assert cost.usual_ns == pytest.approx(USUAL_BLOCKS * 40 * MS, rel=0.1)
    stated = round(cost.seconds_to_see(1.3) / BLOCK_S)
    assert 10 <= stated <= 40
    assert said(cost, machine, 60, 42.0, 80.0)[-1] == ""
    told = said(cost, machine, stated, 52.0, 80.0)
    assert told[0] == ""
    assert told[-1].startswith("CPU of new is 1.")


def test_a_stack_that_drifts_at_first_is_looked_at_until_it_does_no_more(machine: Machine) -> None:
    """Of twelve drifting blocks nobody could say how much they vary, and twice as much would go unseen."""
    cost = Cost([NEW], OTHER)
    cost.dearer()
    for block in range(USUAL_BLOCKS):
        said(cost, machine, 1, 24.0 * 1.06**block, 80.0)
    assert not cost.is_ready
    assert cost.seconds_to_see(1.5) == math.inf
    said(cost, machine, 2 * USUAL_BLOCKS, 46.0, 80.0)
    assert cost.is_ready
    assert any(said(cost, machine, 24, 92.0, 80.0))


def test_a_stack_that_goes_on_to_drift_is_judged_by_what_it_came_to(machine: Machine) -> None:
    cost = Cost([NEW], OTHER)
    cost.dearer()
    for block in range(MOST_WATCHED):
        assert not cost.is_ready
        said(cost, machine, 1, 24.0 * 1.06**block, 80.0)
    assert cost.is_ready


def test_a_machine_that_becomes_slow_and_a_market_that_becomes_lively_move_both(machine: Machine) -> None:
    cost = usual(machine)
    assert not any(said(cost, machine, 40, 80.0, 160.0))
    assert any(said(cost, machine, 40, 80.0, 80.0))


def test_a_process_that_is_gone_says_nothing(machine: Machine) -> None:
    cost = usual(machine)
    machine.cpu_ns[NEW] = None
    machine.now_s += BLOCK_S
    assert cost.dearer() == ""
    assert cost.blocks == []
