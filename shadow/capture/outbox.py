"""Lines to a pipe whose reader may be slow: never blocks, keeps the order."""

from __future__ import annotations

import os
import select
from collections import deque

__all__ = ["Outbox"]


class Outbox:
    """Queues lines for a file descriptor and writes as much as it takes."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: deque[bytes] = deque()
        os.set_blocking(fd, False)

    def put(self, line: bytes) -> None:
        """Queue a line, given without its newline, and write at once if the pipe takes it."""
        self._queue.append(line + b"\n")
        self.flush()

    def flush(self, wait: bool = False) -> bool:
        """Write what the pipe takes, all of it with `wait`; False once the reader is gone."""
        while self._queue:
            try:
                written = os.write(self._fd, self._queue[0])
            except BlockingIOError:
                if not wait:
                    return True
                select.select([], [self._fd], [])
                continue
            except BrokenPipeError:
                return False
            line = self._queue.popleft()
            if written < len(line):
                self._queue.appendleft(line[written:])
        return True
