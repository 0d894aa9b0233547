"""The Unix socket of a tap, and its readers: each gets what it takes, and is told how much it did not take.

Nothing here waits. A reader that is slower than the events fills its own bounded buffer; what comes then is dropped for
it alone, counted, and told in the place where it would have been.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns

import orjson

from exchanges.structs.errors import ConfigurationError

__all__ = ["READER_BYTES", "TapSocket"]

READER_BYTES = 4 << 20
"""What may wait for one reader beyond what the kernel holds."""
MOST_READERS = 4
PAUSE_S = 1.0
"""For how long nobody is let in when the process has no room for one more."""
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Reader:
    """One that is attached, with what it has not taken yet."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.dropped = 0
        self._buffer = bytearray()

    def offer(self, lines: bytes, count: int) -> bool:
        """Take in so many lines, or count them; False when the reader is gone."""
        if len(self._buffer) + len(lines) > READER_BYTES:
            self.dropped += count
        else:
            if self.dropped:
                told = {"k": "dropped", "t": perf_counter_ns(), "count": self.dropped}
                self._buffer += orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)
                self.dropped = 0
            self._buffer += lines
        return self._flush()

    def _flush(self) -> bool:
        try:
            while self._buffer:
                del self._buffer[: self.connection.send(self._buffer)]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


class TapSocket:
    """Listens at `path`; `greeting` gives the first line of each reader."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.greeting = b""
        self.readers: list[Reader] = []
        self._listening: socket.socket | None = None
        self._again: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Listen on the running loop. ConfigurationError where the place cannot be a tap's."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.setblocking(False)
        try:
            _bind(listening, self.path)
            listening.listen(MOST_READERS)
        except BaseException:
            listening.close()
            raise
        self._listening = listening
        self._listen(listening)

    def send(self, lines: bytes, count: int) -> None:
        """Hand so many lines to every reader, as far as it takes them."""
        for reader in tuple(self.readers):
            if not reader.offer(lines, count):
                self._let_go(reader)

    def close(self) -> None:
        """End every connection and take the socket away."""
        for reader in tuple(self.readers):
            self._let_go(reader)
        if self._again is not None:
            self._again.cancel()
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None
            self.path.unlink(missing_ok=True)

    def _listen(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _pause(self, listening: socket.socket) -> None:
        """Whoever waits goes on waiting, and would wake the loop at every turn."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        self._again = loop.call_later(PAUSE_S, self._listen, listening)

    def _accept(self, listening: socket.socket) -> None:
        try:
            connection, _ = listening.accept()
        except OSError as error:
            if error.errno in NO_ROOM:
                self._pause(listening)
            return
        with suppress(OSError):
            connection.setblocking(False)
            if len(self.readers) >= MOST_READERS or _user_of(connection) not in (0, os.geteuid()):
                connection.close()
                return
            reader = Reader(connection)
            self.readers.append(reader)
            # A reader has nothing to say: a word is its end.
            asyncio.get_running_loop().add_reader(connection, self._let_go, reader)
            if not reader.offer(self.greeting, 1):
                self._let_go(reader)

    def _let_go(self, reader: Reader) -> None:
        if reader in self.readers:
            self.readers.remove(reader)
            asyncio.get_running_loop().remove_reader(reader.connection)
            reader.connection.close()


def _user_of(connection: socket.socket) -> int:
    """Who is at the other end."""
    size = struct.calcsize("3i")
    user: int = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1]
    return user


def _bind(listening: socket.socket, path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = path.parent.stat()
        if held.st_uid != os.geteuid() or held.st_mode & 0o077:
            raise ConfigurationError(f"{path.parent} must be its owner's alone to hold a tap; chmod 700 {path.parent}")
        if path.is_socket() and not _is_answered(path):
            path.unlink()
        listening.bind(str(path))
        path.chmod(0o600)
    except OSError as error:
        # A path of more than 107 bytes is an OSError without a number.
        raise ConfigurationError(f"no tap at {path}: {error.strerror or error}; give another place") from error


def _is_answered(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        return True
