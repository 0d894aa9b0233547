"""A stack in a process of its own, with the methods of a manager: what it does to itself, it does not do to us.

The process is told what to do by lines on its standard input, and writes messages, states and answers into a ring. It
is ended, and `problem` says why, when it dies, stops beating, grows beyond its memory or burns a core.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import pickle
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from exchanges.structs.errors import ConfigurationError, ExchangeRestError
from exchanges.structs.types import ConnectionState, ExchangeConfig, Symbol
from infrastructure.networking.websocket.migration import stacks
from infrastructure.networking.websocket.migration.answers import Answers
from infrastructure.networking.websocket.migration.leg import OnMessage, OnState
from infrastructure.networking.websocket.migration.ring import Ring
from infrastructure.networking.websocket.migration.turn import Turn
from infrastructure.networking.websocket.migration.vitals import SidecarLimits, Vitals

__all__ = ["Sidecar", "StackSpec"]

PROCESS = "infrastructure.networking.websocket.migration.sidecar_process"
WATCH_S = 0.1
DRAIN_S = 0.02
TURN = 64
START = 0
"""The number of what nobody waits for; a failed answer to it is one of the start."""


@dataclass(frozen=True, slots=True)
class StackSpec:
    """Which stack to build, and the registries of builders as this process has them."""

    architecture: str
    config: ExchangeConfig
    is_private: bool
    options: dict[str, Any]
    builders: dict[tuple[str, str], str] = field(default_factory=lambda: dict(stacks.BUILDERS))
    units: dict[str, tuple[str, str]] = field(default_factory=lambda: dict(stacks.UNITS))


def encode_line(content: Any) -> bytes:
    """One line for the process."""
    return base64.b64encode(pickle.dumps(content)) + b"\n"


def _first_line(spec: StackSpec) -> bytes:
    try:
        return encode_line(spec)
    except Exception as error:
        raise ConfigurationError(
            f"the stack's options cannot go to another process: {error}; give others, or placement='inline'"
        ) from error


class Sidecar:
    """The parent's end: a stack that happens to run elsewhere.

    `recv_ns` and `t_ns` are of the message that is being handed on, as the process took them. What the caller's own
    handlers raise is logged and counted in `error_count`, as by a stack that runs here.
    """

    recv_ns: int | None = None
    t_ns = 0

    def __init__(
        self, spec: StackSpec, on_message: OnMessage, on_state: OnState, limits: SidecarLimits | None = None
    ) -> None:
        self.problem: str | None = None
        self.limits = limits or SidecarLimits()
        self._first_line = _first_line(spec)
        self._logger: logging.Logger = spec.options.get("logger") or logging.getLogger("websocket.migration")
        self._on_message = on_message
        self._on_state = on_state
        self._state = ConnectionState.DISCONNECTED
        self._metrics: dict[str, Any] = {}
        self._errors = 0
        self._answers = Answers()
        self._process: asyncio.subprocess.Process | None = None
        self._ring: Ring | None = None
        self._woken = asyncio.Event()
        self._turn = Turn()
        self._wake_fd = -1
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closing = False
        self._is_stopping = False

    @property
    def pid(self) -> int | None:
        """The process, once it is started."""
        return None if self._process is None else self._process.pid

    async def initialize(self, symbols: Sequence[Symbol] | None = None, default_channels: Any = None) -> None:
        """Start the process; returns before the stack in it is built."""
        self._ring = Ring.create(self.limits.ring_bytes)
        self._wake_fd, its_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        descriptors = (self._ring.descriptor, its_end)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", PROCESS, *map(str, descriptors)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            pass_fds=descriptors,
        )
        os.close(its_end)
        asyncio.get_running_loop().add_reader(self._wake_fd, self._on_wake)
        self._write(self._first_line)
        self._write(encode_line((START, "initialize", (list(symbols or ()), default_channels))))
        self._tasks = [asyncio.create_task(self._drain()), asyncio.create_task(self._watch(self._process))]

    async def subscribe(self, symbols: Sequence[Symbol]) -> None:
        """As a manager's."""
        await self._call("subscribe", list(symbols))

    async def unsubscribe(self, symbols: Sequence[Symbol]) -> None:
        """As a manager's."""
        await self._call("unsubscribe", list(symbols))

    async def send_message(self, message: dict[str, Any]) -> None:
        """As a manager's; ExchangeRestError 503 also when the process ends, or does not answer in time.

        Its text then says that it is unknown whether the message was sent: sent again, it may be there twice.
        """
        await self._call("send_message", message)

    def is_connected(self) -> bool:
        """Whether the stack in the process last said so."""
        return self.problem is None and self._state is ConnectionState.CONNECTED

    def get_performance_metrics(self) -> dict[str, Any]:
        """The counters as the process last told them, at most a second old; `error_count` with our own ones."""
        if not self._errors:
            return dict(self._metrics)
        return self._metrics | {"error_count": self._metrics.get("error_count", 0) + self._errors}

    async def close(self) -> None:
        """Let the stack close and deliver its backlog; a process that does not end is killed.

        The consumer's callback is given `in_flight_s` to return, then it is cancelled.
        """
        if self._is_closing or self._process is None or self._ring is None:
            return
        self._is_closing = True
        process = self._process
        self._write(encode_line((START, "close", ())))
        try:
            await asyncio.wait_for(process.wait(), 0 if self.problem else self.limits.close_s)
        except TimeoutError:
            _kill(process)
            await process.wait()
        except asyncio.CancelledError:
            # Nobody asks again: a process that stands still would outlive us.
            _kill(process)
            raise
        await self._end_tasks()
        if self.problem is None:
            await self._hand_on(self._ring, to_the_end=True)
        asyncio.get_running_loop().remove_reader(self._wake_fd)
        os.close(self._wake_fd)
        self._ring.close()
        self._answers.end(self.problem or "the sidecar is closed")

    async def _end_tasks(self) -> None:
        """Let the drain stop behind the record that it is at; end the watch, and a callback that does not return."""
        self._is_stopping = True
        self._woken.set()
        for task, timeout_s in zip(self._tasks, (self.limits.in_flight_s, 0.0), strict=True):
            if task is not asyncio.current_task():
                await asyncio.wait({task}, timeout=timeout_s)
                task.cancel()
                await asyncio.wait({task})

    # To the process

    def _write(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        if self._process.returncode is None:
            self._process.stdin.write(line)

    async def _call(self, name: str, argument: Any) -> None:
        if self._process is None or self.problem is not None or self._is_closing:
            raise ExchangeRestError(503, "WebSocket not connected")
        await self._answers.ask(
            name, lambda number: self._write(encode_line((number, name, (argument,)))), self.limits.answer_s
        )

    # From the process

    def _on_wake(self) -> None:
        if not os.read(self._wake_fd, 4096):
            # The process is gone.
            asyncio.get_running_loop().remove_reader(self._wake_fd)
        self._woken.set()

    async def _drain(self) -> None:
        """Hand on what comes; asleep, be woken by the process, or look again after a moment."""
        ring = self._ring
        assert ring is not None
        try:
            while not self._is_stopping:
                await self._hand_on(ring)
                await self._sleep(ring)
        finally:
            if not self._is_closing:
                self.problem = self.problem or "what the sidecar delivers is not read any more"

    async def _sleep(self, ring: Ring) -> None:
        if self._is_stopping:
            return
        self._woken.clear()
        ring.note_sleep(True)
        if not ring.has_records():
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S):
                    await self._woken.wait()
        ring.note_sleep(False)

    async def _hand_on(self, ring: Ring, *, to_the_end: bool = False) -> None:
        for number, (payload, recv_ns, t_ns) in enumerate(ring.read(), 1):
            if self._turn.is_over(number, TURN):
                # A process that floods does not keep the serving stack from its turn.
                await asyncio.sleep(0)
            self.recv_ns, self.t_ns = recv_ns or None, t_ns
            try:
                await self._take(*pickle.loads(payload))
            except Exception as error:  # noqa: BLE001 - one record never ends the drain
                self._note_error("Message processing failed", error)
            if self._is_stopping and not to_the_end:
                return

    async def _take(self, kind: str, content: Any) -> None:
        if kind == "message":
            await self._on_message(content)
        elif kind == "state":
            await self._tell_state(content)
        elif kind == "metrics":
            self._metrics = content
        elif kind == "failed":
            self.problem = content
        elif kind == "answer":
            number, failure = content
            self._answers.settle(number, failure)
            if number == START and failure is not None:
                self.problem = failure[1]

    async def _tell_state(self, state: ConnectionState) -> None:
        self._state = state
        try:
            await self._on_state(state)
        except Exception as error:  # noqa: BLE001 - the caller's error never ends drain or watch
            self._note_error("Connection handler failed", error)

    def _note_error(self, what: str, error: Exception) -> None:
        self._errors += 1
        self._logger.error("%s: %s", what, error)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """End the process when it does harm or is of no use any more, and say why; in silence while closing."""
        vitals = Vitals(self.limits)
        while self.problem is None:
            await asyncio.sleep(WATCH_S)
            if process.returncode is not None:
                if self._is_closing:
                    return
                self.problem = self.problem or f"the sidecar ended with code {process.returncode}"
            elif self._ring is not None:
                trouble = vitals.trouble(process.pid, self._ring.beat, time.monotonic())
                if trouble is not None and self._is_closing:
                    _kill(process)
                    return
                self.problem = self.problem or trouble
        _kill(process)
        self._answers.end(self.problem)
        await self._tell_state(ConnectionState.ERROR)


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
