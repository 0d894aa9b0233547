"""The new stack as a candidate that goes bad while it runs: while a file exists, its word is done to the stack.

The words: `alter` (prices that nobody sent), `mute` (nothing is delivered any more), `slow N` (N ns of CPU more each
message), `conflate` (book updates are left to the first whole book, as every stack may), `slip` (one message in 50 is,
in turns, not delivered or half a second late); and for a stack in a process of its own `die` (the process is gone, as
after `kill -9`) and `leak` (it takes 10 MiB a second and keeps them).

What was done is owned up to: a file beside that one, `<name>.<word>.<process>`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from exchanges.structs.types import BookTicker, MessageType, OrderBook, ParsedMessage, Symbol

__all__ = ["HARMS", "VARIABLE", "build_gateio", "build_mexc", "take_the_place"]

VARIABLE: Final = "WS_SHADOW_HARM"
HARMS: Final = ("alter", "mute", "die", "leak", "slow", "conflate", "slip")
LOOK_S: Final = 0.02
SLIP_EVERY: Final = 50
LATE_S: Final = 0.5
LEAK_BYTES: Final = round(LOOK_S * (10 << 20))
OnMessage = Callable[[ParsedMessage], Awaitable[None]]


def take_the_place(harm_file: str) -> None:
    """Make the factory, here and in processes started from here, build the new stack as one that can be harmed."""
    from infrastructure.networking.websocket.migration.stacks import BUILDERS

    os.environ[VARIABLE] = harm_file
    for exchange in ("gateio", "mexc"):
        BUILDERS["new", exchange] = f"{__name__}:build_{exchange}"


def build_gateio(config: Any, is_private: bool, on_message: OnMessage, on_state: Any, **options: Any) -> Any:
    """As the stack's own builder."""
    return _build("gateio", config, is_private, on_message, on_state, options)


def build_mexc(config: Any, is_private: bool, on_message: OnMessage, on_state: Any, **options: Any) -> Any:
    """As the stack's own builder."""
    return _build("mexc", config, is_private, on_message, on_state, options)


def _build(
    exchange: str, config: Any, is_private: bool, on_message: OnMessage, on_state: Any, options: dict[str, Any]
) -> Any:
    build = import_module(f"exchanges.integrations.{exchange}.builder").build
    return build(config, is_private, Harmed(on_message, Path(os.environ[VARIABLE])).take, on_state, **options)


class Harmed:
    """Stands between the stack and whoever it delivers to."""

    def __init__(self, on_message: OnMessage, path: Path) -> None:
        self._on_message = on_message
        self._path = path
        self._harm = ""
        self._slow_ns = 0
        self._done = ""
        self._whole: set[Symbol | None] = set()
        self._leaked: list[bytes] = []
        self._taken = 0
        self._late: set[asyncio.Task[None]] = set()
        self._look()
        threading.Thread(target=self._watch, name="harm", daemon=True).start()

    async def take(self, message: ParsedMessage) -> None:
        """Hand on, or do what the word says."""
        if self._harm and message.message_type > 0:
            done = self._harmed(message)
            if done is None:
                return
            message = done
        await self._on_message(message)

    def _harmed(self, message: ParsedMessage) -> ParsedMessage | None:
        """The message as it is handed on, None where it is not."""
        if self._harm == "slow":
            burn(self._slow_ns)
        left_out = (
            self._harm == "mute"
            or (self._harm == "slip" and self._is_slipped(message))
            or (self._harm == "conflate" and self._is_left_to_the_whole(message))
        )
        handed_on = None if left_out else altered(message) if self._harm == "alter" else message
        if self._harm == "slow" or handed_on is not message:
            self._own_up()
        return handed_on

    def _is_slipped(self, message: ParsedMessage) -> bool:
        """Each 50th message is lost or, in turns, handed on half a second late."""
        self._taken += 1
        if self._taken % SLIP_EVERY:
            return False
        if self._taken % (2 * SLIP_EVERY):
            task = asyncio.create_task(self._hand_on_later(message))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
        return True

    async def _hand_on_later(self, message: ParsedMessage) -> None:
        await asyncio.sleep(LATE_S)
        await self._on_message(message)

    def _is_left_to_the_whole(self, message: ParsedMessage) -> bool:
        if not isinstance(message.data, OrderBook) or message.symbol in self._whole:
            return False
        if message.data.is_snapshot:
            self._whole.add(message.symbol)
        return not message.data.is_snapshot

    def _own_up(self) -> None:
        if self._done != self._harm:
            self._done = self._harm
            self._path.with_name(f"{self._path.name}.{self._harm}.{os.getpid()}").touch()

    def _look(self) -> None:
        try:
            word, _, number = self._path.read_text().strip().partition(" ")
        except OSError:
            word, number = "", ""
        self._harm, self._slow_ns = word, int(number or 0)

    def _watch(self) -> None:
        while True:
            self._look()
            if self._harm == "die":
                self._own_up()
                os.kill(os.getpid(), signal.SIGKILL)
            if self._harm == "leak":
                self._own_up()
                # written to, or the kernel would never hand out the pages
                self._leaked.append(b"\x01" * LEAK_BYTES)
            time.sleep(LOOK_S)


def burn(cpu_ns: int) -> None:
    """Use so much CPU of this thread; what it waits for a core does not count."""
    ends = time.thread_time_ns() + cpu_ns
    while time.thread_time_ns() < ends:
        pass


def altered(message: ParsedMessage) -> ParsedMessage:
    """A book ticker with a bid that is one too high; any other message as it is."""
    data = message.data
    if message.message_type is not MessageType.BOOK_TICKER or not isinstance(data, BookTicker):
        return message
    return replace(message, data=replace(data, bid_price=data.bid_price + 1.0))
