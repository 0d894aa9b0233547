"""How much of the disk a run may take, and when its raw tables have come so far that they must end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from shadow.errors import UsageError

__all__ = ["LEAST_BYTES", "bytes_of", "is_full", "room_for", "spelt"]

LEAST_BYTES: Final = 2_000_000
SHARE_OF_FREE: Final = 0.5
SLACK: Final = 8
"""One part in so many of the limit is kept for what still arrives while a full session ends."""
_UNITS: Final = {"KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4}


def bytes_of(text: str) -> int:
    """Read `500MB` or `2.5GB`; UsageError otherwise, and for less than a session can use."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(KB|MB|GB|TB)", text.strip())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < LEAST_BYTES:
        least = spelt(LEAST_BYTES)
        raise UsageError(f"--max-disk {text!r} must be a size from {least} on; write for example 500MB or 20GB")
    return size


def room_for(folder: Path, asked: int | None) -> int:
    """Bytes that a run's raw tables may take: what was asked for, else half of what is free there."""
    return asked if asked is not None else int(shutil.disk_usage(folder).free * SHARE_OF_FREE)


def is_full(tables: Iterable[int], limit: int) -> bool:
    """Whether tables of so many bytes must end now: while the largest one is compacted, it is there twice."""
    sizes = list(tables)
    return sum(sizes) + max(sizes, default=0) >= limit - limit // SLACK


def spelt(size: int) -> str:
    """A size as a person writes it."""
    unit = next((name for name in ("TB", "GB", "MB") if size >= _UNITS[name]), "KB")
    return f"{size / _UNITS[unit]:.3g}{unit}"
