"""The venue's event loop."""

from __future__ import annotations

import asyncio
import selectors

__all__ = ["fine_timed_loop"]


def fine_timed_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose timers keep microseconds: epoll would round every wait up to a whole millisecond."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
