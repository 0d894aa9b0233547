"""Recorded frames of the exchange, replayed again and again to legacy and to legacy: no difference, not once."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from shadow.capture.reader import RunData
from shadow.config import SessionConfig, own_subject
from shadow.diff.leg import diff_leg
from shadow.many_sessions import Quiet
from shadow.placement import Placement
from shadow.session import Session

AT_ONCE = 2
REPLAYS = 300
PART = 50


async def replay(capture: Path, seed: int, folder: Path, room: asyncio.Semaphore) -> None:
    """Play the capture to both sides without pauses and judge what they said; the seed draws who is sent a frame
    first."""
    config = SessionConfig(feed=f"capture:{capture}", unpaced=True, seed=seed, new=own_subject("legacy"), out=folder)
    config.validate()
    async with room:
        run = Session(config, config.out_dir(), Quiet(str(seed), print), Placement(frozenset(os.sched_getaffinity(0))))
        run.write_manifest(await run.run())
        diff = await asyncio.to_thread(diff_leg, RunData(folder), "main", ("legacy", "new"))
    assert diff.differences == [], seed
    assert [diff.totals[role]["codes"] for role in diff.roles] == 2 * [{"MATCH": 203}], seed
    assert diff.conserved
    shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", range(0, REPLAYS, PART))
def test_fifty_replays_of_legacy_against_itself_show_no_difference(first: int, captures: Path, tmp_path: Path) -> None:
    async def play() -> None:
        room = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for seed in range(first, first + PART):
                group.create_task(replay(captures, seed, tmp_path / str(seed), room))

    captures = captures / "gateio-spot-2021.session"
    asyncio.run(play())
