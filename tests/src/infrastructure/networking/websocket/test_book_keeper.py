"""Building and healing local books, on a virtual clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from exchanges.structs import BookError, ExchangeRestError
from exchanges.structs.events import BookUpdate
from infrastructure.networking.websocket.book_keeper import BookKeeper, BookSnapshot
from infrastructure.networking.websocket.testing import run_virtual, settle


class Rest:
    """Answers with what the test put there; each call waits for `delay` seconds."""

    def __init__(self) -> None:
        self.calls: list[float] = []
        self.answers: list[int | Exception] = []
        self.delay = 0.01
        self.in_flight = 0
        self.most_in_flight = 0

    async def fetch_book(self, name: str) -> BookSnapshot:
        self.calls.append(asyncio.get_running_loop().time())
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.in_flight -= 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return BookSnapshot(answer, [(1.0, float(answer))], [(2.0, 1.0)])


Scene = Callable[[BookKeeper, Rest, list[BookUpdate]], Awaitable[None]]


def play(scene: Scene) -> None:
    async def main() -> None:
        rest = Rest()
        rebuilt: list[BookUpdate] = []
        keeper = BookKeeper(logging.getLogger("books"), rest.fetch_book, rebuilt.append)
        await scene(keeper, rest, rebuilt)
        await keeper.close()
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def update(first: int, last: int | None = None) -> BookUpdate:
    return BookUpdate(5, "X", first, last or first, [(float(first), 1.0)], [])


def test_a_book_is_fetched_at_the_confirmation_and_built_by_the_first_update() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [10]
        keeper.start(["X"])
        await asyncio.sleep(0.05)
        assert keeper.view("X") is None
        assert keeper.apply(update(9)) is None
        whole = keeper.apply(update(10, 11))
        assert whole == BookUpdate(5, "X", None, 11, [(10.0, 1.0), (1.0, 10.0)], [(2.0, 1.0)], True)
        assert rebuilt == []
        assert keeper.apply(update(12)) is None
        view = keeper.view("X")
        assert view is not None
        assert view.last == 12
        assert len(rest.calls) == 1

    play(scene)


async def test_a_hole_right_behind_a_fetch_that_has_just_ended_is_fetched_for() -> None:
    """The task is over, and its end not yet noticed: both stand in the loop's queue, in this order."""
    loop = asyncio.get_running_loop()
    answers = [loop.create_future(), loop.create_future()]
    calls = []

    async def fetch(name: str) -> BookSnapshot:
        calls.append(name)
        answer: BookSnapshot = await answers[len(calls) - 1]
        return answer

    rebuilt: list[BookUpdate] = []
    keeper = BookKeeper(logging.getLogger("books"), fetch, rebuilt.append)
    keeper.start(["X"])
    keeper.apply(update(11))
    await asyncio.sleep(0)
    answers[0].set_result(BookSnapshot(10, [], []))
    loop.call_soon(keeper.apply, update(20))
    answers[1].set_result(BookSnapshot(19, [], []))
    async with asyncio.timeout(1):
        while len(rebuilt) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert [book.last for book in rebuilt] == [11, 20]
    assert keeper.gaps == 1
    await keeper.close()


def test_exactly_the_synced_books_are_to_be_brought_forward() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [10, 20, 40]
        keeper.start(["X"])
        assert list(keeper.synced) == []
        await asyncio.sleep(0.05)
        keeper.apply(update(11))
        assert list(keeper.synced) == ["X"]
        assert keeper.synced["X"].advance(update(12))
        assert not keeper.synced["X"].advance(update(14))
        keeper.apply(update(14))
        assert (list(keeper.synced), keeper.gaps) == ([], 1)
        keeper.apply(update(15, 20))
        await asyncio.sleep(0.05)
        keeper.apply(update(21))
        assert list(keeper.synced) == ["X"]
        keeper.stop(["X"])
        assert list(keeper.synced) == []
        keeper.start(["X"])
        keeper.apply(BookUpdate(5, "X", None, 30, [(1.0, 1.0)], [], True))
        assert list(keeper.synced) == ["X"]
        assert keeper.synced["X"].advance(update(31))
        keeper.reset()
        assert list(keeper.synced) == []
        keeper.start(["X"])
        for number in (40, 41):
            keeper.apply(update(number))
        await asyncio.sleep(0.05)
        assert [book.last for book in rebuilt] == [41]
        assert list(keeper.synced) == ["X"]

    play(scene)


