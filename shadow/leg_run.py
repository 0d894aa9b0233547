"""Runs one leg: starts both subjects, walks through the phases, drains, stops them, and writes down what failed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

import orjson

from shadow.children import Child, ChildDied, Message, end_group, keep_offspring, same_layout, subject_environment
from shadow.plan import WARM_UP_S, Leg, Phase
from shadow.subjects.protocol import PROTOCOL, ConnectionSpec, StartLine

__all__ = ["LegRun", "Listener", "Subject"]

HELLO_S = 10.0
SUBSCRIBED_S = 12.0
DRAIN_S = 5.0
STOP_S = 5.0
QUIET_NS = 100_000_000
SHORT_S = 2.0
REPLAY_S = 3600.0
# A machine that cannot keep a step's pace takes longer for it, and making its frames takes as long again.
CAPACITY_TIMES = 20


class Listener:
    """Who is told how the session goes; this one shows nothing, another overrides what it shows."""

    def phase(self, leg: str, phase: str, seconds: float) -> None:
        """A phase begins."""

    def note(self, text: str) -> None:
        """Something a person should know now."""

    def lengthen(self, total_s: float) -> None:
        """So long will the session measure after all."""

    def note_rate(self, message: Message) -> None:
        """The venue's own count, each half second."""

    def note_look(self, status: Message) -> None:
        """What the online judge sees, as in online.json."""

    def sealing(self) -> None:
        """All is measured, and the recorder compacts what it wrote: a second or more in which nobody else is busy."""


