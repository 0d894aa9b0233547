"""What both stacks missed."""

from __future__ import annotations

from typing import Any

import pytest

from bench.flip_drive import HandFlag
from exchanges.structs import (
    MessageType,
)
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stage import Stage, serving_architecture
from tests.conformance.dual.traffic import (
    BTC,
    connected,
    soon,
    versions,
)


async def test_what_both_stacks_missed_is_told_as_a_gap(
    flag: HandFlag, dual: DualRunManager, venue: Any, caller: Any
) -> None:
    flag.turn(Stage.CANARY)
    await connected(dual, venue, caller)
    for number in (101, 105):
        for link in venue.connections:
            await link.send(venue.wire.push("book", BTC, number))
    await caller.until(lambda: versions(caller.messages, "book") == [101, 105])
    (unit,) = dual.serving()
    migration = dual.get_performance_metrics()["migration"]
    assert (migration["gaps"], migration["events"]) == ({str(unit): 1}, {str(unit): 2})


@pytest.mark.parametrize("stage", ["canary", "shadow"])
async def test_behind_a_hole_of_both_stacks_a_rest_snapshot_mends_the_book(
    flag: HandFlag, dual: DualRunManager, venue: Any, caller: Any, stage: str
) -> None:
    """New rebuilds the book, whoever serves: with legacy back in its place it is the standby's that is taken."""
    await connected(dual, venue, caller)

    def books() -> list[tuple[int, bool]]:
        found = [one.data for one in caller.messages if one.message_type is MessageType.ORDERBOOK]
        return [(book.last_update_id, bool(book.is_snapshot)) for book in found]

    async def push(*numbers: int) -> None:
        for number in numbers:
            for link in venue.connections:
                await link.send(venue.wire.push("book", BTC, number))
            await caller.until(lambda number=number: (number, False) in books())

    def is_synced() -> bool:
        stack = dual._legs[Side.NEW].stack
        return stack is not None and stack.get_performance_metrics()["handler"]["books"]["synced"] == 1

    await push(101, 102)
    await soon(is_synced)
    for turn, side in (("canary", Side.NEW), (stage, Side(serving_architecture(Stage(stage))))):
        flag.turn(Stage(turn))
        await soon(lambda side=side: set(dual.serving().values()) == {side})
    venue.book_version = 105
    before = len(books())
    await push(106)
    await caller.until(lambda: (106, True) in books()[before:])
    await push(107, 108)
    assert books()[before:] == [(106, False), (106, True), (107, False), (108, False)]
    assert list(dual.get_performance_metrics()["migration"]["gaps"].values()) == [1]
