"""The processes of a rehearsal, each what it is in earnest: venue, consumer, controller."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from shadow.children import Child, ChildDied, end_group, end_with_parent, subject_environment
from shadow.connections import CHANNELS, channels_of
from shadow.errors import ShadowError, UsageError
from shadow.rehearsal.ear import Ear, LedgerPipe, LinePipe
from shadow.rollout.consumers import ConsumerStatus, read_statuses
from shadow.rollout.places import Places
from shadow.subjects.protocol import ConnectionSpec, StartLine, line
from shadow.venue.credentials import make_credentials

__all__ = ["CHUNK_S", "ROLE", "UNDISTURBED", "Parts"]

ROLE: Final = "client"
READY_S: Final = 30.0
STOP_S: Final = 8.0
CHUNK_S: Final = 1.0
"""How long a rate stands at least: what is changed meanwhile holds from the next chunk on."""
UNDISTURBED: Final = "aa"


class Parts:
    """Starts and ends the processes. Their logs, and the files of the rollout, lie in `folder`."""

    def __init__(self, folder: Path, runs: Path, connections: Sequence[str], symbols: Sequence[str]) -> None:
        self.folder = folder
        self.places = Places(folder / "flags.json", folder / "rollout", runs)
        self.kill_file = folder / "websocket.kill"
        self.harm_file = folder / "harm"
        self.units: dict[tuple[str, str, str], str] = {}
        """By connection, type and symbol of an event the unit that it belongs to."""
        self.connections = tuple(connections)
        self.symbols = tuple(symbols)
        self.ear = Ear()
        self.rate = 0.0
        self.specs: list[ConnectionSpec] = []
        self.consumer: asyncio.subprocess.Process | None = None
        self.controller: asyncio.subprocess.Process | None = None
        self._venue: Child | None = None
        self._feeding: asyncio.Task[None] | None = None
        self._credentials = make_credentials()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        """End what still runs."""
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.wait({self._feeding})
        for process in (self.consumer, self.controller):
            if process is not None and process.returncode is None:
                end_group(process.pid)
                await process.wait()
        if self._venue is not None:
            await self._venue.end()

    def owned_up(self, word: str) -> list[Path]:
        """What processes of new left behind when they did the word's harm for the first time (see `harmed.py`)."""
        return sorted(self.harm_file.parent.glob(f"{self.harm_file.name}.{word}.*"))

    def status(self) -> ConsumerStatus | None:
        """What the consumer last said of itself."""
        found = read_statuses(self.places.folder, time.time()).consumers
        return found[0] if found else None

    def has_applied(self, generation: int) -> bool:
        """Whether the consumer goes by the flag: by its status file, and by its lines, which come another way."""
        status = self.status()
        if status is None or status.generation != generation:
            return False
        return self.ear.serving == {name: unit.serving for name, unit in status.units.items()}

    @property
    def variables(self) -> dict[str, str]:
        """What names the rollout's files to every process."""
        return self.places.environment(self.kill_file)

    async def start_venue(self, rate: float, seed: int, faults: Sequence[str] = ()) -> None:
        """Open the exchange; nothing is sent before `feed`. `faults` strike in each leg that `begin_leg` begins."""
        readable, writable = os.pipe()
        first = {
            "roles": [ROLE],
            "connections": self.connections,
            "symbols": self.symbols,
            "channels": sorted({name for one in self.connections for name in channels_of(one, CHANNELS)}),
            "rate": rate,
            "seed": seed,
            "credentials": self._credentials,
            "ledger_fd": writable,
            "faults": list(faults),
        }
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: LedgerPipe(self.ear), os.fdopen(readable, "rb"))
        try:
            log = self.folder / "venue.log"
            self._venue = await Child.start(
                *("venue", "shadow.venue"),
                log=log,
                first=first,
                pass_fds=(writable,),
                before_program=end_with_parent,
            )
        finally:
            os.close(writable)
        ready = await self._venue.expect(lambda m: m["k"] in ("ready", "failed"), READY_S)
        if ready["k"] == "failed":
            raise UsageError(ready["text"])
        self.specs = [self._spec(connection, ready) for connection in self.connections]
        self.units = {key: unit for spec in self.specs for key, unit in units_of(spec, self.symbols)}
        await self.begin_leg(UNDISTURBED if faults else "rehearsal")

    async def begin_leg(self, name: str) -> None:
        """From here on the venue's faults are timed, from the next frames on; in `UNDISTURBED` there are none."""
        await self._tell_venue({"cmd": "leg", "leg": name, "pair": [ROLE]})

    async def strike(self) -> None:
        """Let the venue's faults happen while nothing is sent; they are timed from a phase too short for a frame."""
        await self.begin_leg("strike")
        await self._tell_venue({"cmd": "pace", "phase": "strike", "seconds": 0.001, "rate": 1.0})

    def _spec(self, connection: str, ready: dict[str, Any]) -> ConnectionSpec:
        exchange, market, scope = connection.split(".")
        lane = ready["lanes"][ROLE]
        return ConnectionSpec(
            id=connection,
            exchange=exchange,
            market=market,
            scope=scope,
            ws_url=lane["ws"].get(connection) or lane["ws"][f"{exchange}.{market}"],
            rest_url=lane["rest"][exchange],
            symbols=tuple(ready["symbols"][connection]),
            channels=channels_of(connection, CHANNELS),
            credentials=self._credentials[exchange] if scope == "private" else None,
        )

    async def start_consumer(self, placement: str, **more: str) -> None:
        """Start the application; its stages are those of the flag file as it is then. `more` of its options."""
        readable, writable = os.pipe()
        options = {"placement": placement, "name": "rehearsal", "harm_file": str(self.harm_file), **more}
        try:
            self.consumer = await self._start("shadow.subjects.consumer", [], stdout=writable)
        finally:
            os.close(writable)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: LinePipe(self.ear), os.fdopen(readable, "rb"))
        assert self.consumer.stdin is not None
        self.consumer.stdin.write(line(StartLine(1, "rehearsal", ROLE, tuple(self.specs), options)))

    async def start_controller(self, words: Sequence[str]) -> None:
        """Start `shadow rollout start` with these words."""
        self.controller = await self._start("shadow.cli", ["rollout", "start", *words], stdout=None)

    async def _start(self, module: str, words: Sequence[str], *, stdout: int | None) -> asyncio.subprocess.Process:
        with (self.folder / f"{module.rpartition('.')[2]}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *words),
                stdin=asyncio.subprocess.PIPE,
                stdout=log if stdout is None else stdout,
                stderr=log,
                env=subject_environment() | self.variables,
                preexec_fn=end_with_parent,
                start_new_session=True,
            )

    @property
    def is_subscribed(self) -> bool:
        """Whether both stacks have asked for all that the consumer wants."""
        links: dict[tuple[str, str, str], set[int]] = {}
        for connection, number, channel, symbol in self.ear.subscribed:
            is_private = connection.endswith(".private")
            links.setdefault((connection, channel, "" if is_private else symbol), set()).add(number)
        return all(len(links.get(one, ())) >= 2 for spec in self.specs for one in topics(spec))

    def feed(self, rate: float) -> None:
        """Send frames until `stop_feeding`; `rate` may be changed meanwhile."""
        self.rate = rate
        self._feeding = asyncio.create_task(self._feed())

    async def _feed(self) -> None:
        while True:
            await self._tell_venue({"cmd": "pace", "phase": "rehearsal", "seconds": CHUNK_S, "rate": self.rate})

    async def stop_feeding(self) -> None:
        """Send no more, and wait until the sockets took all of it."""
        assert self._feeding is not None
        self._feeding.cancel()
        await asyncio.wait({self._feeding})
        await self._tell_venue({"cmd": "drain"})

    async def _tell_venue(self, command: Mapping[str, Any]) -> None:
        assert self._venue is not None
        try:
            await self._venue.ask(dict(command), lambda m: m["k"] == "done" and m["cmd"] == command["cmd"], READY_S)
        except (ChildDied, TimeoutError) as error:
            raise ShadowError(f"the venue did not {command['cmd']}: {error or 'no answer in time'}") from error

    async def stop_consumer(self) -> int:
        """Let it tell its flips and end; its exit code."""
        assert self.consumer is not None
        assert self.consumer.stdin is not None
        self.consumer.stdin.close()
        return await _ended(self.consumer)

    async def stop_controller(self) -> int:
        """As Ctrl-C does; its exit code."""
        assert self.controller is not None
        if self.controller.returncode is None:
            self.controller.send_signal(signal.SIGINT)
        return await _ended(self.controller)


async def _ended(process: asyncio.subprocess.Process) -> int:
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        end_group(process.pid)
    return await process.wait()


def units_of(spec: ConnectionSpec, symbols: Sequence[str]) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Each kind of event with its unit; `symbols` are those of the connection in the Gate.io spelling."""
    market = f"{spec.exchange}.{spec.market}"
    for channel in spec.channels:
        if spec.scope == "private":
            yield from (((spec.id, channel, symbol), f"{market}.private") for symbol in ("", *spec.symbols))
        else:
            pairs = zip(spec.symbols, symbols, strict=True)
            yield from (((spec.id, channel, theirs), f"{market}.{channel}.{ours}") for theirs, ours in pairs)


def topics(spec: ConnectionSpec) -> list[tuple[str, str, str]]:
    """The subscriptions of a connection; those of an account have no symbol."""
    symbols = ("",) if spec.scope == "private" else spec.symbols
    return [(spec.id, channel, symbol) for channel in spec.channels for symbol in symbols]
