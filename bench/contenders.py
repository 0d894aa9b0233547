"""Each pipeline as a function that takes frames and returns when the last one reached its callback."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from bench.classic import Classic
from bench.lean import Take, lean, metered
from bench.measure import Runner
from exchanges.structs.events import PublicCallbacks
from shadow.subjects.probe.doors import Arrivals, Door, offline_config, prepare, sync

__all__ = ["Contenders", "direct_handler", "ignore", "sync"]

CHUNK = 256


def ignore(_: Any) -> None:
    """A plain callback that does nothing."""


def queued(take: Callable[[bytes], Any], arrivals: Arrivals) -> Runner:
    """Feeds 256 frames at a time, the size a queue of 1000 holds, and waits for their callbacks."""

    async def run(frames: list[bytes]) -> None:
        for first in range(0, len(frames), CHUNK):
            chunk = frames[first : first + CHUNK]
            arrivals.expect(len(chunk))
            for raw in chunk:
                take(raw)
            await arrivals.wait()

    return run


def one_by_one(take: Take) -> Callable[[list[bytes]], None]:
    """The loop around every pipeline that calls back before it returns, the same for all of them."""

    def run(frames: list[bytes]) -> None:
        for raw in frames:
            take(raw)

    return run


class Contenders:
    """All pipelines for one exchange and event type; `close` ends what they hold."""

    def __init__(self, exchange: str, event_type: str, called: Callable[[Any], None] = ignore) -> None:
        self._exchange = exchange
        self._event_type = event_type
        self._called = called
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def all(self) -> dict[str, Runner]:
        """Name to runner: lean, lean-metered, classic, legacy, new (door direct), new-factory."""
        return {
            "lean": self._lean(),
            "lean-metered": self._lean_metered(),
            "classic": self._classic(),
            "legacy": self._managed("legacy"),
            "new": self._direct(),
            "new-factory": self._managed("new"),
        }

    async def close(self) -> None:
        """End tasks and timers."""
        for close in self._closing:
            await close()

    def _lean(self) -> Runner:
        return one_by_one(lean(self._exchange, self._event_type, self._called))

    def _lean_metered(self) -> Runner:
        return one_by_one(metered(lean(self._exchange, self._event_type, self._called)))

    def _classic(self) -> Runner:
        arrivals = Arrivals()
        classic = Classic(self._exchange, arrivals.handler)
        self._closing.append(classic.close)
        return queued(classic.take, arrivals)

    def _managed(self, architecture: str) -> Runner:
        arrivals = Arrivals()
        door = Door(architecture, self._exchange, arrivals.handler)
        self._closing.append(door.close)
        run = queued(door.take, arrivals)

        def run_renewed(frames: list[bytes]) -> Awaitable[None] | None:
            door.renew(frames)
            return run(frames)

        return run_renewed

    def _direct(self) -> Runner:
        handler = direct_handler(self._exchange, self._called)
        run = one_by_one(handler._on_raw_message)

        def run_synced(frames: list[bytes]) -> None:
            sync(handler, frames)
            run(frames)

        return run_synced


def direct_handler(exchange: str, called: Callable[[Any], None]) -> Any:
    """The new stack's handler at door direct, as on a connection that asked for everything."""
    builder = import_module(f"exchanges.integrations.{exchange}.builder")
    callbacks = PublicCallbacks(on_book=called, on_trades=called, on_book_ticker=called, on_ticker=called)
    handler = builder.build_direct(offline_config(exchange), callbacks).handler
    prepare(handler)
    return handler
