"""The sign of life of an application's loop, for the watchdog that may stand above its process."""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import suppress

__all__ = ["BEATS", "BEAT_VARIABLE", "BEGINS", "ENDS", "Beat"]

BEAT_VARIABLE = "WS_SHADOW_BEAT"
BEAT_S = 0.1
BEGINS, BEATS, ENDS = b"+", b".", b"-"


class Beat:
    """Writes a byte every 100 ms from the running loop; does nothing where no watchdog asks for it.

    The variable also comes to processes that did not get the watchdog's pipe; what else has its number is left alone.
    """

    def __init__(self) -> None:
        told = os.environ.get(BEAT_VARIABLE, "")
        self._descriptor = int(told) if told.isdecimal() and _is_watchdogs(int(told)) else None

    async def beat(self) -> None:
        """Until cancelled."""
        self._write(BEGINS)
        try:
            while self._descriptor is not None:
                self._write(BEATS)
                await asyncio.sleep(BEAT_S)
        finally:
            self._write(ENDS)

    def _write(self, sign: bytes) -> None:
        # A watchdog that is gone, or asleep behind a full pipe, is no concern of the application.
        if self._descriptor is not None:
            with suppress(OSError):
                os.write(self._descriptor, sign)


def _is_watchdogs(descriptor: int) -> bool:
    """Whether it is a pipe into which a write never waits."""
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode) and not os.get_blocking(descriptor)
    except (OSError, OverflowError):
        return False
