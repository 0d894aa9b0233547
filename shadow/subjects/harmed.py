"""The new stack as a candidate that goes bad while it runs: while a file exists, its word is done to the stack.

The words: `alter` (prices that nobody sent), `mute` (nothing is delivered any more); and for a stack in a process of
its own `die` (the process is gone, as after `kill -9`) and `leak` (it takes 10 MiB a second and keeps them). And
`slip`: one message in 50 is, in turns, not delivered or half a second late.
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

from exchanges.structs.types import BookTicker, MessageType, ParsedMessage

__all__ = ["HARMS", "VARIABLE", "build_gateio", "build_mexc", "take_the_place"]

VARIABLE: Final = "WS_SHADOW_HARM"
HARMS: Final = ("alter", "mute", "die", "leak")
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
        self._leaked: list[bytes] = []
        self._taken = 0
        self._late: set[asyncio.Task[None]] = set()
        threading.Thread(target=self._watch, name="harm", daemon=True).start()

    async def take(self, message: ParsedMessage) -> None:
        """Hand on, or do what the word says."""
        if self._harm == "mute" and message.message_type > 0:
            return
        self._taken += 1
        if self._harm == "slip" and self._taken % SLIP_EVERY == 0 and message.message_type > 0:
            if self._taken % (2 * SLIP_EVERY):
                task = asyncio.create_task(self._hand_on_later(message))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
            return
        if self._harm == "alter":
            message = altered(message)
        await self._on_message(message)

    async def _hand_on_later(self, message: ParsedMessage) -> None:
        await asyncio.sleep(LATE_S)
        await self._on_message(message)

    def _watch(self) -> None:
        while True:
            try:
                self._harm = self._path.read_text().strip()
            except OSError:
                self._harm = ""
            if self._harm == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if self._harm == "leak":
                # written to, or the kernel would never hand out the pages
                self._leaked.append(b"\x01" * LEAK_BYTES)
            time.sleep(LOOK_S)


def altered(message: ParsedMessage) -> ParsedMessage:
    """A book ticker with a bid that is one too high; any other message as it is."""
    data = message.data
    if message.message_type is not MessageType.BOOK_TICKER or not isinstance(data, BookTicker):
        return message
    return replace(message, data=replace(data, bid_price=data.bid_price + 1.0))
