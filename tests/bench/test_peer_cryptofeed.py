"""cryptofeed as a peer, where the extra `peers` is installed: it takes every frame, and its book is the reference's."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shadow.reference.book import OrderBook
from shadow.reference.events import Book
from shadow.reference.gateio import decode
from shadow.subjects.probe.frames import frames

pytest.importorskip("cryptofeed", reason="the extra `peers` is not installed; pip install -e '.[peers]'")

from bench.peer_cryptofeed import CryptofeedPeer
from bench.peers import GATES, measure, peers


def test_it_is_a_peer_with_a_goal_for_each_type_that_it_knows() -> None:
    found, absent = peers()
    assert set(found) == {"ccxt", "cryptofeed"}
    assert absent == []
    assert {event_type for _, event_type in CryptofeedPeer.KNOWS} == set(GATES["cryptofeed"])


async def test_its_book_is_what_the_reference_makes_of_the_same_frames() -> None:
    peer, raw_frames = CryptofeedPeer("gateio", "book"), frames("gateio", "book", 200)
    updates = [event for raw in raw_frames for event in decode(raw) if isinstance(event, Book)]
    reference = OrderBook(Decimal)
    assert updates[0].first is not None
    reference.seed(updates[0].first - 1, [], [])
    for update in updates:
        assert update.last is not None
        reference.apply(update.first, update.last, update.bids, update.asks)
    await peer.run(raw_frames)
    version, book = peer.book()
    await peer.close()
    assert version == reference.version
    assert [dict(book[side]) for side in ("bid", "ask")] == [
        {Decimal(price): Decimal(quantity) for price, quantity in levels}
        for levels in (reference.bids.items(), reference.asks.items())
    ]


@pytest.mark.parametrize("event_type", ["book", "trade", "ticker"])
async def test_it_is_measured_in_the_same_rounds_as_the_new_stack(event_type: str) -> None:
    figures = await measure("gateio", event_type, {"cryptofeed": CryptofeedPeer}, 2)
    assert set(figures.ns) == {"new", "cryptofeed"}
    assert all(len(values) == 2 and min(values) > 0 for values in figures.ns.values())


async def test_frames_that_do_not_reach_its_callback_end_the_bench() -> None:
    peer = CryptofeedPeer("gateio", "trade")
    with pytest.raises(RuntimeError, match="took 0 of 4 trade frames"):
        await peer.run(frames("gateio", "ticker", 4))
    await peer.close()
