"""Routes: what a frame's own event saves in calls changes nothing in what is delivered."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges.structs.book import LocalBook
from exchanges.structs.events import BookUpdate
from infrastructure.networking.websocket.book_keeper import BookKeeper, BookSnapshot
from infrastructure.networking.websocket.handlers.public_routes import book_route, plain_route, read_result
from infrastructure.networking.websocket.testing import run_virtual


class Frame(msgspec.Struct):
    """A frame whose decoder made the event."""

    result: Any


def parse(frame: Frame) -> Any:
    """As `read_result`, but not it."""
    return frame.result


# An update: how many versions it leaves out (negative: it repeats), whether it is a snapshot, whether time passes.
STEPS = st.lists(st.tuples(st.sampled_from([0, 0, 0, 0, 1, -1]), st.booleans(), st.booleans()), max_size=25)


async def deliveries(parser: Any, steps: list[tuple[int, bool, bool]]) -> list[Any]:
    got: list[Any] = []
    version = 10

    async def fetch(_: str) -> BookSnapshot:
        await asyncio.sleep(0.01)
        return BookSnapshot(version, [(1.0, float(version))], [])

    keeper = BookKeeper(logging.getLogger("books"), fetch, got.append)
    route = book_route(parser, keeper, got.append)
    keeper.start(["X"])
    for skipped, is_snapshot, waits in steps:
        version += 1 + skipped
        route(Frame(BookUpdate(5, "X", version, version, [(float(version), 1.0)], [], is_snapshot and waits)))
        route(Frame(BookUpdate(5, "Y", version, version, [], [])))
        got += [keeper.metrics(), keeper.view("X")]
        if waits:
            await asyncio.sleep(0.2)
    await keeper.close()
    return got


def test_a_ready_book_update_tidies_the_book_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalBook, "TIDY_EVERY", 4)

    async def main() -> None:
        keeper = BookKeeper(logging.getLogger("books"), no_snapshot, lambda _: None)
        route = book_route(read_result, keeper, lambda _: None)
        keeper.start(["X"])
        route(Frame(BookUpdate(5, "X", None, 10, [], [], True)))
        for version in range(11, 40):
            route(Frame(BookUpdate(5, "X", version, version, [(float(version), 0.0)], [(1.0, 1.0)])))
            assert len(keeper.synced["X"].bid_sizes) <= 5
        view = keeper.view("X")
        assert view is not None
        assert (view.bids, view.asks, view.last) == ([], [(1.0, 1.0)], 39)
        await keeper.close()

    run_virtual(main())


async def no_snapshot(_: str) -> BookSnapshot:
    raise TimeoutError


@pytest.mark.no_cover
@given(STEPS)
def test_a_ready_book_update_has_the_same_effect_as_a_parsed_one(steps: list[tuple[int, bool, bool]]) -> None:
    async def main() -> None:
        assert await deliveries(read_result, steps) == await deliveries(parse, steps)

    run_virtual(main())


@pytest.mark.parametrize("parser", [read_result, parse])
def test_a_ready_event_is_delivered_as_a_parsed_one(parser: Any) -> None:
    got: list[Any] = []
    plain_route(parser, got.append)(Frame("event"))
    assert got == ["event"]
