"""States that pushes tell and that REST is asked for after a hole: which of both is held."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from math import ceil
from time import monotonic
from typing import Generic, Protocol, TypeVar

from exchanges.interfaces.composite.held import HeldTable, K
from exchanges.structs.types import Balance, Position, Symbol

__all__ = ["AnsweredTable", "FetchBalances", "FetchPositions", "StateStep"]

StateT = TypeVar("StateT", bound=Balance | Position)


class FetchBalances(Protocol):
    """The REST side of an account."""

    async def balances(self) -> list[Balance]:
        """The balances as they are now, `timestamp` the second in which the exchange answered; ExchangeRestError."""


class FetchPositions(Protocol):
    """The REST side of a futures account."""

    async def positions(self) -> list[Position]:
        """The positions as they are now, `timestamp` the second of the last change; ExchangeRestError."""


class AnsweredTable(HeldTable[K, StateT], Generic[K, StateT]):
    """The last state by key, which never goes back: of a push and an answer, the newer one is held.

    An answer is timed in whole seconds, and is as old as its question at most. So it gives way to whatever was pushed
    since `ask`, and to what was pushed in a later second. A push gives way to an answer where it is older even than the
    answer's second less the time that the call took: it was under way, or waited for a slow application.
    """

    def __init__(self) -> None:
        super().__init__()
        self.late = 0
        self._asked_s = 0.0
        self._call_ms = 0
        self._pushed: set[K] = set()
        self._answered_ms: dict[K, int] = {}

    def ask(self) -> None:
        """A question goes out: what is pushed from now on may be newer than its answer."""
        self._asked_s = monotonic()
        self._pushed.clear()

    def hear(self) -> None:
        """The answer came."""
        self._call_ms = ceil((monotonic() - self._asked_s) * 1000)

    def put_push(self, key: K, value: StateT, *, is_stale: bool) -> bool:
        """Take what was pushed; False for what is older than an answer."""
        if value.timestamp < self._answered_ms.get(key, value.timestamp):
            self.late += 1
            return False
        self._answered_ms.pop(key, None)
        self._pushed.add(key)
        self.put(key, value, is_stale=is_stale)
        return True

    def put_answer(self, key: K, value: StateT, *, is_stale: bool) -> bool:
        """Take what REST said; False for what is older than a push, or repeats what is held and makes that certain."""
        held = self.get(key)
        is_known = held is not None and replace(value, timestamp=held.value.timestamp) == held.value
        if held is not None and not is_known and self._is_overtaken(key, value, held.value):
            self.late += 1
            return False
        self._answered_ms[key] = value.timestamp - self._call_ms
        self.put(key, held.value if held is not None and is_known else value, is_stale=is_stale)
        return not is_known

    def _is_overtaken(self, key: K, answer: StateT, held: StateT) -> bool:
        return key in self._pushed or answer.timestamp // 1000 < held.timestamp // 1000

    def metrics(self) -> dict[str, int]:
        """States held, those of them that are not certain, and what came too late."""
        held = self.all().values()
        return {"held": len(held), "stale": sum(one.is_stale for one in held), "late": self.late}


class StateStep(Generic[K, StateT]):
    """The part of a look that asks for all states of one kind."""

    def __init__(
        self,
        kind: str,
        fetch: Callable[[], Awaitable[list[StateT]]],
        table: AnsweredTable[K, StateT],
        take: Callable[[StateT], Awaitable[None]],
    ) -> None:
        """`take` puts an answer into the table and calls back."""
        self.kind = kind
        self.looks = 0
        self._fetch = fetch
        self._table = table
        self._take = take

    async def take_all(self, symbols: Sequence[Symbol], is_over: Callable[[], bool]) -> None:
        """The whole account, whatever the symbols."""
        self._table.ask()
        states = await self._fetch()
        self._table.hear()
        for state in states:
            await self._take(state)
            if is_over():
                return

    def metrics(self) -> dict[str, int]:
        """Looks."""
        return {"looks": self.looks}
