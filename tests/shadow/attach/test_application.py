"""A real application on a loopback venue, a judge at its tap: what is found, and what the application notices of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from infrastructure.networking.websocket.migration.tap import MOST_NOTES
from infrastructure.networking.websocket.migration.tap_socket import MOST_READERS, READER_BYTES
from shadow.attach.run import BEATLESS_S
from shadow.attach.speed import CALIBRATION
from shadow.attach.watch import FRESH_NS, QUIET_NS
from shadow.diff.dual import WINDOW_NS
from shadow.rehearsal.parts import Parts
from shadow.rollout.consumers import TriggerId
from shadow.venue.credentials import listen_key_stem
from tests.shadow.attach.conftest import S
from tests.shadow.rehearsal.conftest import end, set_stage, until

WITHIN_S = 30.0
RATE = 400.0
CONNECTIONS = ("gateio.spot.public", "mexc.spot.private")
PAGE = (Path(__file__).parents[3] / "docs" / "tap.md").read_text()
PLAIN, DOCUMENTED = (shlex.split(line)[1:] for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE))
"""The two commands of the page; the second one is run here."""
LONGEST_PAUSE_NS = 5 * S
"""A write that waited for a reader would not end at all; a machine that others use takes its time."""


class Judge:
    """`shadow judge --attach` as a process, and the looks that it printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.looks: list[dict[str, Any]] = []

    async def until(self, holds: Callable[[], bool]) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                line = await self.process.stdout.readline()
                assert line, "the judge has ended"
                self.looks.append(json.loads(line))

    def found(self) -> set[tuple[str, str]]:
        return {(one["code"], one["side"]) for look in self.looks for one in look.get("differences", [])}

    @property
    def last(self) -> dict[str, Any]:
        return self.looks[-1]


@asynccontextmanager
async def judged(parts: Parts, tap: Path) -> AsyncIterator[Judge]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shadow.cli", *DOCUMENTED),
        cwd=tap.parents[1],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | parts.variables,
        limit=1 << 22,
    )
    try:
        yield Judge(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def application(folder: Path) -> AsyncIterator[tuple[Parts, Path]]:
    """In stage shadow, both stacks subscribed, frames on their way, a tap open."""
    tap = folder / "taps" / "desk"
    async with Parts(folder, folder / "runs", CONNECTIONS, ["BTC_USDT"]) as parts:
        await parts.start_venue(RATE, 1)
        set_stage(parts, "shadow")
        await parts.start_consumer("inline", tap=str(tap))
        await until(parts, lambda: parts.is_subscribed)
        parts.feed(RATE)
        await until(parts, lambda: {connection for connection, _, _ in parts.ear.streams} == set(CONNECTIONS))
        yield parts, tap


def attached(tap: Path) -> socket.socket:
    reader = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    reader.connect(str(tap))
    reader.setblocking(False)
    return reader


@contextmanager
def listening(tap: Path) -> Iterator[bytearray]:
    """All that comes out of the tap."""
    heard = bytearray()
    with attached(tap) as listener:
        loop = asyncio.get_running_loop()
        loop.add_reader(listener, lambda: heard.extend(listener.recv(1 << 20)))
        try:
            yield heard
        finally:
            loop.remove_reader(listener)


def beats(parts: Parts) -> list[int]:
    """When the consumer's loop beat, as it goes on."""
    told: list[int] = []
    line = parts.ear.line

    def note(text: bytes) -> None:
        line(text)
        if not told or parts.ear.heard_ns > told[-1]:
            told.append(parts.ear.heard_ns)

    parts.ear.line = note  # type: ignore[method-assign]  # the test listens as well
    return told


async def test_a_judge_at_the_tap_finds_what_new_does_and_the_application_notices_nothing(tmp_path: Path) -> None:
    """One message in fifty is late or lost. One reader is killed, another one reads nothing at all."""
    async with application(tmp_path) as (parts, tap):
        told = beats(parts)
        with attached(tap), listening(tap) as heard:
            async with judged(parts, tap) as judge:
                await judge.until(lambda: bool(judge.looks) and judge.last["events"]["new"].get("MATCH", 0) > RATE)
                assert judge.found() == set()
                assert judge.last["verdict"] == "HOLD"
                parts.harm_file.write_text("slip")
                await judge.until(lambda: {("REORDER", "new"), ("MISSING", "new")} <= judge.found())
                assert not any(side == "legacy" for _, side in judge.found())
                assert {one["trigger"] for one in judge.last["alarms"]} == {"functionality"}
                status = json.loads((parts.places.folder / "judges" / "desk.json").read_bytes())
                assert (status["verdict"], status["alarms"][0]["trigger"]) == ("REGRESSION", "functionality")
                judge.process.kill()
            parts.harm_file.unlink()
            since = len(told)
            await until(parts, lambda: len(told) > since + 5)
            assert await end(parts) == 0
    assert not any(stream.counts.wrong or stream.lost() for stream in parts.ear.streams.values())
    assert max(later - earlier for earlier, later in pairwise(told)) < LONGEST_PAUSE_NS
    secrets = [value for held in parts._credentials.values() for value in held.values() if len(value) > 10]
    secrets += [listen_key_stem(held["secret"]) for held in parts._credentials.values()]
    assert len(secrets) > 4
    assert b'"type":"fill"' in heard
    assert [text for text in secrets if text.encode() in heard] == []


def test_the_page_says_what_is_true() -> None:
    assert DOCUMENTED[: len(PLAIN)] == PLAIN == ["judge", "--attach", "taps/desk"]
    kinds = {
        name.strip() for row in re.findall(r"^\| ([a-z, ]+) \| .*\|$", PAGE, re.MULTILINE) for name in row.split(",")
    }
    assert {"tap", "event", "state", "error", "beat", "dropped", "bye"} | set(get_args(TriggerId)) <= kinds
    assert (READER_BYTES, MOST_READERS, MOST_NOTES) == (4 << 20, 4, 16_384)
    assert (WINDOW_NS, QUIET_NS, FRESH_NS, BEATLESS_S, CALIBRATION) == (2 * S, 5 * S, 10 * S, 3.0, 40)
