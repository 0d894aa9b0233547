"""Delays before the next attempt."""

from __future__ import annotations

import random

import pytest

from exchanges.structs import ReconnectionPolicy
from infrastructure.networking.websocket.reconnection import ReconnectionPlan

POLICY = ReconnectionPolicy(3, 1.0, 2.0, 3.0)


def plan(policy: ReconnectionPolicy = POLICY) -> ReconnectionPlan:
    return ReconnectionPlan(policy, random.Random(7))


@pytest.mark.checklist("1.2.16")
def test_policy_with_jitter_then_the_end() -> None:
    delays = plan()
    for nominal in (1.0, 2.0, 3.0):
        delay = delays.next_delay(0.0, was_confirmed=False)
        assert delay is not None
        assert 0.75 * nominal <= delay <= 1.25 * nominal
        assert delay != nominal
    assert delays.next_delay(0.0, was_confirmed=False) is None


def test_at_most_thirty_immediate_attempts_in_a_minute() -> None:
    delays = plan()
    assert [delays.next_delay(n * 0.1, was_confirmed=True) for n in range(30)] == [0.0] * 30
    held = delays.next_delay(4.0, was_confirmed=True)
    assert held is not None
    assert held > 0.5
    assert delays.next_delay(60.05, was_confirmed=True) == 0.0


def test_a_good_connection_resets_the_count() -> None:
    delays = plan()
    for _ in range(3):
        delays.next_delay(0.0, was_confirmed=False)
    assert delays.next_delay(0.0, was_confirmed=True) == 0.0
    assert delays.attempt == 0


@pytest.mark.parametrize("resets", [True, False])
def test_1005_resets_where_the_exchange_says_so(resets: bool) -> None:
    delays = plan(ReconnectionPolicy(3, 1.0, 2.0, 60.0, reset_on_1005=resets))
    for _ in range(3):
        delays.next_delay(0.0, was_confirmed=False)
    delay = delays.next_delay(0.0, was_confirmed=False, code=1005)
    assert (delay is not None and delay < 1.3) if resets else delay is None
