"""Where the ledger's rows go: a pipe to the recorder, segments in a folder, or nowhere. None of them ever blocks."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from shadow.capture.tables import COLUMNS, LEDGER_TABLES

__all__ = ["CAP_BYTES", "FolderSink", "NullSink", "PipeSink", "Row", "Sink"]

Row = tuple[object, ...]
CAP_BYTES: Final = 64 << 20
PIPE_BYTES: Final = 1 << 20
END_S: Final = 5.0
_F_SETPIPE_SZ: Final = 1031
_KIND: Final = COLUMNS["frames"].index("kind")


class Sink(Protocol):
    """A destination of ledger rows."""

    def append(self, table: str, row: Row) -> None:
        """Take one row, in the column order of docs/run-directory.md."""

    def flush(self) -> None:
        """Hand on what is buffered, as far as that works without waiting."""

    def take_drops(self) -> int:
        """How many rows were lost since the last call."""

    def settle(self) -> None:
        """Hand on everything, waiting for a while if need be."""

    def close(self) -> None:
        """Hand on everything and end."""


class NullSink:
    """Keeps nothing: a venue that runs alone without a ledger."""

    def append(self, table: str, row: Row) -> None:
        """Forget the row."""

    def flush(self) -> None:
        """Nothing to do."""

    def take_drops(self) -> int:
        """Nothing is lost that was to be kept."""
        return 0

    def settle(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class PipeSink:
    """Length-prefixed MessagePack rows `[table, *row]` into a pipe that somebody else reads.

    At most CAP_BYTES wait in memory; rows beyond are dropped and counted.
    """

    def __init__(self, fd: int, loop: asyncio.AbstractEventLoop) -> None:
        self._fd = fd
        self._loop = loop
        self._encode = msgspec.msgpack.Encoder().encode
        self._chunks: deque[bytes] = deque()
        self._fresh = bytearray()
        self._waiting = 0
        self._drops = 0
        self._is_watching = False
        self._is_broken = False
        os.set_blocking(fd, False)
        try:
            fcntl.fcntl(fd, _F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            pass  # a socket, or a system with a lower limit: slower, not wrong

    def append(self, table: str, row: Row) -> None:
        """Buffer one row, or count it as dropped."""
        data = self._encode((table, *row))
        if self._is_broken or self._waiting + len(self._fresh) + len(data) > CAP_BYTES:
            self._drops += 1
            return
        self._fresh += len(data).to_bytes(4, "little")
        self._fresh += data

    def flush(self) -> None:
        """Write until the pipe is full; the event loop goes on when it has room again."""
        if self._fresh:
            self._chunks.append(bytes(self._fresh))
            self._waiting += len(self._fresh)
            self._fresh.clear()
        self._write()
        if self._chunks and not self._is_watching:
            self._is_watching = True
            self._loop.add_writer(self._fd, self._write)
        elif not self._chunks and self._is_watching:
            self._unwatch()

    def take_drops(self) -> int:
        """Rows lost since the last call; told only when there is room again to write it down."""
        if self._waiting + len(self._fresh) > CAP_BYTES - PIPE_BYTES:
            return 0
        drops, self._drops = self._drops, 0
        return drops

    def settle(self) -> None:
        """Write the rest, waiting at most END_S for the reader."""
        self.flush()
        deadline = time.monotonic() + END_S
        while self._chunks and time.monotonic() < deadline:
            time.sleep(0.001)
            self._write()

    def close(self) -> None:
        """Settle and close the pipe."""
        self.settle()
        self._unwatch()
        os.close(self._fd)

    def _write(self) -> None:
        while self._chunks:
            chunk = self._chunks[0]
            try:
                written = os.write(self._fd, chunk)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # The reader is gone; its absence is noticed by the orchestrator, the venue goes on.
                self._is_broken = True
                self._chunks.clear()
                self._waiting = 0
                break
            self._waiting -= written
            if written < len(chunk):
                self._chunks[0] = chunk[written:]
                return
            self._chunks.popleft()
        self._unwatch()

    def _unwatch(self) -> None:
        if self._is_watching:
            self._is_watching = False
            self._loop.remove_writer(self._fd)


class FolderSink:
    """Arrow segments in a folder, for a venue that runs alone; redacted as the recorder does.

    Only what the feed pushed is kept as it is; answers, of REST and of logins, may name a key.
    """

    def __init__(self, folder: str, secrets: Iterable[str] = ()) -> None:
        from shadow.capture.redact import Redactor
        from shadow.capture.writer import SegmentWriter

        self._redact = Redactor(secrets).redact
        self._writers = {table: SegmentWriter(folder, table) for table in LEDGER_TABLES}

    def append(self, table: str, row: Row) -> None:
        """Give the row to its table's writer."""
        if table == "requests" or (table == "frames" and row[_KIND] != "ws"):
            place = COLUMNS[table].index("payload")
            payload = row[place]
            assert isinstance(payload, bytes)
            row = (*row[:place], self._redact(payload), *row[place + 1 :])
        self._writers[table].append(row)

    def flush(self) -> None:
        """Let the writers flush what is due."""
        for writer in self._writers.values():
            writer.tick()

    def take_drops(self) -> int:
        """Rows that did not fit their table since the last call."""
        drops = sum(writer.drops for writer in self._writers.values())
        for writer in self._writers.values():
            writer.drops = 0
        return drops

    def settle(self) -> None:
        """Hand all rows to the kernel."""
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """End the segments."""
        for writer in self._writers.values():
            writer.close()
