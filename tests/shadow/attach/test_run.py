"""The command at a real socket: what it reads, what it tells the controller, and how it ends."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import pytest

from shadow.attach import run
from shadow.attach.pairs import SIDES
from shadow.attach.watch import Watch
from shadow.cli import main
from shadow.rollout.controller import Controller
from shadow.rollout.places import Places
from shadow.rollout.stages import Rule, parse_position
from shadow.rollout.units import EVERYTHING
from tests.shadow.attach.conftest import C, Desk

WITHIN_S = 30.0
GREETING = {"k": "tap", "tap": 1, "pid": 1, "t": 1}
Say = Callable[..., None]
Script = Callable[[Say, threading.Event], None]


def beat() -> dict[str, Any]:
    return {"k": "beat", "t": perf_counter_ns(), "sources": {C: {side: Desk.runs() for side in SIDES}}}


def trade(by: str, number: int, price: float = 1.5) -> dict[str, Any]:
    fields = {"id": str(number), "price": price, "quantity": 1, "side": "buy", "ts": 1, "recv": None}
    t = perf_counter_ns()
    return {"k": "event", "c": C, "t": t, "by": by, "type": "trade", "symbol": "BTC_USDT"} | fields


class Attached:
    """Runs `shadow judge --attach` against a script of what an application says; `looked` is set at every look."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self._looked = threading.Event()
        self.ended = threading.Event()
        monkeypatch.setenv("WS_SHADOW_FLAGS", str(folder / "flags.json"))
        monkeypatch.setattr(run, "LOOK_S", 0.05)
        monkeypatch.setattr(run, "BEATLESS_S", 0.1)
        write = run.write_status

        def write_and_tell(*words: Any) -> None:
            write(*words)
            self._looked.set()

        monkeypatch.setattr(run, "write_status", write_and_tell)

    def judge(self, script: Script, *words: str) -> tuple[int, list[dict[str, Any]], str]:
        """Code, lines printed, and what a person is told."""
        path = self.folder / "desk.tap"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(path))
            listening.listen()
            thread = threading.Thread(target=self._play, args=(listening, script))
            thread.start()
            code = main(["judge", "--attach", str(path), *words])
            self.ended.set()
            thread.join(WITHIN_S)
        said = self._capsys.readouterr()
        return code, [json.loads(line) for line in said.out.splitlines()], said.err

    def _play(self, listening: socket.socket, script: Script) -> None:
        connection, _ = listening.accept()
        with connection:
            script(
                lambda *lines: connection.sendall(b"".join(json.dumps(one).encode() + b"\n" for one in lines)),
                self._looked,
            )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "rollout" / "judges" / "desk.json").read_bytes())
        return found


@pytest.fixture
def attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Attached:
    return Attached(tmp_path, monkeypatch, capsys)


def test_a_difference_reaches_the_controller_and_the_code(attached: Attached) -> None:
    def script(say: Say, looked: threading.Event) -> None:
        say(GREETING, beat(), trade("legacy", 1), trade("new", 1, price=1.75), beat())
        assert looked.wait(WITHIN_S)
        say({"k": "bye", "t": perf_counter_ns()})

    code, lines, said = attached.judge(script, "--json")
    assert code == lines[-1]["code"] == 10
    differences = [one for look in lines[:-1] for one in look["differences"]]
    assert differences == [{"code": "FIELD", "side": "both", "connection": C, "type": "trade", "count": 1}]
    told = attached.status()
    assert (told["verdict"], told["onset"]) == ("REGRESSION", "unknown")
    assert time.time() - told["at"] < WITHIN_S
    (alarm,) = told["alarms"]
    assert (alarm["trigger"], alarm["unit"]) == ("functionality", "*")
    assert "price 1.5 and 1.75" in alarm["says"]
    assert said.startswith("ROLL BACK: functionality: FIELD")


def test_what_the_judge_tells_takes_units_back_to_legacy(attached: Attached) -> None:
    """The controller knows nothing of a tap: it reads the judge's file."""
    folder = attached.folder
    controller = Controller(Places(folder / "flags.json", folder / "rollout", folder / "runs"), rehearsal=True)
    live = (Rule(EVERYTHING, parse_position("live")),)
    controller.ledger.change(time.time(), controller.ledger.read().state, live, why="the test")
    lines = (GREETING, beat(), trade("legacy", 1), trade("new", 1, price=1.75), beat())
    assert attached.judge(lambda say, _: say(*lines))[0] == 10
    (back,) = [one for one in controller.turn() if one.kind == "rollback"]
    assert back.why.startswith(f"functionality: FIELD {C} BTC_USDT trade 1: legacy and new have price 1.5 and 1.75")
    assert [(str(rule.unit), str(rule.position)) for rule in controller.books().state.rules] == [("*", "shadow")]


