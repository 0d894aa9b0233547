"""When faults happen: they are armed at the begin of a leg, timed from its first measured phase, and marked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from shadow.venue.answers import RefuseSubscribe, StaleBooks
from shadow.venue.auth_faults import LateAuth, RefuseAuth
from shadow.venue.bursts import make_burst, send_burst
from shadow.venue.client_link import ClientLink
from shadow.venue.disturb import Alteration, Hold
from shadow.venue.faults import FRAME_KINDS, Fault
from shadow.venue.outgoing import Frame
from shadow.venue.outlet import Outlet, SubscribeFault
from shadow.venue.sources.account import AccountStream
from shadow.venue.sources.synthetic import Keyed
from shadow.venue.stage import Stage

__all__ = ["Incidents"]

UNDISTURBED_LEGS: Final = ("aa", "control")
"""Calibration compares the legacy with itself; a fault there would tell nothing about the new side."""
_SPACING_S: Final = 0.0005
_GLANCE_S: Final = 0.001
EARLY: Final = ("refuse-subscribe", "stale-rest", "refuse-auth", "late-auth")
"""Kinds that wait for a question of the client's; without a time of their own they wait from the leg's begin."""
_CAUSES: Final = {"day-close": "planned"}


class Incidents:
    """Carries out the planned faults of a session; implements `stage.FaultClock`."""

    def __init__(self, stage: Stage, faults: Sequence[Fault]) -> None:
        self._stage = stage
        self._faults = faults
        self._timers: list[asyncio.TimerHandle] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: list[Callable[[], None]] = []
        self._is_running = True

    def begin_leg(self, leg: str) -> None:
        """End what is left of the former leg; arm what stands from a leg's begin."""
        self.end()
        self._is_running = leg.startswith(UNDISTURBED_LEGS)
        if not self._is_running:
            for fault in self._faults:
                if _is_early(fault):
                    self._for_sides(fault, self._arm)

    def begin_phase(self, phase: str) -> None:
        """Start the clock with the first measured phase."""
        if self._is_running or phase == "warm-up":
            return
        self._is_running = True
        loop = asyncio.get_running_loop()
        for fault in self._faults:
            if _is_early(fault):
                continue
            repeats = (fault.count or 1) if fault.kind in ("close", "reset", "burst", "burst-close") else 1
            for number in range(repeats):
                at_s = fault.at_s + number * fault.every_s
                self._timers.append(loop.call_later(at_s, self._strike, fault))

    def end(self) -> None:
        """Take back every fault."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        for end in self._ends:
            end()
        self._ends.clear()
        for task in self._tasks:
            task.cancel()

    def _for_sides(self, fault: Fault, act: Callable[[Fault, Outlet], None]) -> None:
        for outlet in self._stage.sides(fault.connection):
            if fault.role in (None, outlet.role):
                act(fault, outlet)

    def _strike(self, fault: Fault) -> None:
        if fault.kind in ("burst", "burst-close"):
            self._spawn(self._burst(fault))
        elif fault.kind == "fill-first":
            self._fill_first(fault)
        elif fault.kind in FRAME_KINDS or fault.kind in EARLY or fault.kind == "twin-fill":
            self._for_sides(fault, self._arm)
        elif fault.kind == "expire-key":
            self._for_sides(fault, self._expire)
        else:
            self._for_sides(fault, self._begin_treating)

    # Faults that stand for a while

    def _arm(self, fault: Fault, outlet: Outlet) -> None:
        if fault.kind == "refuse-subscribe":
            refusal = RefuseSubscribe(fault, outlet.persona, lambda keys: self._mark(fault, outlet, keys=list(keys)))
            outlet.subscribe_faults.append(refusal)
            self._until(fault, lambda: _remove(outlet.subscribe_faults, refusal))
        elif fault.kind == "stale-rest":
            stale = StaleBooks(fault, outlet.persona, list(self._stage.options.symbols))
            outlet.book_faults.append(stale)
            self._until(fault, lambda: _remove(outlet.book_faults, stale))
        elif fault.kind in ("refuse-auth", "late-auth"):
            self._arm_auth(fault, outlet)
        else:
            self._arm_frames(fault, outlet)

    def _arm_auth(self, fault: Fault, outlet: Outlet) -> None:
        def note() -> None:
            self._mark(fault, outlet)

        proof: SubscribeFault
        proof = RefuseAuth(fault, note) if fault.kind == "refuse-auth" else LateAuth(fault, lambda: outlet.links, note)
        outlet.subscribe_faults.append(proof)
        self._until(fault, lambda: _remove(outlet.subscribe_faults, proof))

    def _fill_first(self, fault: Fault) -> None:
        """The account's feed is one for both sides, so this fault is, too."""
        stream = self._stage.source.streams[fault.connection]
        assert isinstance(stream, AccountStream)
        stream.fills_first += fault.count or 1
        for outlet in self._stage.sides(fault.connection):
            self._mark(fault, outlet)

    def _expire(self, fault: Fault, outlet: Outlet) -> None:
        """The listen keys of this side's connections are over; the exchange says so and closes."""
        self._mark(fault, outlet, conn_no=[link.conn_no for link in outlet.links])
        for link in tuple(outlet.links):
            link.expire()

    def _arm_frames(self, fault: Fault, outlet: Outlet) -> None:
        symbol = None if fault.symbol is None else outlet.persona.spell(fault.symbol)
        channel = fault.type or {"empty-body": "book", "twin-fill": "fill"}.get(fault.kind)

        def wanted(frame: Frame) -> bool:
            return (channel is None or frame.channel == channel) and (symbol is None or frame.symbol == symbol)

        def note(frame: Frame) -> None:
            self._mark(fault, outlet, channel=frame.channel, symbol=frame.symbol, first=frame.first, last=frame.last)

        standing = (Hold if fault.kind in ("delay", "stall") else Alteration)(fault, wanted, note)
        outlet.faults.append(standing)

        def take_back() -> None:
            _remove(outlet.faults, standing)
            standing.finish()

        self._until(fault, take_back, standing.end)

    def _until(self, fault: Fault, take_back: Callable[[], None], stop: Callable[[], None] | None = None) -> None:
        """Take back at the leg's end, and stop after the fault's own time if it has one."""
        self._ends.append(take_back)
        if fault.for_s is not None:
            self._timers.append(asyncio.get_running_loop().call_later(fault.for_s, stop or take_back))

    # Faults of a moment

    def _begin_treating(self, fault: Fault, outlet: Outlet) -> None:
        self._spawn(self._treat(fault, outlet))

    async def _treat(self, fault: Fault, outlet: Outlet) -> None:
        if fault.kind in ("close", "day-close", "reset"):
            await self._close(fault, outlet)
        elif fault.kind == "halfopen":
            await self._halfopen(fault, outlet)
        else:
            await self._slow(fault, outlet)

    async def _close(self, fault: Fault, outlet: Outlet) -> None:
        """Close every link, behind a quiet moment unless the profile is storm."""
        stage, connection = self._stage, outlet.connection
        stage.resting.add(connection)
        try:
            if not stage.is_storm:
                await stage.rest(connection)
            links = tuple(outlet.links)
            self._mark(fault, outlet, code=fault.code, conn_no=[link.conn_no for link in links])
            closes = [self._close_link(fault, link) for link in links]
        finally:
            stage.resting.discard(connection)
        await asyncio.gather(*closes)

    async def _close_link(self, fault: Fault, link: ClientLink) -> None:
        cause = _CAUSES.get(fault.kind, f"fault:{fault.kind}")
        if fault.kind == "reset":
            link.drop(cause, reset=True)
        else:
            await link.close(fault.code, cause)

    async def _halfopen(self, fault: Fault, outlet: Outlet) -> None:
        """Neither read nor write; the TCP connection goes when the time is over or a new one has come."""
        links = tuple(outlet.links)
        self._mark(fault, outlet, conn_no=[link.conn_no for link in links])
        for link in links:
            link.is_mute = True
            link.transport.pause_reading()
        ended = asyncio.get_running_loop().time() + (fault.for_s or 0.0)
        try:
            async with asyncio.timeout_at(ended):
                while not any(link not in links for link in outlet.links):
                    outlet.changed.clear()
                    await outlet.changed.wait()
        except TimeoutError:
            pass
        finally:
            for link in links:
                link.drop(f"fault:{fault.kind}")

    async def _slow(self, fault: Fault, outlet: Outlet) -> None:
        """Read from the client only once in `by_s`."""
        links = tuple(outlet.links)
        self._mark(fault, outlet, conn_no=[link.conn_no for link in links])
        loop = asyncio.get_running_loop()
        end = loop.time() + (fault.for_s or 0.0)
        try:
            while loop.time() < end:
                _read(links, False)
                await asyncio.sleep(min(fault.by_s, max(0.0, end - loop.time())))
                _read(links, True)
                # Not 0: the loop has to look at the sockets once before reading stops again.
                await asyncio.sleep(_GLANCE_S)
        finally:
            _read(links, True)

    async def _burst(self, fault: Fault) -> None:
        """Many frames in one write, for burst-close with the close frame behind them.

        The side that the fault is not for gets the same frames one by one: a book has no hole on either side.
        """
        stage, connection = self._stage, fault.connection
        sides = stage.sides(connection)
        stream = stage.source.streams[connection]
        channel = fault.type or ("trade" if "trade" in stream.channels else stream.channels[0])
        stage.resting.add(connection)
        try:
            stage.send_ready()
            stage.tee.flush()
            train = make_burst(stream, channel, sides, fault.frames)
            for outlet in sides:
                if fault.role in (None, outlet.role):
                    self._mark(fault, outlet, frames=len(train), type=channel)
                    self._burst_to(fault, outlet, train, channel)
            for frame, key in train:
                for outlet in sides:
                    if fault.role not in (None, outlet.role):
                        outlet.deliver(frame, key, False)
                await asyncio.sleep(_SPACING_S)
        finally:
            stage.resting.discard(connection)

    def _burst_to(self, fault: Fault, outlet: Outlet, train: list[Keyed], channel: str) -> None:
        if fault.kind == "burst":
            send_burst(self._stage, outlet, train, channel, first=True)
            return
        for link in tuple(outlet.links):
            link.close_behind([frame for frame, key in train if key in link.keys], fault.code, f"fault:{fault.kind}")

    # Inside

    def _mark(self, fault: Fault, outlet: Outlet, **more: object) -> None:
        detail: dict[str, object] = {"kind": fault.kind, "connection": outlet.connection, "role": outlet.role, **more}
        self._stage.ledger.mark("fault", outlet.role, detail)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_early(fault: Fault) -> bool:
    return fault.kind in EARLY and not fault.at_s


def _remove(standing: list[Any], fault: object) -> None:
    if fault in standing:
        standing.remove(fault)


def _read(links: Sequence[ClientLink], is_reading: bool) -> None:
    for link in links:
        if link.is_open:
            (link.transport.resume_reading if is_reading else link.transport.pause_reading)()
