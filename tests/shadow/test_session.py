"""What a session does between its legs, with stand-ins for the legs themselves."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import orjson
import pytest

from shadow.capture.writer import SegmentWriter, segment_files
from shadow.config import SessionConfig
from shadow.leg_run import Listener
from shadow.plan import Leg
from shadow.processes import Processes
from shadow.session import Session

CONNECTION = "gateio.spot.public"
MS = 1_000_000
PATIENCE_S = 20


class Notes(Listener):
    """A listener that keeps what a person would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


class Recorder:
    """Takes marks in the recorder's place."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []

    async def ask(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}

    async def end(self) -> int:
        return 0

    async def send(self, message: dict[str, Any]) -> None:
        if message["cmd"] == "mark":
            self.rows.append(message["row"])


def session_in(folder: Path, monkeypatch: pytest.MonkeyPatch, **words: Any) -> Session:
    """One in stretches, without any process of its own."""
    session = Session(SessionConfig(connections=(CONNECTION,), stretch_s=5.0, **words), folder, Notes())

    async def nothing(*_: Any) -> None:
        """Stands for a process."""

    async def recorder(*_: Any) -> None:
        session._processes._recorder = Recorder()  # type: ignore[assignment]

    monkeypatch.setattr(session._processes, "start_venue", nothing)
    monkeypatch.setattr(session._processes, "start_recorder", recorder)
    monkeypatch.setattr("shadow.session.probe_targets", nothing)
    return session


def write_bursts(folder: Path, leg: Leg) -> None:
    """Raw data of a leg in which each side takes 20 µs for a message of its bursts."""
    begin = perf_counter_ns()
    bursts = [(begin + n * 50 * MS, role) for n in range(3) for role in leg.roles]
    detail = orjson.dumps({"connection": CONNECTION, "type": "mixed", "frames": 100}).decode()
    marks = SegmentWriter(folder, "marks")
    marks.extend([(t, leg.leg, role, "burst", detail) for t, role in bursts])
    marks.close()
    for role in leg.roles:
        events = SegmentWriter(folder, f"events/{role}")
        events.extend(
            [
                (leg.leg, 0, "event", CONNECTION, "trade", "BTC_USDT", t + 2 * MS, t, b"")
                for t, to in bursts
                if to == role
            ]
        )
        events.close()


async def test_service_time_is_measured_before_the_raw_data_of_its_leg_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_in(tmp_path, monkeypatch)
    monkeypatch.setattr(session, "_stretches", None)
    burned: dict[str, Any] = {}

    async def run_leg(leg: Leg) -> None:
        if leg.leg == "aa1":
            write_bursts(tmp_path, leg)
        elif leg.leg == "main":
            for path in (path for role in ("legacy", "legacy2") for path in segment_files(tmp_path, f"events/{role}")):
                path.unlink()
        elif leg.leg == "control":
            burned.update(await session._burns.options(leg))

    monkeypatch.setattr(session, "_run_leg", run_leg)
    await session.run()
    assert burned == {"legacy": {}, "legacy2": {"burn_ns": {CONNECTION: 6000}}}


async def test_a_reducer_that_dies_ends_the_session_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_in(tmp_path, monkeypatch)
    legs: list[str] = []

    async def run_leg(leg: Leg) -> None:
        legs.append(leg.leg)
        assert session._stretches is not None
        assert session._stretches._child is not None
        os.kill(session._stretches._child.process.pid, signal.SIGKILL)
        await asyncio.Event().wait()

    monkeypatch.setattr(session, "_run_leg", run_leg)
    assert await session.run() == "what reduces the session in stretches ended: signal SIGKILL"
    assert legs == ["aa1"]


async def test_a_recorder_that_dies_ends_the_session_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_in(tmp_path, monkeypatch)
    monkeypatch.setattr(session, "_stretches", None)
    monkeypatch.setattr(session._processes, "start_recorder", partial(Processes.start_recorder, session._processes))
    legs: list[str] = []

    async def run_leg(leg: Leg) -> None:
        legs.append(leg.leg)
        os.kill(session._processes.recorder.process.pid, signal.SIGKILL)
        await asyncio.Event().wait()

    monkeypatch.setattr(session, "_run_leg", run_leg)
    assert await session.run() == "the recorder ended before it was told to"
    assert legs == ["aa1"]


async def test_what_a_reducer_said_last_is_why_the_session_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_in(tmp_path, monkeypatch)

    async def run_leg(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(session, "_run_leg", run_leg)
    monkeypatch.setattr(session, "_write_session_json", lambda: None)
    reason = await session.run()
    assert reason is not None
    assert reason.startswith("what reduces the session in stretches ended: FileNotFoundError")
    assert session._listener.told == [reason]  # type: ignore[attr-defined]


async def test_what_comes_next_gets_ready_while_the_recorder_compacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_in(tmp_path, monkeypatch)
    monkeypatch.setattr(session, "_stretches", None)
    asked: list[str] = []

    class Compacting(Recorder):
        async def ask(self, message: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
            asked.append(message["cmd"])
            async with asyncio.timeout(PATIENCE_S):
                await is_told.wait()
            asked.append("finished")
            return {}

    before = os.sched_getaffinity(0)

    def sealing() -> None:
        # What is started now shall not be kept off the subjects' core.
        asked.append("told" if os.sched_getaffinity(0) == before else "told on few cores")
        is_told.set()

    async def recorder(*_: Any) -> None:
        session._processes._recorder = Compacting()  # type: ignore[assignment]

    is_told = asyncio.Event()
    monkeypatch.setattr(session._processes, "start_recorder", recorder)
    monkeypatch.setattr(session._listener, "sealing", sealing)

    async def run_leg(*_: Any) -> None:
        """Nothing is measured."""

    monkeypatch.setattr(session, "_run_leg", run_leg)
    assert await session.run() is None
    assert asked == ["finish", "told", "finished"]
