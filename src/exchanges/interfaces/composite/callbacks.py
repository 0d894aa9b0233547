"""An application's callbacks for one kind of event: plain or coroutine functions, whose errors end nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Generic, TypeVar

__all__ = ["Callback", "Callbacks"]

T = TypeVar("T")
Callback = Callable[[T], Any]


class Callbacks(Generic[T]):
    """Call it with a function to register that, also as a decorator; each event goes to all, in order.

    A coroutine function is awaited and the stream waits with it. What one raises goes to `report`, the others and the
    stream go on.
    """

    def __init__(self, report: Callable[[Exception], Awaitable[None]]) -> None:
        self._report = report
        self._registered: list[Callback[T]] = []

    def __call__(self, callback: Callback[T]) -> Callback[T]:
        """Register; gives the function back."""
        self._registered.append(callback)
        return callback

    def remove(self, callback: Callback[T]) -> None:
        """Call it no longer; ValueError when it is not registered."""
        self._registered.remove(callback)

    async def fire(self, event: T) -> None:
        """Hand an event to every function."""
        for callback in tuple(self._registered):
            try:
                waiting = callback(event)
                if isawaitable(waiting):
                    await waiting
            except Exception as error:  # noqa: BLE001 - the application's error is reported and never ends the stream
                await self._report(error)
