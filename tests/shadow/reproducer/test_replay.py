"""Frames to a real process over a real socket: a good stack has no difference, a spoilt one has its own."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadow.config import own_subject
from shadow.connections import SCOPES, channels_of
from shadow.diff.frames import FrameStore
from shadow.errors import UsageError
from shadow.reproducer import replay as replay_module
from shadow.reproducer.case import Case, Fault, Fed
from shadow.reproducer.replay import COMMAND, differences, replay

GATEIO = "gateio.spot.public"
SESSIONS = Path(__file__).parents[1] / "sessions"


@pytest.fixture
def case_of(good_frames: Callable[[str], list[bytes]]) -> Callable[..., Case]:
    """A case of a connection's frames of all types, to a command."""

    def make(connection: str = GATEIO, command: str = "") -> Case:
        is_text = not connection.startswith("mexc")
        decode = FrameStore({}).decode
        payloads = good_frames(connection)
        return Case(
            fault=Fault("MISSING", connection, "trade", "", ""),
            command=command,
            options={},
            symbols=("BTC_USDT",),
            channels=channels_of(connection, SCOPES["public"] + SCOPES["private"]),
            held={},
            frames=[Fed(0, "", "", payload, is_text) for payload in payloads],
            expected=[decode(connection, payload, is_text)[0] for payload in payloads],
        )

    return make


@pytest.mark.parametrize(
    "connection",
    [GATEIO, "gateio.futures.public", "mexc.spot.public", "gateio.spot.private", "gateio.futures.private",
     "mexc.spot.private"],
)  # fmt: skip
def test_a_good_stack_delivers_what_was_sent(connection: str, case_of: Callable[..., Case]) -> None:
    case = case_of(connection)
    heard = replay(case)
    assert all(heard.numbers)
    assert b"".join(line for _, line in heard.lines).count(b'"k":"event"') >= len(case.frames)
    assert differences(case, heard) == []


def test_what_is_expected_is_what_the_case_says(case_of: Callable[..., Case]) -> None:
    """An expected price that no frame holds is missed, though the stack is good."""
    case = case_of()
    trade: Any = next(events[0] for events in case.expected if events[0].type == "trade")
    trade.price = "123456.5"
    (said,) = differences(case, replay(case, quiet_s=0.5))
    assert said.startswith("FIELD trade BTC_USDT price:value: expected")
    assert "123456.5" in said


def test_a_faulty_stack_is_found_out(case_of: Callable[..., Case]) -> None:
    command = shlex.join([sys.executable, str(SESSIONS / "faulty_stack.py"), "callbacks_under_another_name"])
    case = case_of(command=command)
    found = differences(case, replay(case, quiet_s=0.5))
    assert found
    assert {said.partition(" BTC_USDT")[0] for said in found} == {"MISSING trade"}


def test_a_command_of_the_environment_stands_for_the_cases_own(
    case_of: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(COMMAND, own_subject("new"))
    case = case_of(command="no-such-program")
    assert differences(case, replay(case)) == []


def test_a_command_that_cannot_be_started_is_a_mistake(case_of: Callable[..., Case]) -> None:
    with pytest.raises(UsageError, match="no-such-program"):
        replay(case_of(command="no-such-program"))


CHATTY = """
import sys, threading, time
from shadow.subjects import stack
def chat():
    while True:
        sys.stdout.write("still here\\n")
        sys.stdout.flush()
        time.sleep(0.01)
threading.Thread(target=chat, daemon=True).start()
sys.exit(stack.main("new"))
"""


def test_a_stack_that_never_falls_silent_is_stopped(
    case_of: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_module, "LONGEST_S", 0.5)
    monkeypatch.setattr(replay_module, "SETTLED_S", 5.0)
    case = case_of(command=shlex.join([sys.executable, "-c", CHATTY]))
    heard = replay(case)
    assert sum(line == b"still here" for _, line in heard.lines) > 10
    assert differences(case, heard) == []


@pytest.mark.parametrize("script", ["raise SystemExit(3)", "pass"])
def test_a_stack_that_ends_before_it_subscribes_is_no_success(script: str, case_of: Callable[..., Case]) -> None:
    case = case_of(command=shlex.join([sys.executable, "-c", script]))
    found = differences(case, replay(case, is_told=False))
    assert found[0].endswith("frames could not be sent: nobody was connected")
    assert any(said.startswith("EXC died") for said in found)
