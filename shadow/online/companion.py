"""The session's side of the online judge: starts it beside a session, hears it, ends it. It can fail, never harm."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shadow.children import Child, ChildDied, Message

__all__ = ["FROM_S", "Companion"]

FROM_S: Final = 20.0
"""A shorter session is over before its first tests speak; it has an online judge only where it may stop early."""


class Companion:
    """One online judge. `on_look` gets each status, `on_stop` the reason when a regression is certain."""

    def __init__(
        self, folder: Path, planned_s: float, on_look: Callable[[Message], None], on_stop: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._planned_s = planned_s
        self._on_look = on_look
        self._on_stop = on_stop
        self._child: Child | None = None

    async def start(self) -> None:
        """Start the process; a session goes on without one that cannot be started."""
        with contextlib.suppress(ChildDied, OSError):
            self._child = await Child.start(
                "online judge",
                "shadow.online",
                log=self._folder / "online.log",
                first={"dir": str(self._folder), "planned_s": self._planned_s},
                on_message=self._hear,
            )

    async def end(self) -> None:
        """End it, whatever it is doing: what it could still say comes too late."""
        if self._child is not None:
            child, self._child = self._child, None
            await child.end(timeout_s=0.5)

    def _hear(self, message: Message) -> None:
        if message.get("k") == "look":
            self._on_look(message["status"])
        elif message.get("k") == "stop":
            self._on_stop(str(message["reason"]))
