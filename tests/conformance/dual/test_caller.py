"""What the caller has of both stacks: what it sends, its states, and who is connected in which stage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.protocol import State

from bench.flip_drive import HandFlag
from exchanges.structs import (
    ConnectionState,
    ExchangeRestError,
    MessageType,
)
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stage import Stage, serving_architecture
from tests.conformance.dual.traffic import (
    BTC,
    ETH,
    KINDS,
    Traffic,
    connected,
    versions,
    versions_seen,
)

WITHIN_S = 8.0


async def test_a_request_goes_out_once_by_the_side_that_serves(
    flag: HandFlag, dual: DualRunManager, venue: Any, caller: Any
) -> None:
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=7)
    await traffic.push()
    await caller.until(lambda: len(dual.serving()) == 3)
    senders = []
    stages = ("shadow", "canary", "live", "rampdown", "shadow", "off", "complete")
    for number, stage in enumerate(stages):
        side = Side(serving_architecture(Stage(stage)))
        flag.turn(Stage(stage))
        message = {"method": "PING", "time": number, "channel": "spot.custom"}
        # While the sides change places, too.
        await dual.send_message(message)
        await traffic.served(dual, side, Stage(stage))
        if stage == "off":
            await venue.connections[1].wait_closed()
        await dual.send_message(message | {"settled": True})
        await venue.until(lambda number=number: sent(venue, number) == 2)
        senders.append(sender(venue, number))
    assert [sent(venue, number) for number in range(len(stages))] == [2] * len(stages)
    assert senders == [0, 1, 1, 1, 0, 0, 2]


def sent(venue: Any, number: int) -> int:
    """How often a request reached the exchange, over all connections."""
    return sum(
        request.get("method") == "PING" and request.get("time") == number
        for requests in venue.requests
        for request in requests
    )


def sender(venue: Any, number: int) -> int:
    """Which connection carried the request that was sent when the sides had settled."""
    (found,) = [
        at
        for at, requests in enumerate(venue.requests)
        for request in requests
        if request.get("time") == number and request.get("settled")
    ]
    return found


async def test_the_caller_sees_one_stack(flag: HandFlag, dual: DualRunManager, venue: Any, caller: Any) -> None:
    """Its states, answers and errors once, whatever the standby does."""
    with pytest.raises(ExchangeRestError, match="503"):
        await dual.subscribe([ETH])
    await connected(dual, venue, caller)
    await caller.until(lambda: caller.states.count(ConnectionState.CONNECTED) == 1)
    await venue.connections[1].close(1011)
    await venue.until(lambda: len(venue.connections) == 3)
    await venue.connections[0].send(venue.wire.push("trade", BTC, 101))
    await caller.got(1, MessageType.TRADES)
    assert caller.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]
    await dual.subscribe([ETH])
    await venue.until(lambda: venue.asked(0) >= venue.market(BTC, ETH))
    await venue.until(lambda: venue.asked(2) >= venue.market(BTC, ETH))
    await dual.unsubscribe([ETH])
    await venue.until(lambda: venue.asked(2, False) >= venue.market(ETH))
    await dual.close()
    assert caller.states[-2:] == [ConnectionState.CLOSING, ConnectionState.CLOSED]


async def test_a_stage_opens_and_closes_the_stacks_and_the_kill_file_closes_new(
    flag: HandFlag, dual: DualRunManager, venue: Any, caller: Any, tmp_path: Path
) -> None:
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=9)

    async def served(side: Side, links: list[int]) -> None:
        """Push until this side serves everything and these connections alone are open."""
        while True:
            await traffic.push()
            await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)
            is_open = [at for at, link in enumerate(everything) if link.state is State.OPEN]
            if len(dual.serving()) == 3 and set(dual.serving().values()) == {side} and is_open == links:
                return
            everything[:] = list(dict.fromkeys([*everything, *venue.connections]))
            await asyncio.sleep(0)

    everything = list(venue.connections)
    await served(Side.LEGACY, [0, 1])
    flag.turn(Stage.LIVE)
    await served(Side.NEW, [0, 1])
    (tmp_path / "websocket.kill").touch()
    await served(Side.LEGACY, [0])
    (tmp_path / "websocket.kill").unlink()
    await served(Side.NEW, [0, 2])
    flag.turn(Stage.COMPLETE)
    await served(Side.NEW, [2])
    await dual.send_message({"method": "PING", "time": 7, "channel": "spot.custom"})
    await venue.until(lambda: sent(venue, 7) == 1)
    for kind in KINDS:
        got = versions(caller.messages, kind)
        assert got == list(range(101, traffic.number + 1)), kind


@pytest.mark.parametrize("is_quiet", [True, False])
async def test_the_kill_file_leads_back_from_complete_where_legacy_has_to_connect_first(
    is_quiet: bool, flag: HandFlag, dual: DualRunManager, venue: Any, caller: Any, tmp_path: Path
) -> None:
    """With traffic nothing is lost on the way; without any, no event of legacy is waited for."""
    await connected(dual, venue, caller)
    traffic = Traffic(venue, caller, seed=9)

    async def push_until(condition: Callable[[], bool]) -> None:
        while not condition():
            await traffic.push()
            await caller.until(lambda: len(versions_seen(caller)) + 100 == traffic.number)

    legacy, new = venue.connections
    async with asyncio.timeout(WITHIN_S):
        flag.turn(Stage.RAMPDOWN)
        await push_until(lambda: len(dual.serving()) == 3 and set(dual.serving().values()) == {Side.NEW})
        flag.turn(Stage.COMPLETE)
        await legacy.wait_closed()
        await push_until(lambda: traffic.number % 10 == 0)
        await push_until(lambda: traffic.number % 10 == 1)
        (tmp_path / "websocket.kill").touch()
        await (new.wait_closed() if is_quiet else push_until(lambda: new.state is State.CLOSED))
        assert set(dual.serving().values()) == {Side.LEGACY}
        await push_until(lambda: traffic.number % 10 == 5)
    for kind in KINDS:
        assert versions(caller.messages, kind) == list(range(101, traffic.number + 1)), kind
    assert [record.is_rollback for record in dual.flip_records()][-3:] == [is_quiet] * 3