def test_a_book_is_built_by_the_snapshot_where_updates_wait() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [10]
        keeper.start(["X"])
        for number in (9, 10, 11, 12):
            assert keeper.apply(update(number)) is None
        await asyncio.sleep(0.05)
        assert [(book.last, book.is_snapshot) for book in rebuilt] == [(12, True)]
        assert keeper.metrics() == {"kept": 1, "synced": 1, "gaps": 0, "rebuilds": 1}

    play(scene)


def test_a_stale_cache_is_asked_again_with_growing_delays() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [*[5] * 8, 19]
        keeper.start(["X"])
        keeper.apply(update(20))
        await asyncio.sleep(30)
        gaps = [round(b - a - rest.delay, 3) for a, b in zip(rest.calls, rest.calls[1:], strict=False)]
        assert gaps == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
        assert [book.last for book in rebuilt] == [20]

    play(scene)


def test_a_snapshot_that_the_next_update_shows_stale_is_fetched_again() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [10, 20]
        keeper.start(["X"])
        await asyncio.sleep(0.05)
        assert keeper.apply(update(20)) is None
        assert keeper.apply(update(21)) is None
        await asyncio.sleep(0.05)
        assert [book.last for book in rebuilt] == [21]
        assert len(rest.calls) == 2

    play(scene)


def test_a_hole_starts_one_rebuild_and_the_reader_never_waits() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [10, 15]
        keeper.start(["X"])
        await asyncio.sleep(0.05)
        keeper.apply(update(11))
        for number in (15, 16, 17):
            assert keeper.apply(update(number)) is None
        assert keeper.view("X") is None
        await asyncio.sleep(0.05)
        assert [(book.last, book.is_snapshot) for book in rebuilt] == [(17, True)]
        assert rest.most_in_flight == 1
        assert keeper.metrics()["gaps"] == 1

    play(scene)


def test_failures_of_the_server_are_asked_again() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [ExchangeRestError(500, "oops"), TimeoutError(), 10]
        keeper.start(["X"])
        keeper.apply(update(11))
        await asyncio.sleep(1)
        assert [book.last for book in rebuilt] == [11]

    play(scene)


def test_a_book_that_cannot_be_had_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [BookError("no such market")]
        keeper.start(["X"])
        await asyncio.sleep(1)
        assert len(rest.calls) == 1

    play(scene)
    assert "Book of X cannot be built: no such market" in caplog.messages


def test_full_updates_replace_the_book() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [10]
        keeper.start(["X"])
        full = BookUpdate(5, "X", 40, 40, [(7.0, 1.0), (8.0, 0.0)], [], True)
        assert keeper.apply(full) is None
        view = keeper.view("X")
        assert view is not None
        assert (view.bids, view.last) == ([(7.0, 1.0)], 40)
        await settle()
        assert rebuilt == []

    play(scene)


def test_a_lost_connection_resets_and_a_stopped_symbol_is_forgotten() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [10, 30]
        keeper.start(["X"])
        await asyncio.sleep(0.05)
        keeper.apply(update(11))
        keeper.reset()
        assert keeper.view("X") is None
        assert keeper.apply(update(12)) is None
        keeper.start(["X"])
        keeper.start(["X"])
        keeper.apply(update(31))
        await asyncio.sleep(0.05)
        assert [book.last for book in rebuilt] == [31]
        keeper.stop(["X"])
        assert keeper.metrics()["kept"] == 0
        assert len(rest.calls) == 2

    play(scene)


def test_a_snapshot_for_a_symbol_given_up_meanwhile_is_dropped() -> None:
    async def scene(keeper: BookKeeper, rest: Rest, rebuilt: list[BookUpdate]) -> None:
        rest.answers = [10]
        keeper.start(["X"])
        await settle()
        keeper._books.clear()
        await asyncio.sleep(0.05)
        assert rebuilt == []

    play(scene)


async def test_without_a_source_no_books_are_kept() -> None:
    keeper = BookKeeper(logging.getLogger("books"), None, lambda book: None)
    keeper.start(["X"])
    assert keeper.apply(update(1)) is None
    assert keeper.metrics()["kept"] == 0
