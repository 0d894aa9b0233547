"""The consumer process: who serves is the flag's and the kill file's affair, and nothing is lost between."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any, cast

import pytest

from shadow.rehearsal.parts import Parts
from tests.shadow.rehearsal.conftest import application, end, served_by, set_stage, until


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def status(parts: Parts) -> dict[str, object]:
    found: dict[str, object] = json.loads((parts.places.folder / "consumers" / "rehearsal.json").read_bytes())
    return found


def told(parts: Parts) -> list[Any]:
    alarms = status(parts)["alarms"]
    assert isinstance(alarms, list)
    return alarms


def wrong(parts: Parts) -> dict[str, str]:
    return {kind: text for stream in parts.ear.streams.values() for kind, text in stream.counts.first.items()}


@pytest.mark.checklist("R.5")
async def test_a_consumer_follows_the_flag_and_loses_nothing(tmp_path: Path) -> None:
    async with application(tmp_path, "inline") as parts:
        for stage, side in (("canary", "new"), ("shadow", "legacy"), ("live", "new")):
            set_stage(parts, stage)
            await served_by(parts, side)
        await until(parts, lambda: status(parts)["generation"] == 4)
        events = status(parts)["events"]
        assert isinstance(events, int)
        await until(parts, lambda: events < cast(int, status(parts)["events"]))
        assert status(parts)["gaps"] == 0
        units = status(parts)["units"]
        assert units == {unit: {"serving": "new", "other_ready": True} for unit in parts.ear.serving}
        assert await end(parts) == 0
    assert wrong(parts) == {}
    assert {flip["to"] for flip in parts.ear.flips} == {"new", "legacy"}
    assert not any(flip["lost"] or flip["duplicated"] or flip["reordered"] for flip in parts.ear.flips)


@pytest.mark.checklist("R.5")
async def test_the_kill_file_works_with_no_controller_and_a_frozen_new_stack(tmp_path: Path) -> None:
    """On a slow machine the watch over a process without a heartbeat may come first; the next test has none."""
    async with application(tmp_path, "sidecar") as parts:
        set_stage(parts, "live")
        await served_by(parts, "new")
        assert parts.consumer is not None
        frozen = children(parts.consumer.pid)
        assert len(frozen) == 2
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        parts.kill_file.touch()
        await served_by(parts, "legacy")
        assert await end(parts) == 0
        left = [pid for pid in frozen if is_alive(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert left == []
    assert wrong(parts) == {}


async def test_the_kill_file_is_enough_where_nothing_else_sees_that_new_is_silent(tmp_path: Path) -> None:
    async with application(tmp_path, "inline", ["gateio.spot.public"]) as parts:
        set_stage(parts, "live")
        await served_by(parts, "new")
        parts.harm_file.write_text("mute")
        await until(parts, lambda: any(stream.lost() > 20 for stream in parts.ear.streams.values()))
        assert set(parts.ear.serving.values()) == {"new"}
        parts.kill_file.touch()
        await served_by(parts, "legacy")
        assert await end(parts) == 0
    assert wrong(parts) == {}


@pytest.mark.checklist("R.4")
async def test_what_the_consumer_left_by_itself_is_told_so_that_the_flag_can_follow(tmp_path: Path) -> None:
    async with application(tmp_path, "inline", ["gateio.spot.public"]) as parts:
        set_stage(parts, "live")
        await served_by(parts, "new")
        await until(parts, lambda: status(parts)["alarms"] == [])
        parts.harm_file.write_text("mute")
        await until(parts, lambda: bool(status(parts)["alarms"]))
        (alarm,) = told(parts)
        assert (alarm["trigger"], alarm["unit"], alarm["legacy_too"]) == ("functionality", "gateio.spot.*.*", False)
        assert "silent for 1 s while legacy was not" in alarm["says"]
        set_stage(parts, "shadow")
        await served_by(parts, "legacy")
        await until(parts, lambda: status(parts)["alarms"] == [])
        assert await end(parts) == 0
    assert wrong(parts) == {}
