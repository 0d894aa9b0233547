"""A tap, and who reads at it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from infrastructure.networking.websocket.migration.tap import Tap

from .taps import Attach, Judge


@pytest.fixture
async def tap(tmp_path: Path) -> AsyncIterator[Tap]:
    one = Tap(tmp_path / "taps" / "desk")
    one.open()
    yield one
    await one.close()


@pytest.fixture
async def attach() -> AsyncIterator[Attach]:
    """Gives a judge that has been greeted."""
    judges: list[Judge] = []

    async def attached(tap: Tap) -> Judge:
        judge = Judge(*await asyncio.open_unix_connection(tap.socket.path, limit=1 << 24))
        judges.append(judge)
        greeting = await judge.line()
        assert (greeting["k"], greeting["tap"], greeting["pid"]) == ("tap", 1, os.getpid())
        return judge

    yield attached
    for judge in judges:
        judge.writer.close()
        await judge.writer.wait_closed()
