"""The drills of the stages in which new serves: each stage a rollout of its own, two at a time."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shadow.drill.cells import Cell, is_passed
from shadow.drill.page import head_of
from shadow.drill.scene import Scene
from shadow.drill.served import StageDrill
from shadow.drill.served_plan import Served, served_drills
from shadow.errors import ShadowError, UsageError
from shadow.many_sessions import Tell

__all__ = ["Found", "run_stages"]

Found = tuple[list[Cell], dict[str, Any]]


def run_stages(
    stages: Sequence[str],
    connections: Sequence[str],
    seed: int,
    runs: Path,
    tell: Tell,
    drills: Sequence[Served] | None = None,
) -> list[Found]:
    """Lines and head of each stage's drill; those of the whole plan unless given.

    Folders of a stage in which something is not ok are kept. UsageError where they cannot be made, ShadowError when
    stopped or when a part fails to do its work.
    """
    folder = runs / f"drill-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}-stages"
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; call it from a folder that can be written") from None
    planned = served_drills(connections) if drills is None else drills

    async def main() -> list[Found]:
        task = asyncio.ensure_future(_all([_one(stage, connections, seed, folder, planned, tell) for stage in stages]))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    try:
        found = asyncio.run(main())
    except asyncio.CancelledError:
        raise ShadowError("stopped by a signal; nothing was judged") from None
    except OSError as error:
        raise ShadowError(f"the rollouts could not go on: {error}") from error
    if not any(folder.iterdir()):
        folder.rmdir()
    return found


async def _all(parts: Sequence[Any]) -> list[Found]:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


async def _one(
    stage: str, connections: Sequence[str], seed: int, parent: Path, drills: Sequence[Served], tell: Tell
) -> Found:
    from importlib.metadata import version

    from shadow.config import machine

    began, folder = time.monotonic(), (parent / stage).absolute()
    folder.mkdir(mode=0o700)
    async with Scene(folder, parent.parent, connections) as scene:
        await scene.open(seed)
        cells = await StageDrill(stage, scene, tell).play(drills)
    if is_passed(cells):
        shutil.rmtree(folder)
    took_s = time.monotonic() - began
    return cells, head_of(version("ws-shadow"), machine(), seed, connections, took_s, datetime.now(UTC), stage)
