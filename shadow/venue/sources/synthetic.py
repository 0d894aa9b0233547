"""The synthetic feed: which step each connection's market takes next, and the frames that come of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from random import Random
from typing import Protocol

from shadow.venue.outgoing import Frame
from shadow.venue.schedule import MIX, Schedule
from shadow.venue.wire import MarketEvent, Persona

__all__ = ["Feed", "Keyed", "Stream", "Subscribed", "SyntheticSource"]

Keyed = tuple[Frame, str]
"""A frame and the subscription key that it serves."""


class Steps(Protocol):
    """A market that can be moved."""

    def step(self, type: str, symbol: str, ts_ms: int) -> MarketEvent:
        """One step of one symbol."""


class Subscribed(Protocol):
    """Who may want frames of a connection; an outlet."""

    def keys(self, channel: str, symbol: str) -> list[str]:
        """Subscription keys of an event type and Gate.io-spelt symbol."""


class Feed(Protocol):
    """One connection's part of the source; `singles` are the types that a train may hold alone."""

    connection: str
    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    singles: tuple[str, ...]

    def draw(self) -> tuple[str, str]:
        """The next (event type, symbol)."""

    def make(self, channel: str, symbol: str, audience: Sequence[Subscribed]) -> list[Keyed]:
        """Move on one step; the frames for the keys that the audience has."""


class Stream:
    """One connection's part: draws type and symbol, moves the market, encodes once per key that somebody has."""

    def __init__(
        self, persona: Persona, market: Steps, symbols: Sequence[str], channels: Iterable[str], seed: int
    ) -> None:
        self.connection = persona.id
        self.symbols = tuple(symbols)
        self.channels = tuple(channel for channel in MIX if channel in set(channels))
        self.singles = self.channels
        self._persona = persona
        self._market = market
        own_seed = Random(f"stream/{persona.id}/{seed}").getrandbits(32)
        self._draws = Schedule(self.channels, self.symbols, own_seed).draws()
        self._last_ms = 0

    def draw(self) -> tuple[str, str]:
        """The next (event type, symbol)."""
        return next(self._draws)

    def make(self, channel: str, symbol: str, audience: Sequence[Subscribed]) -> list[Keyed]:
        """Move the market one step; the frames for the keys that the audience has, none when nobody listens."""
        event = self._market.step(channel, symbol, self._now_ms())
        frames: list[Keyed] = []
        seen: set[str] = set()
        for one in audience:
            for key in one.keys(channel, symbol):
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


class SyntheticSource:
    """All connections' streams; the rate is split evenly by taking turns."""

    def __init__(self, streams: Sequence[Feed]) -> None:
        self.streams = {stream.connection: stream for stream in streams}
        self._order = list(self.streams.values())
        self._turn = 0

    def next_stream(self) -> Feed:
        """The connection whose turn it is."""
        self._turn = (self._turn + 1) % len(self._order)
        return self._order[self._turn]
