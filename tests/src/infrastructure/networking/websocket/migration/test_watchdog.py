"""The parent that restarts a stuck application with legacy pinned; the flag keeps saying `live` all the while."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.beat import BEAT_VARIABLE, Beat
from infrastructure.networking.websocket.migration.watchdog import STILL_S, Pulse

WATCHDOG = "infrastructure.networking.websocket.migration.watchdog"
WAIT_S = 30.0

# Both stacks deliver numbered trades; the application tells what it holds and does its mischief at the tenth.
APPLICATION = """
import asyncio, json, os, signal, sys, time
from exchanges.structs import ConnectionState, ExchangeConfig, MessageType, ParsedMessage, Symbol, Trade
from infrastructure.networking.websocket import utils
# The flag is given a second, which on a busy machine importing its provider alone may take.
from infrastructure.networking.websocket.migration import dual_run, file_provider, stacks

BTC = Symbol("BTC", "USDT")
mischief = sys.argv[1]

class Stack:
    handler = None

    def __init__(self, side, on_message, on_state):
        self.side, self.on_message, self.on_state, self.task = side, on_message, on_state, None

    async def initialize(self, symbols, channels=None):
        await self.on_state(ConnectionState.CONNECTED)
        self.task = asyncio.create_task(self.deliver())

    async def deliver(self):
        for number in range(1, 1000000):
            trade = Trade(BTC, 1.0, 1.0, "buy", 5, str(number))
            await self.on_message(ParsedMessage(MessageType.TRADES, BTC, "trade", [trade], 5))
            if mischief == "new spins" and self.side == "new" and number == 10:
                while True:
                    pass
            await asyncio.sleep(0.005)

    def is_connected(self):
        return True

    def get_performance_metrics(self):
        return {}

    async def close(self):
        self.task.cancel()

def build_legacy(config, is_private, on_message, on_state, **options):
    return Stack("legacy", on_message, on_state)

def build_new(config, is_private, on_message, on_state, **options):
    return Stack("new", on_message, on_state)

def say(**fields):
    print(json.dumps(fields | {"t": time.monotonic(), "pid": os.getpid()}), flush=True)

async def main():
    sys.modules["application"] = sys.modules["__main__"]
    stacks.BUILDERS[("legacy", "gateio")] = "application:build_legacy"
    stacks.BUILDERS[("new", "gateio")] = "application:build_new"
    utils.require_mixins = lambda *args: None
    done = asyncio.Event()
    got = []

    async def consume(message):
        got.append(message)
        if len(got) != 10:
            return
        say(holds=type(manager).__name__)
        if type(manager).__name__ == "Stack":
            done.set()
        elif mischief == "consumer spins":
            while True:
                pass
        elif mischief == "is frozen":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif mischief == "crashes":
            os.abort()
        elif mischief == "sleeps":
            time.sleep(3.0)
            say(holds="its tongue no longer")
        elif mischief == "closes and works":
            await asyncio.sleep(0)
            done.set()

    async def on_state(state):
        pass

    config = ExchangeConfig("GATEIO_SPOT", websocket_url="ws://127.0.0.1:1/")
    manager = utils.create_websocket_manager(config, False, consume, on_state, placement="inline")
    await manager.initialize([BTC])
    await done.wait()
    await manager.close()
    if mischief == "closes and works":
        time.sleep(1.3)
    return 7

sys.exit(asyncio.run(main()))
"""


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """The application's file and its environment, whose flag says `live`."""
    (tmp_path / "application.py").write_text(APPLICATION)
    variants = {name: name for name in ("off", "shadow", "canary", "live", "rampdown", "complete")}
    flag = {"state": "ENABLED", "variants": variants, "defaultVariant": "live"}
    (tmp_path / "flags.json").write_text(json.dumps({"flags": {"websocket-stack": flag}}))
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "WS_SHADOW_FLAGS": str(tmp_path / "flags.json"),
        "WS_SHADOW_KILL": str(tmp_path / "websocket.kill"),
    }


async def watched(
    folder: Path, surroundings: dict[str, str], mischief: str, *, sent: int = signal.SIGUSR1, by_shell: bool = False
) -> tuple[list[dict[str, Any]], str, int]:
    """What the application said in both its lives, what the watchdog said, and the exit code."""
    command = [sys.executable, str(folder / "application.py"), mischief]
    if by_shell:
        command = ["sh", "-c", f"{shlex.join(command)}; true"]
    words = ("-m", WATCHDOG, "--", *command)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *words, env=surroundings, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(WAIT_S):
            said = [json.loads(await process.stdout.readline())]
            if mischief == "waits for a signal":
                process.send_signal(sent)
            rest, errors = await asyncio.gather(process.stdout.read(), process.stderr.read())
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return [*said, *(json.loads(line) for line in rest.splitlines())], errors.decode(), code