class Subject:
    """One subject process and what is known of it."""

    def __init__(self, role: str, process: asyncio.subprocess.Process | None) -> None:
        self.role = role
        self.process = process
        self.hello = asyncio.Event()
        self.protocol: object = None
        self.ended = asyncio.Event()
        self.subscribed: set[str] = set()
        self.failed: str | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs and nothing failed so far."""
        return self.failed is None and not self.ended.is_set()


class LegRun:
    """One leg of a session; `lines` and `venue_says` are fed by the session while it runs."""

    def __init__(
        self,
        leg: Leg,
        *,
        venue: Child,
        recorder: Child,
        pipes: Mapping[str, tuple[int, int]],
        commands: Mapping[str, list[str]],
        specs: Mapping[str, list[ConnectionSpec]],
        options: Mapping[str, dict[str, Any]],
        run: str,
        rate: int,
        listener: Listener,
        settle: Callable[[], None],
    ) -> None:
        self.leg = leg
        self._venue = venue
        self._recorder = recorder
        self._pipes = pipes
        self._commands = commands
        self._specs = specs
        self._options = options
        self._run = run
        self._rate = rate
        self._listener = listener
        self._settle = settle
        self.subjects: dict[str, Subject] = {}
        self._changed = asyncio.Condition()
        self._watchers: list[asyncio.Task[None]] = []

    @property
    def failures(self) -> dict[str, str]:
        """Role to reason, for each subject that failed in this leg."""
        return {role: subject.failed for role, subject in self.subjects.items() if subject.failed}

    async def run(self) -> None:
        """Walk through the whole leg; a failing subject shortens it, the other side's data are kept."""
        await self._mark("leg-begin", "", {})
        await self._venue.ask(
            {"cmd": "leg", "leg": self.leg.leg, "pair": list(self.leg.order)}, _done("leg"), timeout_s=10
        )
        is_whole = True
        try:
            for role in self.leg.order:
                self.subjects[role] = await self._start(role)
            await self._until_ready()
            await self._phases()
            await self._drain()
        except ChildDied:
            # What a dead venue had not written down yet is lost; a leg without an end is judged as far as all reaches.
            is_whole = False
            raise
        finally:
            await self._stop()
            if is_whole:
                await self._mark("leg-end", "", {})

    def on_recorder(self, message: Message) -> None:
        """Lines that the recorder forwards."""
        subject = self.subjects.get(message.get("role", ""))
        if subject is None or message.get("leg") != self.leg.leg:
            return
        if message["k"] == "line" and message["line"].get("k") == "hello":
            subject.protocol = message["line"].get("protocol")
            subject.hello.set()
            self._wake()
        elif message["k"] == "eof":
            self._wake()

    def on_venue(self, message: Message) -> None:
        """What the venue says of this leg's connections."""
        subject = self.subjects.get(message.get("role", ""))
        if subject is not None and message["k"] == "subscribed" and message.get("complete"):
            subject.subscribed.add(message["connection"])
            self._wake()

    def kill(self) -> None:
        """End every subject at once."""
        for subject in self.subjects.values():
            if subject.process is not None and subject.process.returncode is None:
                end_group(subject.process.pid)

    async def _start(self, role: str) -> Subject:
        stdout, stderr = self._pipes[role]
        argv = self._commands[role]
        process: asyncio.subprocess.Process | None = None
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                env=subject_environment(),
                preexec_fn=self._before_program,
            )
        except OSError as error:
            subject = Subject(role, None)
            await self._fail(subject, "not-found", f"{argv[0]}: {error.strerror}")
            subject.ended.set()
            return subject
        finally:
            os.close(stdout)
            os.close(stderr)
        subject = Subject(role, process)
        self._watchers.append(asyncio.create_task(self._await_exit(subject)))
        await self._mark("subject-start", role, {"pid": process.pid, "command": argv})
        await self._recorder.send({"cmd": "watch", "leg": self.leg.leg, "role": role, "pid": process.pid})
        line = StartLine(PROTOCOL, self._run, role, tuple(self._specs[role]), self._options.get(role, {}))
        await _write(process, line)
        return subject

    def _before_program(self) -> None:
        same_layout()
        keep_offspring()
        self._settle()

    async def _await_exit(self, subject: Subject) -> None:
        assert subject.process is not None
        code = await subject.process.wait()
        end_group(subject.process.pid)  # what it started and left behind
        subject.ended.set()
        detail = {"code": code, "signal": signal.Signals(-code).name if code < 0 else None}
        with contextlib.suppress(ChildDied):
            await self._mark("subject-exit", subject.role, detail)
        self._wake()

    async def _until_ready(self) -> None:
        await self._wait(lambda s: s.hello.is_set() or not s.alive, HELLO_S)
        for subject in self.subjects.values():
            if subject.failed is None and not subject.hello.is_set():
                ended = subject.ended.is_set()
                await self._fail(subject, "exited-before-hello" if ended else "no-hello", "")
            elif subject.failed is None and subject.protocol != PROTOCOL:
                await self._fail(subject, "protocol", f"{subject.protocol!r:.40}, this harness speaks {PROTOCOL}")
        await self._wait(lambda s: not s.alive or len(s.subscribed) == len(self._specs[s.role]), SUBSCRIBED_S)
        for subject in self.subjects.values():
            if subject.failed is None and subject.ended.is_set():
                await self._fail(subject, "died", "ended while it was subscribing")
            elif subject.failed is None and len(subject.subscribed) < len(self._specs[subject.role]):
                missing = sorted({spec.id for spec in self._specs[subject.role]} - subject.subscribed)
                await self._fail(subject, "no-subscription", ", ".join(missing), end=False)

    async def _phases(self) -> None:
        if not any(subject.alive or subject.subscribed for subject in self.subjects.values()):
            return
        if self.leg.phases[0].phase != "replay":
            await self._pace("warm-up", WARM_UP_S)
        for phase in self.leg.phases:
            await self._notice_deaths()
            if self.failures:
                await self._pace(phase.phase, min(SHORT_S, phase.seconds)) if phase.phase == "paired" else None
                return
            await self._phase(phase)
        await self._notice_deaths()

    async def _phase(self, phase: Phase) -> None:
        self._listener.phase(self.leg.leg, phase.phase, phase.seconds)
        if phase.phase == "paired":
            await self._pace("paired", phase.seconds)
        elif phase.phase == "burst":
            name = "control" if self.leg.leg == "control" else "burst"
            command = {"cmd": "burst", "seconds": phase.seconds, "phase": name}
            await self._venue.ask(command, _done("burst"), timeout_s=phase.seconds + 30)
        elif phase.rate:
            command = {"cmd": "capacity", "phase": phase.phase, "seconds": phase.seconds, "rate": phase.rate}
            await self._venue.ask(command, _done("capacity"), timeout_s=CAPACITY_TIMES * phase.seconds + 60)
            await self._drain()
        elif phase.phase == "connect":
            command = {"cmd": "connect", "closes": phase.closes, "seconds": phase.seconds}
            await self._venue.ask(command, _done("connect"), timeout_s=phase.seconds + 60)
        else:
            await self._venue.ask({"cmd": "replay"}, _done("replay"), timeout_s=REPLAY_S)

    async def _pace(self, phase: str, length_s: float) -> None:
        if phase == "warm-up":
            self._listener.phase(self.leg.leg, phase, length_s)
        command = {"cmd": "pace", "phase": phase, "seconds": length_s, "rate": self._rate}
        await self._venue.ask(command, _done("pace"), timeout_s=length_s + 30)

    async def _drain(self) -> None:
        """Until both sides delivered what they were sent, or 5 s."""
        answer = await self._venue.ask({"cmd": "drain"}, _done("drain"), timeout_s=DRAIN_S + 10)
        expected = answer.get("expected", {})
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DRAIN_S
        while loop.time() < deadline:
            counts = await self._recorder.ask({"cmd": "counts"}, lambda m: m["k"] == "counts", timeout_s=10)
            quiet = perf_counter_ns() - (counts.get("last_read") or 0) > QUIET_NS
            if quiet and self._all_delivered(expected, counts["events"]):
                break
            await asyncio.sleep(0.05)
        await self._mark("drained", "", {"expected": expected})

    def _all_delivered(self, expected: Message, delivered: Message) -> bool:
        return all(
            delivered.get(role, {}).get(connection, 0) >= count
            for role, subject in self.subjects.items()
            if subject.alive
            for connection, count in expected.get(role, {}).items()
        )

    async def _stop(self) -> None:
        for subject in self.subjects.values():
            if subject.process is not None and subject.process.returncode is None:
                await self._mark("subject-stop", subject.role, {})
                await _write(subject.process, {"cmd": "stop"}, close=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                for subject in self.subjects.values():
                    await subject.ended.wait()
        for subject in self.subjects.values():
            if not subject.ended.is_set() and subject.process is not None:
                if subject.failed is None:
                    await self._fail(subject, "hung", f"did not end within {STOP_S:.0f} s of stop", end=False)
                end_group(subject.process.pid)
                await subject.ended.wait()
            await self._recorder.send({"cmd": "unwatch", "leg": self.leg.leg, "role": subject.role})
        await asyncio.gather(*self._watchers)

    async def _notice_deaths(self) -> None:
        for subject in self.subjects.values():
            if subject.failed is None and subject.ended.is_set():
                code = subject.process.returncode if subject.process else None
                await self._fail(subject, "died", f"exit code {code}")

    async def _fail(self, subject: Subject, reason: str, text: str, *, end: bool = True) -> None:
        subject.failed = reason
        self._listener.note(f"{subject.role}: {reason.replace('-', ' ')}{': ' + text if text else ''}")
        await self._mark("subject-failed", subject.role, {"reason": reason, "text": text})
        if end and subject.process is not None and subject.process.returncode is None:
            end_group(subject.process.pid)

    async def _wait(self, ready: Any, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                async with self._changed:
                    await self._changed.wait_for(lambda: all(ready(s) for s in self.subjects.values()))

    def _wake(self) -> None:
        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        self._watchers.append(asyncio.ensure_future(notify()))

    async def _mark(self, name: str, role: str, detail: Message) -> None:
        row = [perf_counter_ns(), self.leg.leg, role, name, orjson.dumps(detail).decode()]
        await self._recorder.send({"cmd": "mark", "row": row})


def _done(command: str) -> Any:
    def wanted(message: Message) -> bool:
        return message.get("k") == "done" and message.get("cmd") == command

    return wanted


async def _write(process: asyncio.subprocess.Process, message: Any, *, close: bool = False) -> None:
    """One line to a subject; a subject that no longer reads is noticed by its exit, not here."""
    from shadow.subjects.protocol import line

    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
        async with asyncio.timeout(1.0):
            process.stdin.write(line(message))
            await process.stdin.drain()
    if close:
        process.stdin.close()
