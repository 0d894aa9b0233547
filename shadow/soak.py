"""`shadow soak`: one subject alone at a high rate for as long as asked; what it loses, costs and keeps.

The venue writes, the subject delivers, its lines are counted. Nothing is recorded: a soak may last a day.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import msgspec

from shadow.capture.resources import Probe
from shadow.children import Child, ChildDied, Message, end_group, same_layout, subject_environment
from shadow.config import own_subject, split_command
from shadow.connections import CHANNELS, channels_of
from shadow.errors import ShadowError, UsageError
from shadow.soak_figures import MemorySample, Soaked
from shadow.subjects.protocol import ConnectionSpec, StartLine, line
from shadow.venue.credentials import make_credentials

__all__ = ["SoakConfig", "run_soak"]

READY_S = 30.0
SUBSCRIBED_S = 15.0
LAST_EVENT_S = 5.0
STOP_S = 5.0
WARM_UP_S = 2.0
STRETCH_S = 10.0
SAMPLE_S = 0.25
TELL_NS = 5_000_000_000
ROLE = "new"
Tell = Callable[[str], None]


class SoakConfig(msgspec.Struct, kw_only=True):
    """What to soak: `subjects` are `legacy`, `new` or a command each, soaked one after the other on the same frames."""

    connections: tuple[str, ...]
    symbols: tuple[str, ...]
    rate: int = 10_000
    duration_s: float = 60.0
    seed: int = 1
    subjects: tuple[str, ...] = ("new",)
    transport: str = ""
    count_only: bool = False

    def command(self, subject: str) -> list[str]:
        """The argv of a subject."""
        return split_command("subjects", own_subject(subject) if subject in ("legacy", "new") else subject)


class _Line(msgspec.Struct):
    k: str = ""
    c: str = ""
    snapshot: bool | None = None
    events: int = 0


_decode = msgspec.json.Decoder(_Line).decode


class Counting(asyncio.Protocol):
    """A subject's stdout: events counted by connection, errors counted, everything else passed over.

    A book that the stack rebuilt by itself is no event of the exchange's.
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.errors = 0
        self.total = 0
        self.changed = asyncio.Event()
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Count the whole lines among what came."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = self.events
        for text in lines:
            try:
                read = _decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if read.k == "event" and not read.snapshot:
                events[read.c] += 1
                self.total += 1
            elif read.k == "count":
                self.total += read.events - events[read.c]
                events[read.c] = read.events
            elif read.k == "error":
                self.errors += 1
        self.changed.set()