REASONS = {
    "consumer spins": "the loop has not beaten for 1 s",
    "new spins": "the loop has not beaten for 1 s",
    "is frozen": "the loop has not beaten for 1 s",
    "crashes": "the process was killed by signal 6",
    "waits for a signal": "asked by signal",
}


async def test_a_stuck_application_comes_back_with_legacy_pinned(tmp_path: Path, surroundings: dict[str, str]) -> None:
    ends = await asyncio.gather(*(watched(tmp_path, surroundings, mischief) for mischief in REASONS))
    for (said, errors, code), (mischief, reason) in zip(ends, REASONS.items(), strict=True):
        assert [one["holds"] for one in said] == ["DualRunManager", "Stack"], mischief
        assert said[0]["pid"] != said[1]["pid"]
        assert f"watchdog: {reason}; starting " in errors, mischief
        assert code == 7


@pytest.mark.parametrize("mischief", ["sleeps", "waits for a signal"])
async def test_an_application_behind_a_shell_does_not_go_on_beside_the_pinned_one(
    mischief: str, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    """All that it said is heard until nobody is left who could say more."""
    said, errors, code = await watched(tmp_path, surroundings, mischief, by_shell=True)
    assert [one["holds"] for one in said] == ["DualRunManager", "Stack"]
    assert "starting sh again with legacy pinned" in errors
    assert code == 0


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("by_shell", [False, True])
async def test_a_signal_ends_the_application_with_its_watchdog(
    sent: int, by_shell: bool, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    """That nobody is left shows in the end of what can be heard."""
    said, errors, code = await watched(tmp_path, surroundings, "waits for a signal", sent=sent, by_shell=by_shell)
    assert [one["holds"] for one in said] == ["DualRunManager"]
    assert "watchdog" not in errors
    assert code in (128 + sent, 1)


@pytest.mark.parametrize(("kind", "signs"), [("pipe", b"+."), ("pipe that may wait", b""), ("file", b"")])
async def test_signs_of_life_go_into_a_pipe_alone(
    kind: str, signs: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a number names that an application's child was left with is no concern of the watchdog's."""
    if kind == "file":
        told = os.open(tmp_path / "book", os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
        heard = os.open(tmp_path / "book", os.O_RDONLY)
    else:
        heard, told = os.pipe2(os.O_NONBLOCK)
        os.set_blocking(told, kind != "pipe")
    monkeypatch.setenv(BEAT_VARIABLE, str(told))
    beating = asyncio.create_task(Beat().beat())
    await asyncio.sleep(0)
    found = b""
    with suppress(BlockingIOError):
        found = os.read(heard, 9)
    assert found == signs
    beating.cancel()
    await asyncio.wait({beating})
    os.close(heard)
    os.close(told)


async def test_a_manager_that_was_closed_owes_no_beat(tmp_path: Path, surroundings: dict[str, str]) -> None:
    said, errors, code = await watched(tmp_path, surroundings, "closes and works")
    assert [one["holds"] for one in said] == ["DualRunManager"]
    assert "watchdog" not in errors
    assert code == 7


def test_a_pulse_is_still_when_a_beat_is_owed_for_too_long() -> None:
    pulse = Pulse(0.0)
    assert not pulse.is_still(100.0)
    pulse.note(b"+.", 100.0)
    assert not pulse.is_still(100.0 + STILL_S)
    assert pulse.is_still(100.01 + STILL_S)
    pulse.note(b"..", 102.0)
    assert not pulse.is_still(102.5)
    pulse.note(b"+", 102.0)
    pulse.note(b"-", 103.0)
    assert pulse.is_still(103.1)
    pulse.note(b"-", 103.2)
    assert not pulse.is_still(200.0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "watchdog: no command; give the one that starts the application"),
        (["--", "/no/such/program"], "watchdog: /no/such/program cannot be started: No such file or directory"),
    ],
)
async def test_wrong_usage_is_one_line(surroundings: dict[str, str], words: list[str], says: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", WATCHDOG, *words, env=surroundings, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (2, says + "\n")
