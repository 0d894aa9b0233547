"""The budget guard: what one harness may do at an exchange, with hard caps that no reconnect storm gets past.

One `Budget` counts over all legs of a session, whoever asks. It says no before anything is sent: BudgetSpent tells how
long to wait, or that only the end of something else makes room.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

import msgspec

from shadow.errors import ShadowError

__all__ = ["CAPS", "Budget", "BudgetSpent", "Caps", "ConnectionBudget", "ExchangeBudget", "Used"]


class Caps(msgspec.Struct, frozen=True):
    """The most that is done at one exchange; None where nothing is known to be too much.

    `connections` are open at once, `opens` are attempts within `opens_s`; `subscriptions` and `messages_per_s` are of
    one connection; `rest_weight` is of all calls within `rest_s`.
    """

    connections: int
    opens: int
    opens_s: float
    subscriptions: int | None
    messages_per_s: int | None
    listen_keys: int
    rest_weight: int
    rest_s: float


CAPS: Mapping[str, Caps] = {
    "gateio": Caps(
        connections=300,
        opens=300,
        opens_s=300.0,
        subscriptions=None,
        messages_per_s=None,
        listen_keys=0,
        rest_weight=200,
        rest_s=10.0,
    ),
    "mexc": Caps(
        connections=100,
        opens=100,
        opens_s=300.0,
        subscriptions=30,
        messages_per_s=100,
        listen_keys=60,
        rest_weight=500,
        rest_s=10.0,
    ),
}
"""Documented are MEXC's subscriptions, messages, listen keys and REST weight, and Gate.io's connections per IP. The
others are our own: what an exchange does not name is no leave to do it without end."""


class BudgetSpent(ShadowError):
    """A cap is reached; `wait_s` until there is room, None where only an end of something makes room."""

    def __init__(self, exchange: str, what: str, cap: int, wait_s: float | None) -> None:
        later = "" if wait_s is None else f"; room again in {wait_s:.1f} s"
        super().__init__(f"{exchange}: the budget of {cap} {what} is spent{later}")
        self.exchange = exchange
        self.wait_s = wait_s


class Used(msgspec.Struct):
    """What was done at one exchange so far; `connections` and `listen_keys` are those held now."""

    connections: int = 0
    most_connections: int = 0
    opened: int = 0
    subscribed: int = 0
    messages: int = 0
    listen_keys: int = 0
    rest_calls: int = 0
    rest_weight: int = 0
    refused: int = 0


class _Window:
    """A sum over the last `length_s` seconds that may not pass `cap`."""

    def __init__(self, cap: int, length_s: float, clock: Callable[[], float]) -> None:
        self._cap = cap
        self._length_s = length_s
        self._clock = clock
        self._entries: deque[tuple[float, int]] = deque()
        self._sum = 0

    def take(self, weight: int) -> float | None:
        """Count it and return None, or the seconds to wait when it does not fit."""
        now = self._clock()
        while self._entries and self._entries[0][0] <= now - self._length_s:
            self._sum -= self._entries.popleft()[1]
        if self._sum + weight > self._cap:
            return self._room_in(weight, now)
        self._entries.append((now, weight))
        self._sum += weight
        return None

    def _room_in(self, weight: int, now: float) -> float:
        left = self._sum + weight - self._cap
        for t, taken in self._entries:
            left -= taken
            if left <= 0:
                return t + self._length_s - now
        return self._length_s


class ExchangeBudget:
    """What was and may be done at one exchange."""

    def __init__(self, exchange: str, caps: Caps, clock: Callable[[], float] = time.monotonic) -> None:
        self.exchange = exchange
        self.caps = caps
        self.used = Used()
        self._clock = clock
        self._opens = _Window(caps.opens, caps.opens_s, clock)
        self._rest = _Window(caps.rest_weight, caps.rest_s, clock)

    def open(self) -> ConnectionBudget:
        """Before a connection attempt; the answer counts until it is closed. Raises BudgetSpent."""
        if self.used.connections >= self.caps.connections:
            raise self.spent("open connections", self.caps.connections)
        if (wait_s := self._opens.take(1)) is not None:
            raise self.spent(f"connection attempts in {self.caps.opens_s:g} s", self.caps.opens, wait_s)
        self.used.opened += 1
        self.used.connections += 1
        self.used.most_connections = max(self.used.most_connections, self.used.connections)
        return ConnectionBudget(self, self._clock)

    def rest(self, weight: int = 1) -> None:
        """Before a REST call. Raises BudgetSpent."""
        if (wait_s := self._rest.take(weight)) is not None:
            raise self.spent(f"REST weight in {self.caps.rest_s:g} s", self.caps.rest_weight, wait_s)
        self.used.rest_calls += 1
        self.used.rest_weight += weight

    def take_listen_key(self) -> None:
        """Before a listen key is asked for. Raises BudgetSpent."""
        if self.used.listen_keys >= self.caps.listen_keys:
            raise self.spent("listen keys", self.caps.listen_keys)
        self.used.listen_keys += 1

    def give_back_listen_key(self) -> None:
        """A key of ours has ended."""
        self.used.listen_keys -= 1

    def spent(self, what: str, cap: int, wait_s: float | None = None) -> BudgetSpent:
        """The refusal, counted."""
        self.used.refused += 1
        return BudgetSpent(self.exchange, what, cap, wait_s)


class ConnectionBudget:
    """One connection's part; closing twice counts once."""

    def __init__(self, exchange: ExchangeBudget, clock: Callable[[], float]) -> None:
        self._exchange = exchange
        self._keys: set[str] = set()
        self._is_open = True
        cap = exchange.caps.messages_per_s
        self._messages = None if cap is None else _Window(cap, 1.0, clock)

    def subscribe(self, *keys: str) -> None:
        """Before a subscription of these keys is sent; one that is held counts once. Raises BudgetSpent."""
        cap = self._exchange.caps.subscriptions
        wanted = self._keys | set(keys)
        if cap is not None and len(wanted) > cap:
            raise self._exchange.spent("subscriptions of one connection", cap)
        self._exchange.used.subscribed += len(wanted) - len(self._keys)
        self._keys = wanted

    def unsubscribe(self, *keys: str) -> None:
        """The keys are gone: unsubscribed or refused."""
        self._keys -= set(keys)

    def message(self) -> None:
        """Before a message is sent, pings as well. Raises BudgetSpent."""
        if self._messages is not None and (wait_s := self._messages.take(1)) is not None:
            cap = self._exchange.caps.messages_per_s or 0
            raise self._exchange.spent("messages of one connection in a second", cap, wait_s)
        self._exchange.used.messages += 1

    def close(self) -> None:
        """The connection is gone, or its attempt failed."""
        if self._is_open:
            self._exchange.used.connections -= 1
        self._is_open = False


class Budget:
    """The budgets of all exchanges of a session."""

    def __init__(self, caps: Mapping[str, Caps] = CAPS, clock: Callable[[], float] = time.monotonic) -> None:
        self._exchanges = {name: ExchangeBudget(name, one, clock) for name, one in caps.items()}

    def at(self, exchange: str) -> ExchangeBudget:
        """The budget of an exchange."""
        return self._exchanges[exchange]

    def used(self) -> dict[str, Used]:
        """What was done, by exchange."""
        return {name: one.used for name, one in self._exchanges.items()}