class Soak:
    """One subject's soak, from the venue's start to the last event."""

    def __init__(self, config: SoakConfig, subject: str, folder: Path, tell: Tell) -> None:
        self.config = config
        self.subject = subject
        self._folder = folder
        self._tell = tell
        self._credentials = make_credentials()
        self._subscribed: set[str] = set()
        self._all_subscribed = asyncio.Event()
        self._counting = Counting()
        self._ended: str | None = None
        self._told = self._paced_until = 0
        self._venue: Child

    async def run(self) -> Soaked:
        """Soak; the subject's own failure is part of the result. ShadowError when the harness fails."""
        self._venue = await self._start_venue()
        try:
            ready = await self._venue.expect(lambda m: m["k"] in ("ready", "failed"), READY_S)
            if ready["k"] == "failed":
                raise UsageError(ready["text"])
            process = await self._start_subject(ready)
            try:
                return await self._measure(process)
            finally:
                await _stop(process)
        except (ChildDied, TimeoutError) as error:
            raise ShadowError(f"the soak could not go on: {error or 'the venue did not answer in time'}") from error
        finally:
            await self._venue.end()

    async def _start_venue(self) -> Child:
        config = self.config
        first: Message = {
            "roles": [ROLE],
            "connections": list(config.connections),
            "symbols": list(config.symbols),
            "channels": sorted({name for one in config.connections for name in channels_of(one, CHANNELS)}),
            "rate": config.rate,
            "seed": config.seed,
            "credentials": self._credentials,
        }
        log = self._folder / "venue.log"
        return await Child.start("venue", "shadow.venue", log=log, first=first, on_message=self._on_venue)

    def _on_venue(self, message: Message) -> None:
        if message["k"] == "subscribed" and message.get("complete"):
            self._subscribed.add(message["connection"])
            if self._subscribed >= set(self.config.connections):
                self._all_subscribed.set()
        elif message["k"] == "progress" and self._paced_until and perf_counter_ns() - self._told >= TELL_NS:
            self._tell_left(max(0.0, self._paced_until - perf_counter_ns()) / 1e9)

    def _tell_left(self, seconds: float) -> None:
        self._told = perf_counter_ns()
        self._tell(f"{self.subject}: {self._counting.total} events delivered, {seconds:.0f} s left")

    async def _start_subject(self, ready: Message) -> asyncio.subprocess.Process:
        argv = self.config.command(self.subject)
        out_read, out_write = os.pipe()
        with (self._folder / "subject.log").open("ab") as errors:
            try:
                process = await asyncio.create_subprocess_exec(
                    *argv,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=out_write,
                    stderr=errors,
                    start_new_session=True,
                    env=subject_environment(),
                    preexec_fn=same_layout,
                )
            except OSError as error:
                os.close(out_read)
                raise UsageError(f"{argv[0]}: {error.strerror}; give a program that can be started") from None
            finally:
                os.close(out_write)
        await asyncio.get_running_loop().connect_read_pipe(lambda: self._counting, os.fdopen(out_read, "rb"))
        options: dict[str, Any] = {"transport": self.config.transport} if self.config.transport else {}
        if self.config.count_only:
            options["count_only"] = True
        start = StartLine(1, "soak", ROLE, tuple(self._specs(ready)), options)
        assert process.stdin is not None
        process.stdin.write(line(start))
        return process

    def _specs(self, ready: Message) -> list[ConnectionSpec]:
        lane, spelt = ready["lanes"][ROLE], ready["symbols"]
        specs = []
        for connection in self.config.connections:
            exchange, market, scope = connection.split(".")
            specs.append(
                ConnectionSpec(
                    id=connection,
                    exchange=exchange,
                    market=market,
                    scope=scope,
                    ws_url=lane["ws"].get(connection) or lane["ws"][f"{exchange}.{market}"],
                    rest_url=lane["rest"][exchange],
                    symbols=tuple(spelt[connection]),
                    channels=channels_of(connection, CHANNELS),
                    credentials=self._credentials[exchange] if scope == "private" else None,
                )
            )
        return specs

    async def _measure(self, process: asyncio.subprocess.Process) -> Soaked:
        soaked = Soaked(subject=self.subject, rate=self.config.rate)
        watching = asyncio.create_task(self._note_end(process))
        try:
            await self._venue.ask({"cmd": "leg", "leg": "soak", "pair": [ROLE]}, _done("leg"), READY_S)
            if await self._until_subscribed(watching):
                await self._soak(soaked, Probe(process.pid))
        finally:
            watching.cancel()
        soaked.errors, soaked.ended = self._counting.errors, self._ended
        return soaked

    async def _soak(self, soaked: Soaked, probe: Probe) -> None:
        before = Counter(self._counting.events)
        await self._pace("warm-up", WARM_UP_S)
        sampling = asyncio.create_task(self._sample(probe, soaked))
        began, cpu = perf_counter_ns(), _cpu_ns(probe)
        self._paced_until = began + round(self.config.duration_s * 1e9)
        await self._send_in_stretches(soaked)
        soaked.cpu_s = (_cpu_ns(probe) - cpu) / 1e9
        sampling.cancel()
        drained = await self._venue.ask({"cmd": "drain"}, _done("drain"), READY_S)
        soaked.sent = {name: int(count) for name, count in drained["expected"].get(ROLE, {}).items()}
        await self._until_received(sum(soaked.sent.values()) + before.total())
        soaked.received = dict(self._counting.events - before)

    async def _send_in_stretches(self, soaked: Soaked) -> None:
        """Making a frame takes longer than writing it: those of a stretch are made before it begins.

        Its time ends when the subject's socket has taken all of it.
        """
        left_s, began = self.config.duration_s, perf_counter_ns()
        while left_s > 0 and self._ended is None:
            stretch_s = min(left_s, STRETCH_S)
            command = {"cmd": "capacity", "phase": "soak", "seconds": stretch_s, "rate": float(self.config.rate)}
            done = await self._venue.ask(command, _done("capacity"), 30 * stretch_s + 60.0)
            written = perf_counter_ns()
            await self._venue.ask({"cmd": "drain"}, _done("drain"), READY_S)
            soaked.frames += int(done["frames"])
            soaked.seconds += float(done["seconds"]) + (perf_counter_ns() - written) / 1e9
            left_s -= stretch_s
            share = left_s / (self.config.duration_s - left_s)
            self._tell_left(share * (perf_counter_ns() - began) / 1e9)

    async def _pace(self, phase: str, seconds: float) -> Message:
        command = {"cmd": "pace", "phase": phase, "seconds": seconds, "rate": float(self.config.rate)}
        return await self._venue.ask(command, _done("pace"), 10 * seconds + 60.0)

    async def _until_subscribed(self, watching: asyncio.Task[None]) -> bool:
        """Wait until every connection is subscribed; False when that will not be, with the reason noted."""
        waiting = asyncio.create_task(self._all_subscribed.wait())
        await asyncio.wait({waiting, watching}, timeout=SUBSCRIBED_S, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return True
        waiting.cancel()
        missing = ", ".join(sorted(set(self.config.connections) - self._subscribed))
        self._ended = self._ended or f"never subscribed {missing}"
        return False

    async def _until_received(self, total: int) -> None:
        """Until all came, or nothing more for LAST_EVENT_S."""
        counting = self._counting
        while counting.total < total:
            counting.changed.clear()
            try:
                async with asyncio.timeout(LAST_EVENT_S):
                    await counting.changed.wait()
            except TimeoutError:
                return

    async def _sample(self, probe: Probe, soaked: Soaked) -> None:
        began = perf_counter_ns()
        while (sample := probe.sample()) is not None:
            soaked.memory.append(MemorySample((sample.t - began) / 1e9, sample.uss))
            await asyncio.sleep(SAMPLE_S)

    async def _note_end(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self._ended = f"ended by itself with code {code}"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Let the subject end by itself, so that it can clean up; kill it with all it started when it does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        pass
    end_group(process.pid)
    await process.wait()


def _done(command: str) -> Callable[[Message], bool]:
    return lambda message: message["k"] == "done" and message.get("cmd") == command


def _cpu_ns(probe: Probe) -> int:
    sample = probe.sample()
    return 0 if sample is None else sample.cpu_ns


def run_soak(config: SoakConfig, tell: Tell) -> list[Soaked]:
    """Soak each subject in turn; raises UsageError for a person's mistake, ShadowError when the harness fails."""

    async def main() -> list[Soaked]:
        found = []
        with tempfile.TemporaryDirectory(prefix="ws-shadow-soak-") as folder:
            for subject in config.subjects:
                found.append(await Soak(config, subject, Path(folder), tell).run())
        return found

    return asyncio.run(main())
