"""Registering, order, coroutine functions, and errors that end nothing."""

from __future__ import annotations

import asyncio

import pytest

from exchanges.interfaces.composite.callbacks import Callbacks


class Reports:
    def __init__(self) -> None:
        self.errors: list[Exception] = []

    async def __call__(self, error: Exception) -> None:
        self.errors.append(error)


async def test_every_function_gets_every_event_in_the_order_of_registration() -> None:
    seen: list[tuple[str, int]] = []
    callbacks: Callbacks[int] = Callbacks(Reports())

    @callbacks
    async def first(event: int) -> None:
        await asyncio.sleep(0)
        seen.append(("first", event))

    callbacks(lambda event: seen.append(("second", event)))
    await callbacks.fire(1)
    await callbacks.fire(2)
    assert seen == [("first", 1), ("second", 1), ("first", 2), ("second", 2)]


async def test_what_one_raises_is_reported_and_the_others_go_on() -> None:
    seen: list[int] = []
    reports = Reports()
    callbacks: Callbacks[int] = Callbacks(reports)
    plain, waited = KeyError("plain"), ValueError("waited")

    @callbacks
    def breaks(event: int) -> None:
        raise plain

    @callbacks
    async def breaks_later(event: int) -> None:
        await asyncio.sleep(0)
        raise waited

    callbacks(seen.append)
    await callbacks.fire(1)
    assert seen == [1]
    assert reports.errors == [plain, waited]


async def test_a_cancellation_is_no_error_of_the_application() -> None:
    reports = Reports()
    callbacks: Callbacks[int] = Callbacks(reports)

    @callbacks
    async def cancelled(event: int) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await callbacks.fire(1)
    assert reports.errors == []


async def test_one_that_is_removed_is_called_no_longer() -> None:
    seen: list[int] = []
    callbacks: Callbacks[int] = Callbacks(Reports())
    add = callbacks(seen.append)
    await callbacks.fire(1)
    callbacks.remove(add)
    await callbacks.fire(2)
    assert seen == [1]
    with pytest.raises(ValueError, match="not in list"):
        callbacks.remove(add)


async def test_a_function_may_remove_itself_without_costing_the_next_its_event() -> None:
    seen: list[int] = []
    callbacks: Callbacks[int] = Callbacks(Reports())

    @callbacks
    def once(event: int) -> None:
        callbacks.remove(once)

    callbacks(seen.append)
    await callbacks.fire(1)
    assert seen == [1]
