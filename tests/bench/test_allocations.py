"""The counts of blocks are of real messages that reached their consumer."""

from __future__ import annotations

import asyncio

import pytest

from bench import allocations
from bench.allocations import FRAMES, Keeper, best_of, blocks_of, held, reuse
from exchanges.structs.events import BookTickerEvent
from shadow.subjects.probe.frames import frames

Found = dict[tuple[str, str], dict[str, float]]


@pytest.fixture(scope="module")
def measured() -> tuple[str, Found]:
    """The table, and the blocks out of which it was made."""
    found: Found = {}

    async def noted(exchange: str, event_type: str) -> dict[str, float]:
        found[exchange, event_type] = blocks = await blocks_of(exchange, event_type)
        return blocks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(allocations, "blocks_of", noted)
        return asyncio.run(allocations.table(3)), found


@pytest.mark.checklist("3.1.8", "3.1.12")
@pytest.mark.parametrize("exchange", ["gateio", "mexc"])
def test_new_takes_no_more_blocks_than_legacy_and_nobody_less_than_the_decoder(
    exchange: str, measured: tuple[str, Found]
) -> None:
    for event_type in ("book", "trade", "book_ticker", "ticker"):
        found = measured[1][exchange, event_type]
        assert 0 < found["new"] <= found["legacy"], (event_type, found)
        assert found["decoder"] > 0, (event_type, found)


def test_blocks_are_what_a_message_holds() -> None:
    keeper = Keeper()
    raw_frames = [b"%d" % number for number in range(FRAMES)]
    counted = held(lambda raw: keeper.take([object() for _ in range(10)]), keeper, raw_frames)
    assert counted == 12  # ten objects, the list and its buffer
    assert keeper.taken == FRAMES


def test_the_reused_event_holds_the_frame_before() -> None:
    first, second = frames("mexc", "book_ticker", 2)
    event = BookTickerEvent("", 0.0, 0.0, 0.0, 0.0)
    assert best_of(first, event) is event
    assert event == best_of(first, None) != best_of(second, None)
    kept = best_of(first, event)
    best_of(second, event)
    assert kept == best_of(second, None)  # why reuse would be a trap for a consumer that keeps events


def test_reuse_saves_blocks_and_the_table_tells_how_much() -> None:
    brought = reuse(3)
    assert brought["reused_blocks"] < brought["fresh_blocks"]
    assert 0.5 < brought["time"] < 1.5


def test_the_table_has_a_row_for_each_type_and_the_line_about_reuse(measured: tuple[str, Found]) -> None:
    *rows, reused, parsed = measured[0].splitlines()
    assert len(rows) == 1 + 8
    assert "x the time" in reused
    assert "not done" in parsed