@pytest.mark.parametrize(("pid", "is_told"), [(1, True), (2, False)])
def test_the_application_is_the_one_that_greets(pid: int, is_told: bool, attached: Attached) -> None:
    sources = {C: {"legacy": Desk.runs(pid=3), "new": Desk.runs(pid=1)}}
    _, lines, _ = attached.judge(lambda say, _: say(GREETING | {"pid": pid}, beat() | {"sources": sources}), "--json")
    assert bool(lines[-2]["not_judged"]) == is_told


def test_a_tap_that_dies_is_a_finding(attached: Attached) -> None:
    code, _, said = attached.judge(lambda say, _: say(GREETING, beat()))
    assert code == 11
    assert "\nHOLD: the tap ended without a last word: its process is gone" in said
    assert attached.status()["verdict"] == "HOLD"


def test_a_tap_that_stands_still_is_a_finding(attached: Attached) -> None:
    def script(say: Say, looked: threading.Event) -> None:
        say(GREETING, beat())
        attached.ended.wait(WITHIN_S)

    code, lines, said = attached.judge(script, "--json", "--duration", "0.3s")
    assert code == 11
    assert lines[-2]["held"][0].startswith("the tap has not beaten")
    assert said.startswith("HOLD: the tap has not beaten")


def stand_still(looked: threading.Event) -> None:
    """For so many looks that the judge notices."""
    for _ in range(5):
        looked.clear()
        assert looked.wait(WITHIN_S)


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is a pass by itself."""
    look = Watch.look
    monkeypatch.setattr(Watch, "look", lambda watch: replace(look(watch), verdict="PASS", held=[]))


@pytest.mark.usefixtures("passing")
def test_the_verdict_that_is_shown_is_the_one_that_is_told(attached: Attached) -> None:
    def script(say: Say, looked: threading.Event) -> None:
        say(GREETING, beat())
        stand_still(looked)
        say({"k": "bye", "t": perf_counter_ns()})

    code, lines, _ = attached.judge(script, "--json")
    assert lines[0]["verdict"] == "PASS"
    assert (lines[-2]["verdict"], attached.status()["verdict"], code) == ("HOLD", "HOLD", 11)


@pytest.mark.usefixtures("passing")
def test_what_the_controller_cannot_be_told_is_no_pass(attached: Attached) -> None:
    (attached.folder / "rollout").mkdir()
    (attached.folder / "rollout" / "judges").write_text("in the way")
    bye = {"k": "bye", "t": perf_counter_ns()}
    code, lines, said = attached.judge(lambda say, _: say(GREETING, beat(), bye), "--json")
    assert (lines[-2]["verdict"], code) == ("HOLD", 11)
    assert said.startswith("HOLD: the controller cannot be told: ")


def test_a_tap_that_stood_still_is_a_finding_to_the_end(attached: Attached) -> None:
    """What the last look says is not all that the last word knows."""

    def script(say: Say, looked: threading.Event) -> None:
        say(GREETING, beat())
        stand_still(looked)
        say(beat(), {"k": "bye", "t": perf_counter_ns()})

    code, lines, said = attached.judge(script, "--json")
    assert code == 11
    assert not any("not beaten" in text for text in lines[-2]["held"])
    assert "the tap once stood still for 0 s" in said


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ({"k": "tap", "tap": 2, "t": 1}, "is no tap of version 1"),
        ({"hello": 1}, "a line that is none of a tap"),
    ],
)
def test_what_is_no_tap_is_unusable(first: dict[str, Any], says: str, attached: Attached) -> None:
    code, _, said = attached.judge(lambda say, _: say(first))
    assert (code, said.count("\n")) == (12, 1)
    assert says in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--attach", "{folder}/none"], "none is no open tap (No such file or directory); give the socket"),
        (["--attach", "{folder}"], "is no open tap (Connection refused)"),
        (["--attach", "x", "run"], "leave RUN, --engine and --memory out"),
        ([], "no run given"),
        (["run", "--duration", "5s"], "--duration goes with --attach"),
    ],
)
def test_a_persons_mistake_is_one_line(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", *(word.format(folder=tmp_path) for word in words)]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
