"""Lines of a team's log, made of the venue's own frames."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Write = Callable[[Sequence[dict[str, Any] | bytes]], Path]


@pytest.fixture
def write_log(tmp_path: Path) -> Write:
    """Writes lines, objects as JSON, to a log in a folder of its own; returns its path."""

    def write(lines: Sequence[dict[str, Any] | bytes]) -> Path:
        path = tmp_path / "log.jsonl"
        encoded = (json.dumps(one).encode() if isinstance(one, dict) else one for one in lines)
        path.write_bytes(b"".join(line + b"\n" for line in encoded))
        return path

    return write


@pytest.fixture
def logged(good_frames: Callable[[str], list[bytes]]) -> Callable[[str], list[dict[str, Any]]]:
    """Twelve received frames of a connection, three of each type, 10 ms apart."""

    def lines(connection: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for place, payload in enumerate(good_frames(connection)):
            is_binary = connection.startswith("mexc")
            body = {"base64": base64.b64encode(payload).decode()} if is_binary else {"text": payload.decode()}
            found.append({"connection": connection, "t_ms": 1000 + 10 * place, **body})
        return found

    return lines
