"""The venue: lanes, personas, source and ledger of one session, put together from its options."""

from __future__ import annotations

import asyncio
import errno
import gc
import time
from pathlib import Path
from typing import Any, Final

from shadow.errors import UsageError
from shadow.venue.incidents import Incidents
from shadow.venue.lane import Lane
from shadow.venue.ledger import Ledger
from shadow.venue.options import VenueOptions
from shadow.venue.outlet import Outlet
from shadow.venue.personas.registry import PERSONAS
from shadow.venue.schedule import MIX
from shadow.venue.sinks import FolderSink, NullSink, PipeSink, Sink
from shadow.venue.sources.capture import Capture, load_capture
from shadow.venue.sources.synthetic import Stream, SyntheticSource
from shadow.venue.stage import Emit, Stage
from shadow.venue.wire import Persona

__all__ = ["Venue"]

TICK_S: Final = 1.0


class Venue:
    """A running venue; `stage` is what the phases act on. Lines for the orchestrator go to `emit`."""

    def __init__(self, options: VenueOptions, emit: Emit) -> None:
        self.options = options
        planned = options.planned()
        self._emit = emit
        self.recording: Capture | None = None
        self._complete: dict[tuple[str, str], bool] = {}
        self._wanted: dict[str, set[tuple[str, str]]] = {}
        self._ticker: asyncio.TimerHandle | None = None
        self.ledger = Ledger(_sink(options))
        personas, source = self._build_feed()
        self.personas = personas
        outlets = {
            role: {persona.id: Outlet(role, persona, self._on_change) for persona in personas} for role in options.roles
        }
        self.lanes = {
            role: Lane(role, list(outlets[role].values()), self.ledger, deflate=options.deflate)
            for role in options.roles
        }
        self.stage = Stage(options, outlets, source, self.ledger, emit)
        self.stage.faults = Incidents(self.stage, planned)

    async def open(self) -> None:
        """Listen on all ports; raises UsageError when one is taken."""
        for lane in self.lanes.values():
            try:
                await lane.open(self.options.host, self.options.ws_port, self.options.rest_port)
            except OSError as error:
                if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
                    raise
                raise UsageError(
                    f"cannot listen on {self.options.host}: {error.strerror}; give another port, or 0 for any free one"
                ) from None
        self.ledger.start()
        self._tick()
        gc.collect()
        gc.freeze()

    def describe(self) -> dict[str, Any]:
        """Lanes' addresses and the symbols by connection in the exchange's spelling."""
        symbols = {persona.id: [persona.spell(one) for one in self.options.symbols] for persona in self.personas}
        return {"lanes": {role: lane.urls() for role, lane in self.lanes.items()}, "symbols": symbols}

    async def drain(self, timeout_s: float = 5.0) -> dict[str, dict[str, int]]:
        """Wait until every socket's buffer is empty; events sent in this leg by role and connection."""
        self.stage.tee.flush()
        if self.stage.faults is not None:
            self.stage.faults.end()
        deadline = time.monotonic() + timeout_s
        while True:
            if not any(lane.unsent_bytes() for lane in self.lanes.values()) or time.monotonic() >= deadline:
                break
            await asyncio.sleep(0.005)
        expected: dict[str, dict[str, int]] = {
            role: dict.fromkeys(self.stage.outlets[role], 0) for role in self.stage.pair
        }
        for (role, connection), count in self.ledger.sent_events.items():
            expected.setdefault(role, {})[connection] = count
        return expected

    async def close(self) -> None:
        """Close everything; the ledger last."""
        if self._ticker is not None:
            self._ticker.cancel()
        if self.stage.faults is not None:
            self.stage.faults.end()
        for lane in self.lanes.values():
            await lane.close()
        self.ledger.close()

    def _build_feed(self) -> tuple[list[Persona], SyntheticSource]:
        kind, _, path = self.options.feed.partition(":")
        if kind == "capture":
            self.recording = load_capture(Path(path))
            return self._recorded_feed(self.recording)
        if kind != "sim":
            raise UsageError(f"feed {self.options.feed!r} is not built; use sim or capture:PATH")
        return self._synthetic_feed()

    def _recorded_feed(self, recording: Capture) -> tuple[list[Persona], SyntheticSource]:
        options = self.options
        if set(options.connections) - set(recording.connections):
            raise UsageError(f"{options.feed}: this capture serves {', '.join(recording.connections)} only")
        options.symbols = list(recording.symbols)
        asked = recording.channels if options.channels is None else options.channels
        channels = [channel for channel in recording.channels if channel in asked]
        personas = [PERSONAS[connection](recording.market) for connection in recording.connections]
        for persona in personas:
            self._wanted[persona.id] = {(channel, symbol) for channel in channels for symbol in options.symbols}
        return personas, SyntheticSource([])

    def _synthetic_feed(self) -> tuple[list[Persona], SyntheticSource]:
        from shadow.venue.market import market_for

        options = self.options
        channels = list(MIX) if options.channels is None else options.channels
        if not options.symbols or not set(channels) & set(MIX):
            raise UsageError(f"a synthetic feed needs symbols, and channels out of {', '.join(MIX)}")
        personas: list[Persona] = []
        streams: list[Stream] = []
        markets: dict[tuple[str, str], Any] = {}
        for connection in options.connections:
            if connection not in PERSONAS:
                raise UsageError(f"connection {connection!r} is not built; built are {', '.join(PERSONAS)}")
            exchange, market_name, _ = connection.split(".")
            place = exchange, market_name
            if place not in markets:
                start_ms = time.time_ns() // 1_000_000
                markets[place] = market_for(exchange, market_name, options.symbols, options.seed, start_ms)
            persona = PERSONAS[connection](markets[place])
            personas.append(persona)
            streams.append(Stream(persona, markets[place], options.symbols, channels, options.seed))
            self._wanted[connection] = {(channel, symbol) for channel in channels for symbol in options.symbols}
        if not personas:
            raise UsageError("a venue needs at least one connection")
        return personas, SyntheticSource(streams)

    def _on_change(self, outlet: Outlet, what: str) -> None:
        if what == "closed":
            self._emit({"k": "closed", "role": outlet.role, "connection": outlet.connection})
        complete = self._wanted[outlet.connection] <= outlet.topics()
        place = outlet.role, outlet.connection
        if complete != self._complete.get(place, False):
            self._complete[place] = complete
            self._emit({"k": "subscribed", "role": outlet.role, "connection": outlet.connection, "complete": complete})

    def _tick(self) -> None:
        for lane in self.lanes.values():
            lane.tick()
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)


def _sink(options: VenueOptions) -> Sink:
    if options.ledger_fd is not None:
        return PipeSink(options.ledger_fd, asyncio.get_running_loop())
    if options.ledger_dir is not None:
        return FolderSink(options.ledger_dir)
    return NullSink()
