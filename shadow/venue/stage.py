"""What the phases of a leg work with: who listens, what feeds them, and where it is written down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from shadow.venue.client_link import ClientLink
from shadow.venue.ledger import Ledger
from shadow.venue.options import VenueOptions
from shadow.venue.outlet import Outlet
from shadow.venue.sources.synthetic import Keyed, SyntheticSource
from shadow.venue.tee import Tee

__all__ = ["QUIET_S", "Emit", "FaultClock", "Stage"]

QUIET_S = 0.05
Emit = Callable[[dict[str, Any]], None]


class FaultClock(Protocol):
    """Who plans the faults of a leg."""

    def begin_leg(self, leg: str) -> None:
        """A leg begins: earlier faults end, those of time 0 begin."""

    def begin_phase(self, phase: str) -> None:
        """A phase begins; the first measured one starts the clock of the others."""

    def end(self) -> None:
        """Take back every fault."""


class Stage:
    """The current leg: its pair of roles, the outlets of each, source, tee and ledger."""

    def __init__(
        self,
        options: VenueOptions,
        outlets: dict[str, dict[str, Outlet]],
        source: SyntheticSource,
        ledger: Ledger,
        emit: Emit,
    ) -> None:
        self.options = options
        self.outlets = outlets
        self.source = source
        self.ledger = ledger
        self.emit = emit
        self.tee = Tee(options.gap_us / 1e6, options.seed)
        self.pair: Sequence[str] = tuple(options.roles[:2])
        self.resting: set[str] = set()
        """Connections on which the source is silent for a moment, because one is about to be closed."""
        self.bursts = 0
        self.paces = 0
        self.ready: tuple[str, list[Keyed]] | None = None
        """Frames that the pacer has prepared for their moment."""
        self.faults: FaultClock | None = None

    @property
    def is_storm(self) -> bool:
        """Whether the profile goes beyond what the legacy stack survives."""
        return self.options.profile == "storm"

    def sides(self, connection: str) -> list[Outlet]:
        """The pair's outlets of a connection, in the pair's order."""
        return [self.outlets[role][connection] for role in self.pair]

    def begin_leg(self, leg: str, pair: Sequence[str]) -> None:
        """Label rows with the leg and send frames to these roles from now on."""
        self.tee.flush()
        self.pair = tuple(pair)
        self.ledger.begin_leg(leg)
        for role in pair:
            for outlet in self.outlets[role].values():
                outlet.books_asked.clear()
        if self.faults is not None:
            self.faults.begin_leg(leg)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Mark a phase's begin and end."""
        self.ledger.mark("phase-begin", detail={"phase": name})
        if self.faults is not None:
            self.faults.begin_phase(name)
        try:
            yield
        finally:
            self.tee.flush()
            self.ledger.mark("phase-end", detail={"phase": name})

    def next_frames(self) -> tuple[str, list[Keyed]]:
        """The connection whose turn it is and its next frames; none while it rests or nobody listens."""
        stream = self.source.next_stream()
        if stream.connection in self.resting:
            return stream.connection, []
        channel, symbol = stream.draw()
        return stream.connection, stream.make(channel, symbol, self.sides(stream.connection))

    def send_ready(self) -> int:
        """Send what the pacer has prepared for its next moment; return how many frames."""
        if self.ready is None:
            return 0
        connection, frames = self.ready
        self.ready = None
        if frames:
            self.tee.send(frames, self.sides(connection))
        return len(frames)

    async def rest(self, connection: str) -> None:
        """Return when no frame was written on the connection for QUIET_S; the caller keeps it in `resting`."""
        self.send_ready()
        self.tee.flush()
        while True:
            left = self._quiet_in(connection)
            if left <= 0:
                return
            await asyncio.sleep(left)

    def _quiet_in(self, connection: str) -> float:
        links: list[ClientLink] = [link for outlet in self.sides(connection) for link in outlet.links]
        newest = max((link.last_frame_ns for link in links), default=0)
        return QUIET_S - (time.perf_counter_ns() - newest) / 1e9
