"""The work that shadowing adds to the path from legacy to the consumer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.shadowing import LIMIT_US, call_ns, measure, queue_ns


@pytest.fixture(autouse=True)
def no_kill_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))


async def test_the_straight_way_costs_half_a_microsecond_at_most() -> None:
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        added_ns = await call_ns(200)
        queued_ns = queue_ns(100)
    finally:
        sys.settrace(tracer)
    print(f"shadowing adds {added_ns:.0f} ns to a message of legacy")  # noqa: T201
    assert 0 < added_ns <= 1000 * LIMIT_US
    assert 0 < queued_ns <= 1000 * LIMIT_US


async def test_both_ways_are_measured_with_the_real_stack() -> None:
    row = await measure("gateio", 3)
    assert row["alone_us"] > 0
    assert row["behind_us"] > 0.5
    assert row["lines_us"] > 0.5
    assert row["ratio"] == pytest.approx(row["shadowed_us"] / row["alone_us"], abs=0.01)
    assert row["added_us"] == pytest.approx(row["shadowed_us"] - row["alone_us"], abs=0.02)
