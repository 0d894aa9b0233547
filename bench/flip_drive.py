"""An application over both stacks on all six connections, whose flag is turned again and again while it is fed.

The venue runs in a process of its own and writes its ledger. What the application gets and sends is kept with its time.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from time import monotonic, perf_counter_ns, time_ns
from typing import Any

import msgspec
import orjson
from openfeature import api
from openfeature.event import ProviderEventDetails
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from exchanges.structs import ExchangeRestError
from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.lane import FlipRecord
from infrastructure.networking.websocket.migration.stage import DOMAIN, FLAG, Stage
from shadow.connections import CONNECTIONS
from shadow.subjects.protocol import ConnectionSpec, StartLine
from shadow.subjects.stack import StackSubject

__all__ = ["Application", "HandFlag", "Sent", "until", "venue_process"]

SYMBOLS = {"gateio": ("BTC_USDT", "ETH_USDT"), "mexc": ("BTCUSDT", "ETHUSDT")}
PUBLIC, PRIVATE = ("book", "trade", "book_ticker", "ticker"), ("order", "fill", "balance")
LOOK_S = 0.002
FIRST_NUMBER = 900_000_000
"""Of the numbers that make each sent message one of its kind."""


class HandFlag:
    """A flag that is turned here; the stacks read it as an application's provider of the domain."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        variants = {one.value: one.value for one in Stage}
        flag = InMemoryFlag(stage.value, variants, context_evaluator=lambda *_: self._resolve())
        self._provider = InMemoryProvider({FLAG: flag})
        api.set_provider_and_wait(self._provider, DOMAIN)

    def turn(self, stage: Stage) -> None:
        """Change the stage of everything, and tell it."""
        self._stage = stage
        self._provider.emit_provider_configuration_changed(ProviderEventDetails(flags_changed=[FLAG]))

    def _resolve(self) -> FlagResolutionDetails[str]:
        return FlagResolutionDetails(self._stage.value, reason=Reason.STATIC, variant=self._stage.value)


@contextlib.asynccontextmanager
async def venue_process(rate: float, seed: int, ledger: Path) -> AsyncIterator[dict[str, Any]]:
    """A venue of all six connections that writes its ledger; gives its ready line."""
    words = ("-m", "shadow.cli", "venue", "--rate", f"{rate:g}", "--seed", str(seed), "--ledger", str(ledger))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        yield orjson.loads(await process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


class Kept:
    """What the application got, as lines of the subject protocol with the time of their writing."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, bytes]] = []

    def put(self, fields: dict[str, Any]) -> None:
        """One line."""
        self.lines.append((perf_counter_ns(), orjson.dumps(fields)))


class Sent(msgspec.Struct):
    """One message that the application sent: its number, and whether the manager took it."""

    connection: str
    number: int
    is_taken: bool


class Inline(StackSubject):
    """Both stacks in this loop: what a flip costs is not hidden by a second process."""

    def placing(self) -> dict[str, str]:
        return {"placement": "inline"}


class Application:
    """Holds one manager per connection and turns the flag for all of them."""

    def __init__(self, ready: dict[str, Any], flag: HandFlag, connections: Sequence[str] = CONNECTIONS) -> None:
        self.flag = flag
        self.kept = Kept()
        self.sent: list[Sent] = []
        self.turned: list[float] = []
        self._specs = [specify(name, ready) for name in connections]
        start = StartLine(1, "flips", "new", tuple(self._specs))
        self._subject = Inline("new", start, self.kept)  # type: ignore[arg-type]  # it only puts

    @property
    def managers(self) -> dict[str, DualRunManager]:
        """The managers by connection."""
        return self._subject._managers

    async def open(self) -> None:
        """Connect both stacks everywhere, and wait until legacy serves."""
        await self.start()
        await until(lambda: all(leg.is_connected() for one in self.managers.values() for leg in one._legs.values()))
        await until(lambda: all(one.serving() for one in self.managers.values()) and self.is_served_by(Side.LEGACY))

    async def start(self) -> None:
        """Start both stacks everywhere."""
        await self._subject.open()
        for name, manager in self.managers.items():
            if not isinstance(manager, DualRunManager):
                raise RuntimeError(f"{name}: the factory gave {type(manager).__name__}, not both stacks")

    async def turn(self, stage: Stage, side: Side) -> None:
        """Turn the flag and wait until this side serves every stream that has begun."""
        self.turned.append(monotonic())
        self.flag.turn(stage)
        await until(lambda: self.is_served_by(side))

    def is_served_by(self, side: Side) -> bool:
        """Whether one side serves everything."""
        return all(set(manager.serving().values()) == {side} for manager in self.managers.values())

    async def keep_sending(self, every_s: float) -> None:
        """Send numbered messages by every public manager, without end."""
        number = FIRST_NUMBER
        while True:
            for name, manager in self.managers.items():
                if name.endswith(".public"):
                    number += 1
                    await self._send(name, manager, number)
            await asyncio.sleep(every_s)

    async def _send(self, name: str, manager: DualRunManager, number: int) -> None:
        exchange, market, _ = name.split(".")
        message = {"method": "PING", "id": number} if exchange == "mexc" else {
            "time": number, "channel": f"{market}.ping"}  # fmt: skip
        try:
            await manager.send_message(message)
        except ExchangeRestError:
            self.sent.append(Sent(name, number, False))
        else:
            self.sent.append(Sent(name, number, True))

    async def catch_up(self) -> None:
        """Wait until every connection has brought an event of a later time than now: what was under way has come."""
        now_ms, seen, behind = time_ns() // 1_000_000, len(self.kept.lines), set(self.managers)

        def look() -> bool:
            nonlocal seen
            fresh, seen = self.kept.lines[seen:], len(self.kept.lines)
            for body in (orjson.loads(line) for _, line in fresh):
                if body["k"] == "event" and body["ts"] > now_ms:
                    behind.discard(body["c"])
            return not behind

        await until(look)

    def records(self) -> dict[str, list[FlipRecord]]:
        """Every change of sides by connection."""
        return {name: manager.flip_records() for name, manager in self.managers.items()}

    def taken_back(self) -> dict[str, str]:
        """Stacks that were shed and streams that went back to legacy unasked, and why."""
        return {
            f"{name} {what}": reason
            for name, manager in self.managers.items()
            for kind in ("shed", "latched")
            for what, reason in manager.get_performance_metrics()["migration"][kind].items()
        }

    async def close(self) -> None:
        """Close every manager."""
        await self._subject.close()


def specify(name: str, ready: dict[str, Any]) -> ConnectionSpec:
    """A connection of the venue as a start line gives it."""
    exchange, market, scope = name.split(".")
    key = f"{exchange}.{market}" + (".private" if scope == "private" else "")
    channels = PUBLIC if scope == "public" else (*PRIVATE, *(("position",) if market == "futures" else ()))
    return msgspec.convert(
        {
            "id": name,
            "exchange": exchange,
            "market": market,
            "scope": scope,
            "ws_url": ready["ws"][key],
            "rest_url": ready["rest"][exchange],
            "symbols": SYMBOLS[exchange],
            "channels": channels,
            "credentials": ready["credentials"][exchange] if scope == "private" else None,
        },
        ConnectionSpec,
    )


async def until(condition: Callable[[], bool]) -> None:
    """Look until it is so; half a minute at most."""
    async with asyncio.timeout(30):
        # What is looked at are other objects' counts, which tell nobody that they changed.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
