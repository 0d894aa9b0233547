"""Where a rollout keeps its files: beside the flag file, so that one place names all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infrastructure.networking.websocket.migration.file_provider import FLAG_FILE_VARIABLE, flag_file
from infrastructure.networking.websocket.migration.kill_switch import KILL_FILE_VARIABLE
from infrastructure.networking.websocket.migration.provider import PROVIDER_VARIABLE
from shadow.pages import RUNS

__all__ = ["FOLDER_VARIABLE", "Places", "places"]

FOLDER_VARIABLE: Final = "WS_SHADOW_ROLLOUT"


@dataclass(frozen=True)
class Places:
    """The flag file, the rollout's own folder and the folder of sessions and drills."""

    flags: Path
    folder: Path
    runs: Path

    @property
    def journal(self) -> Path:
        """The journal; its head lies beside it."""
        return self.folder / "journal.jsonl"

    @property
    def lease(self) -> Path:
        """The controller's lease."""
        return self.folder / "lease.json"

    @property
    def lock(self) -> Path:
        """Locked by whoever changes journal and flag."""
        return self.folder / "lock"

    def environment(self, kill_file: Path) -> dict[str, str]:
        """The variables that name these files, and the kill file, to another process, which asks no other provider."""
        return {
            FLAG_FILE_VARIABLE: str(self.flags),
            FOLDER_VARIABLE: str(self.folder),
            KILL_FILE_VARIABLE: str(kill_file),
            PROVIDER_VARIABLE: "",
        }


def places() -> Places:
    """From the environment: $WS_SHADOW_FLAGS, and $WS_SHADOW_ROLLOUT, default `rollout` beside the flag file."""
    flags = flag_file()
    return Places(flags, Path(os.environ.get(FOLDER_VARIABLE) or flags.parent / "rollout"), RUNS)
