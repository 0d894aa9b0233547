"""What a scene of frames and lines is made into before it is judged."""

from __future__ import annotations

from typing import Any, Self

import orjson

from shadow.diff.frames import Frames, FrameStore

__all__ = ["Written"]


class Written:
    """Frames as rows, what the reference read of them, and each side's lines with `read`, when they were read."""

    frames: list[dict[str, Any]]
    read: Frames
    lines: dict[str, list[dict[str, Any]]]

    def read_ahead(self) -> Self:
        """Let the reference read the frames; those of them that a copy still has when it is judged need no reading."""
        self.read = FrameStore(self.frames).frames
        for frame in self.read.values():
            frame.forms()
        return self

    def written(self) -> dict[str, list[tuple[int, bytes]]]:
        """Each side's lines as it wrote them, with when they were read."""
        return {
            role: [(row["read"], orjson.dumps({k: v for k, v in row.items() if k != "read"})) for row in rows]
            for role, rows in self.lines.items()
        }
