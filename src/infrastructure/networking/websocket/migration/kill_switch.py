"""The kill file: while it exists, legacy serves, whatever the flag says. A watchdog pins legacy in the same way."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["KILL_FILE_VARIABLE", "LEGACY", "PIN_VARIABLE", "is_killed", "kill_file"]

KILL_FILE_VARIABLE = "WS_SHADOW_KILL"
PIN_VARIABLE = "WS_SHADOW_PIN"
LEGACY = "legacy"


def kill_file() -> Path:
    """Where the kill file lies: $WS_SHADOW_KILL, default `websocket.kill` in the working directory."""
    return Path(os.environ.get(KILL_FILE_VARIABLE) or "websocket.kill")


def is_killed() -> bool:
    """Whether the kill file exists, or $WS_SHADOW_PIN says `legacy`.

    A file that cannot be looked at counts as present: legacy is the safe side.
    """
    if os.environ.get(PIN_VARIABLE) == LEGACY:
        return True
    try:
        return kill_file().exists()
    except OSError:
        return True
