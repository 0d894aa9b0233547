"""The session's side of the process that reduces it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shadow.children import Child, Message

__all__ = ["Stretches"]

HOLD_S: Final = 120.0
FINISH_S: Final = 600.0


class Stretches:
    """Starts the process beside a session and hears it. `on_look` gets the bytes deleted by table, and what differs.

    Unlike the online judge it must not fail: what was deleted is known by its figures alone. `on_end` is told why, as
    soon as it ends before it was told to.
    """

    def __init__(
        self,
        folder: Path,
        stretch_s: float,
        keep_bytes: int,
        keep_one_in: int,
        on_look: Callable[[Message], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._first = {
            "dir": str(folder), "stretch_s": stretch_s, "keep_bytes": keep_bytes, "keep_one_in": keep_one_in
        }  # fmt: skip
        self._log = folder / "stretches.log"
        self._on_look = on_look
        self._on_end = on_end
        self._child: Child | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process."""
        self._child = await Child.start(
            "reducer",
            "shadow.stretches",
            log=self._log,
            first=self._first,
            on_message=self._hear,
        )
        self._watcher = asyncio.ensure_future(self._watch(self._child))

    async def hold(self) -> None:
        """Wait until it touches the tables no more. ChildDied or TimeoutError when it cannot say so."""
        if self._child is not None:
            await self._child.ask({"cmd": "hold"}, lambda m: m["k"] == "held", HOLD_S)

    async def finish(self) -> None:
        """Let it judge what is left of the finished tables, and end it. ChildDied or TimeoutError when it cannot."""
        if self._child is None:
            return
        child, self._child = self._child, None
        try:
            await child.ask({"cmd": "finish"}, lambda m: m["k"] == "finished", FINISH_S)
        finally:
            await child.end()

    async def _watch(self, child: Child) -> None:
        code = await child.process.wait()
        if self._child is child:
            self._on_end(self._last_words(code))

    def _last_words(self, code: int) -> str:
        """The last line of its log, without which only how it ended is known."""
        said = self._log.read_text(errors="replace").split("\n")
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return next((line.strip() for line in reversed(said) if line.strip()), ended)

    def _hear(self, message: Message) -> None:
        if message.get("k") == "look":
            self._on_look(message)
