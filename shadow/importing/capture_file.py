"""The imported capture on its way to the disk: there whole, or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from shadow.errors import UsageError
from shadow.venue.sources.imported import VERSION, BookLine, Ending, FrameLine, Opening

__all__ = ["CaptureFile"]


class CaptureFile:
    """Writes beside `path` and takes its name when sealed; left without `seal`, nothing remains.

    UsageError when the path is taken or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} is there already; give a new name, a capture is never written over")
        self.bytes = 0
        """Written so far."""
        self._path = path
        self._digest = hashlib.sha256()
        with self._told():
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        self._part = Path(name)
        self._file = os.fdopen(handle, "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what a full disk does not take is not to be kept either
            self._file.close()
        self._part.unlink(missing_ok=True)

    def open(self, connection: str) -> None:
        """Write the first line."""
        self.write(Opening(VERSION, connection))

    def write(self, line: Opening | FrameLine | BookLine) -> None:
        """Write one line."""
        data = msgspec.json.encode(line) + b"\n"
        self.bytes += len(data)
        self._digest.update(data)
        with self._told():
            self._file.write(data)

    def seal(self, frames: int, channels: Iterable[str], symbols: Iterable[str]) -> str:
        """Write the last line and take the name; returns the sha256 of all lines above, in hex."""
        sha256 = self._digest.hexdigest()
        with self._told():
            self._file.write(msgspec.json.encode(Ending(frames, tuple(channels), tuple(symbols), sha256)) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self._part.rename(self._path)
        return sha256

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(f"{self._path}: {error.strerror}") from None
