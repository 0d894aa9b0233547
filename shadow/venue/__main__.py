"""`python -m shadow.venue`: the venue process of a session."""

from __future__ import annotations

import asyncio
import sys

from shadow.venue.control import serve_commands
from shadow.venue.loop import fine_timed_loop

if __name__ == "__main__":
    with asyncio.Runner(loop_factory=fine_timed_loop) as runner:
        sys.exit(runner.run(serve_commands()))
