"""The feed of a private connection: what the account does, as frames of all channels that somebody has."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Final, Protocol

from shadow.venue.account_events import AccountEvent
from shadow.venue.outgoing import Frame
from shadow.venue.sources.synthetic import Keyed, Subscribed
from shadow.venue.wire import MarketEvent, Push

__all__ = ["CHANNELS", "AccountStream"]

CHANNELS: Final[tuple[str, ...]] = ("order", "fill", "balance", "position")


class Acts(Protocol):
    """An account that can be moved."""

    symbols: tuple[str, ...]

    def step(self, symbol: str, ts_ms: int) -> list[AccountEvent]:
        """One action and what follows from it."""


class Moves(Protocol):
    """The market behind it, where nobody else moves it."""

    def step(self, type: str, symbol: str, ts_ms: int) -> MarketEvent:
        """One step of one symbol."""


class Encodes(Protocol):
    """A private persona."""

    id: str

    def encode(self, event: AccountEvent, key: str) -> Push | None:
        """The frame of an event for a subscription key."""


class AccountStream:
    """One private connection's part; looks like a `Stream`, with one topic a channel and no symbol.

    An action gives several frames, one a turn: written together, they would wait for each other at the subject, and
    half of their copies would meet. With `market` the market is moved along, because no public connection does it.
    """

    symbols: tuple[str, ...] = ("",)
    singles: tuple[str, ...] = ()
    """No train of a single type: an order without its fills would be no account's."""

    def __init__(self, persona: Encodes, account: Acts, channels: Iterable[str], market: Moves | None = None) -> None:
        self.connection = persona.id
        asked = set(channels)
        self.channels = tuple(channel for channel in CHANNELS if channel in asked)
        self.fills_first = 0
        """In how many actions to come a fill leaves before the order update that it belongs to."""
        self._persona = persona
        self._account = account
        self._market = market
        self._turns = cycle(account.symbols)
        self._coming: deque[AccountEvent] = deque()
        self._last_ms = 0

    def draw(self) -> tuple[str, str]:
        """The next turn; which action it is, the account decides."""
        return self.channels[0], ""

    def make(self, channel: str, symbol: str, audience: Sequence[Subscribed]) -> list[Keyed]:
        """The frames of one event: the next one of the action begun, or the first of another."""
        if not self._coming:
            self._coming.extend(self._act())
        return self._keyed(self._coming.popleft(), audience) if self._coming else []

    def _act(self) -> list[AccountEvent]:
        name, now_ms = next(self._turns), self._now_ms()
        if self._market is not None:
            self._market.step("book", name, now_ms)
        events = self._account.step(name, now_ms)
        if self.fills_first and any(event.type == "fill" for event in events):
            self.fills_first -= 1
            events = sorted(events, key=lambda event: event.type != "fill")
        return [event for event in events if event.type in self.channels]

    def _keyed(self, event: AccountEvent, audience: Sequence[Subscribed]) -> list[Keyed]:
        frames: list[Keyed] = []
        seen: set[str] = set()
        for one in audience:
            for key in one.keys(event.type, ""):
                if key in seen:
                    continue
                seen.add(key)
                push = self._persona.encode(event, key)
                if push is not None:
                    frames.append((Frame.of_push(self.connection, push), key))
        return frames

    def _now_ms(self) -> int:
        """Exchange time; it does not go back when the wall clock does."""
        self._last_ms = max(self._last_ms, time.time_ns() // 1_000_000)
        return self._last_ms
