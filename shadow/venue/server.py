"""The venue: lanes, personas, source and ledger of one session, put together from its options."""

from __future__ import annotations

import asyncio
import errno
import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from shadow.errors import UsageError
from shadow.upstream import read_upstream
from shadow.venue.account import Account
from shadow.venue.credentials import make_credentials, secrets_of
from shadow.venue.incidents import Incidents
from shadow.venue.lane import Lane
from shadow.venue.ledger import Ledger
from shadow.venue.options import VenueOptions
from shadow.venue.outlet import Outlet
from shadow.venue.personas.gateio_private_frames import first_order_id
from shadow.venue.personas.registry import PERSONAS, PRIVATE
from shadow.venue.schedule import MIX
from shadow.venue.sinks import FolderSink, NullSink, PipeSink, Sink
from shadow.venue.sources.account import CHANNELS, AccountStream
from shadow.venue.sources.capture import load_capture
from shadow.venue.sources.live import LiveSource
from shadow.venue.sources.recording import Capture
from shadow.venue.sources.synthetic import Feed, Stream, SyntheticSource
from shadow.venue.stage import Emit, Stage
from shadow.venue.wire import PersonaBase

__all__ = ["Venue"]

TICK_S: Final = 1.0


class Venue:
    """A running venue; `stage` is what the phases act on. Lines for the orchestrator go to `emit`."""

    def __init__(self, options: VenueOptions, emit: Emit) -> None:
        self.options = options
        if not options.credentials:
            # Without them anybody's empty key and empty secret would be the account's.
            options.credentials = make_credentials()
        planned = options.planned()
        self._emit = emit
        self.recording: Capture | None = None
        self.live: LiveSource | None = None
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
        if self.live is not None:
            self.live.attach(self.stage)

    async def open(self) -> None:
        """Listen on all ports; raises UsageError when one is taken, or the exchange cannot be reached."""
        if self.live is not None:
            await self.live.open()
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

    def begin_leg(self, leg: str, pair: Sequence[str]) -> None:
        """Label rows with the leg and send frames to these roles from now on."""
        self.stage.begin_leg(leg, pair)
        if self.live is not None:
            self.live.begin()

    async def drain(self, timeout_s: float = 5.0) -> dict[str, dict[str, int]]:
        """Wait until every socket's buffer is empty; events sent in this leg by role and connection."""
        if self.live is not None:
            self.live.stop()
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
        if self.live is not None:
            self.live.note_budget()
            await self.live.close()
        for lane in self.lanes.values():
            await lane.close()
        self.ledger.close()

    def _build_feed(self) -> tuple[list[PersonaBase], SyntheticSource]:
        kind, _, path = self.options.feed.partition(":")
        if kind == "capture":
            self.recording = load_capture(Path(path))
            return self._recorded_feed(self.recording)
        if kind == "live":
            return self._live_feed()
        if kind != "sim":
            raise UsageError(f"feed {self.options.feed!r} is not built; use sim, capture:PATH or live")
        return self._synthetic_feed()

    def _live_feed(self) -> tuple[list[PersonaBase], SyntheticSource]:
        options = self.options
        self.live = LiveSource(read_upstream(), options.connections, options.symbols, made=options.credentials)
        for connection in options.connections:
            (self._want_private if connection in PRIVATE else self._want_public)(connection)
        return list(self.live.personas), SyntheticSource([])

    def _want_public(self, connection: str) -> list[str]:
        """Expect the connection's channels of its subscribers; what they are."""
        options = self.options
        if connection not in PERSONAS:
            raise UsageError(f"connection {connection!r} is not built; built are {', '.join((*PERSONAS, *PRIVATE))}")
        channels = [name for name in MIX if options.channels is None or name in options.channels]
        if not channels:
            raise UsageError(f"{connection} needs channels out of {', '.join(MIX)}")
        self._wanted[connection] = {(channel, symbol) for channel in channels for symbol in options.symbols}
        return channels

    def _recorded_feed(self, recording: Capture) -> tuple[list[PersonaBase], SyntheticSource]:
        options = self.options
        if set(options.connections) - set(recording.connections):
            raise UsageError(f"{options.feed}: this capture serves {', '.join(recording.connections)} only")
        options.symbols = list(recording.symbols)
        asked = recording.channels if options.channels is None else options.channels
        channels = [channel for channel in recording.channels if channel in asked]
        personas: list[PersonaBase] = [PERSONAS[one](recording.market) for one in recording.connections]
        for persona in personas:
            self._wanted[persona.id] = {(channel, symbol) for channel in channels for symbol in options.symbols}
        return personas, SyntheticSource([])

    def _synthetic_feed(self) -> tuple[list[PersonaBase], SyntheticSource]:
        from shadow.venue.market import market_for

        options = self.options
        if not options.symbols or not options.connections:
            raise UsageError("a synthetic feed needs connections and symbols")
        start_ms = time.time_ns() // 1_000_000
        markets: dict[tuple[str, str], Any] = {}
        built: list[tuple[PersonaBase, Feed]] = []
        for connection in options.connections:
            exchange, kind, scope = connection.split(".")
            if (exchange, kind) not in markets:
                markets[exchange, kind] = market_for(exchange, kind, options.symbols, options.seed, start_ms)
            make = self._private if scope == "private" else self._public
            built.append(make(connection, markets[exchange, kind], start_ms))
        return [persona for persona, _ in built], SyntheticSource([feed for _, feed in built])

    def _public(self, connection: str, market: Any, start_ms: int) -> tuple[PersonaBase, Feed]:
        options, channels = self.options, self._want_public(connection)
        persona = PERSONAS[connection](market, options.time_scale)
        return persona, Stream(persona, market, options.symbols, channels, options.seed)

    def _want_private(self, connection: str) -> list[str]:
        """As `_want_public`, of an account."""
        options = self.options
        if connection not in PRIVATE:
            raise UsageError(f"connection {connection!r} is not built; built are {', '.join((*PERSONAS, *PRIVATE))}")
        channels = [name for name in CHANNELS if name != "position" or ".futures." in connection]
        channels = [name for name in channels if options.channels is None or name in options.channels]
        if not channels:
            raise UsageError(f"{connection} needs channels out of {', '.join(CHANNELS)}")
        self._wanted[connection] = {(channel, "") for channel in channels}
        return channels

    def _private(self, connection: str, market: Any, start_ms: int) -> tuple[PersonaBase, Feed]:
        """The account and its frames; the market goes along where no public connection moves it."""
        options, channels = self.options, self._want_private(connection)
        exchange, kind, _ = connection.split(".")
        persona = PRIVATE[connection](market, options.time_scale, options.credentials.get(exchange))
        first = first_order_id(kind) if exchange == "gateio" else 1
        account = Account(market, kind, options.symbols, options.seed, start_ms, first)
        persona.account = account
        is_alone = f"{exchange}.{kind}.public" not in options.connections
        return persona, AccountStream(persona, account, channels, market if is_alone else None)

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
        if self.live is not None:
            self.live.tick()
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)


def _sink(options: VenueOptions) -> Sink:
    if options.ledger_fd is not None:
        return PipeSink(options.ledger_fd, asyncio.get_running_loop())
    if options.ledger_dir is not None:
        return FolderSink(options.ledger_dir, secrets_of(options.credentials))
    return NullSink()
