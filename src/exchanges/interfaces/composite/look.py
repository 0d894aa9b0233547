"""One look at an account by REST, whenever a connection stands again: what became of it while nobody listened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from exchanges.structs.types import Symbol

__all__ = ["Look", "Step"]


class Step(Protocol):
    """What is asked about one kind of thing; `kind` names the fault where that fails."""

    kind: str
    looks: int
    """How often it was done to its end."""

    async def take_all(self, symbols: Sequence[Symbol], is_over: Callable[[], bool]) -> None:
        """Ask, and take each answer; take nothing more once `is_over`. Raises what the asking raises."""

    def metrics(self) -> dict[str, int]:
        """`looks`, and what else is counted."""


class Look:
    """One look at a time; a newer one takes the place of one under way.

    Its steps are done one after the other, and one that fails is reported and keeps none from what follows. A callback
    of a look may end that look, as it does when it closes the connection: the look is not cancelled in the midst of
    what the callback does, but asks and takes nothing more. Pushes go on meanwhile and wait for nothing.
    """

    def __init__(self, steps: Sequence[Step], report: Callable[[str, Exception], Awaitable[None]]) -> None:
        """`report` hears of a failure, with the kind of its step."""
        self._steps = steps
        self._report = report
        self._task: asyncio.Task[None] | None = None

    def start(self, symbols: Sequence[Symbol]) -> None:
        """Look now."""
        self.cancel()
        if self._steps:
            self._task = asyncio.get_running_loop().create_task(self._look(symbols))

    def cancel(self) -> None:
        """Look no more: the connection is lost again, or closed."""
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _is_over(self) -> bool:
        """Whether the look that asks was ended by a callback of its own."""
        return self._task is not asyncio.current_task()

    async def _look(self, symbols: Sequence[Symbol]) -> None:
        for step in self._steps:
            try:
                await step.take_all(symbols, self._is_over)
            except Exception as error:  # noqa: BLE001 - whatever the application's own side raises, it stays uncertain
                await self._report(step.kind, error)
            else:
                step.looks += not self._is_over()
            if self._is_over():
                return
