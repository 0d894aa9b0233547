"""Where recordings lie: one recorder at a time, a limit on the disk, the oldest file first away."""

from __future__ import annotations

import fcntl
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from shadow.errors import UsageError

__all__ = ["RESERVE_BYTES", "RecordingFolder", "size_of"]

SUFFIX: Final = ".capture"
LOCK: Final = ".recording"
RESERVE_BYTES: Final = 16 << 20
"""So much of the disk is left to others, and to what it takes to end a file."""
_UNITS: Final = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def size_of(text: str, option: str) -> int:
    """Bytes of `500MB` or `20GB`; UsageError otherwise."""
    digits = text.strip().upper()
    unit = next((one for one in ("KB", "MB", "GB", "TB") if digits.endswith(one)), "")
    number = digits.removesuffix(unit).strip()
    if not number.isascii() or not number.isdigit() or not int(number):
        raise UsageError(f"{option} {text!r} is no size; write for example 500MB or 20GB")
    return int(number) * _UNITS[unit]


class RecordingFolder:
    """Makes the folder, locks it, and clears away what a killed recorder left half written."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.removed = 0
        self._is_new = not path.exists()
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(path / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; give a folder that can be written") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise UsageError(f"{path}: another `shadow record` writes there; give another folder") from None
        for part in self._parts():
            part.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others in."""
        (self.path / LOCK).unlink(missing_ok=True)
        os.close(self._lock)
        if self._is_new and not any(self.path.iterdir()):
            self.path.rmdir()

    def new_path(self, connection: str) -> Path:
        """A name that sorts by time."""
        stem = f"{connection}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        path, number = self.path / f"{stem}{SUFFIX}", 1
        while path.exists():
            path, number = self.path / f"{stem}.{number}{SUFFIX}", number + 1
        return path

    def complete(self) -> list[Path]:
        """All whole files, the oldest first."""
        return sorted(self.path.glob(f"[!.]*{SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name))

    def make_room(self, growing_bytes: int) -> None:
        """Remove the oldest whole files until the others and what is under way, however it grows, keep the limit."""
        whole = {path: path.stat().st_size for path in self.complete()}
        held = sum(whole.values())
        for path, size in whole.items():
            if held <= self.max_bytes - growing_bytes:
                break
            path.unlink()
            held -= size
            self.removed += 1

    def is_disk_full(self) -> bool:
        """Whether the disk has no more than the reserve."""
        return shutil.disk_usage(self.path).free < RESERVE_BYTES

    def _parts(self) -> list[Path]:
        return list(self.path.glob(f".*{SUFFIX}.*"))
