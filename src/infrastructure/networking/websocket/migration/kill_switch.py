"""The kill file: while it exists, legacy serves, whatever the flag says."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["KILL_FILE_VARIABLE", "is_killed", "kill_file"]

KILL_FILE_VARIABLE = "WS_SHADOW_KILL"


def kill_file() -> Path:
    """Where the kill file lies: $WS_SHADOW_KILL, default `websocket.kill` in the working directory."""
    return Path(os.environ.get(KILL_FILE_VARIABLE) or "websocket.kill")


def is_killed() -> bool:
    """Whether the kill file exists. A file that cannot be looked at counts as present: legacy is the safe side."""
    try:
        return kill_file().exists()
    except OSError:
        return True
