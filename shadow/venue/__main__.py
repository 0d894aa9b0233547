"""`python -m shadow.venue`: the venue process of a session."""

from __future__ import annotations

import asyncio
import selectors
import sys

from shadow.venue.control import serve_commands

__all__ = ["fine_timed_loop"]


def fine_timed_loop() -> asyncio.AbstractEventLoop:
    """An event loop whose timers keep microseconds: epoll would round every wait up to a whole millisecond."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=fine_timed_loop) as runner:
        sys.exit(runner.run(serve_commands()))
