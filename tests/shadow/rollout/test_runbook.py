"""The runbook keeps its word: each command in the order of a rollout, and the samples are read as what they are."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadow.cli import main
from shadow.rollout.consumers import ConsumerStatus, JudgeStatus
from shadow.rollout.journal import FIRST, Head, Journal, read_journal

from .conftest import Desk

PAGE = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text()
FORTH = {
    "shadow rollout plan gateio.spot > plan.toml": (0, "canary:50"),
    "shadow rollout start plan.toml": (0, "watching"),
    "shadow flip 'gateio.spot.*.*' shadow --dry-run": (0, "open  controller: a controller watches"),
    "shadow rollout advance": (0, "gateio.spot.*.* is at shadow"),
    "shadow rollout hold gateio.spot --approve ada": (0, "gateio.spot is held where it is: by ada"),
    "shadow flip 'gateio.spot.*.*' canary:10 --approve ada": (0, "gateio.spot.*.* is at canary:10"),
}
BACK = {
    "touch websocket.kill": (0, ""),
    "shadow rollout rollback '*'": (0, "* is back at shadow: by hand"),
    "shadow status": (0, "KILL FILE: legacy serves everything"),
    "shadow journal verify": (0, "as they were written"),
    "rm websocket.kill": (0, ""),
    "shadow rollout status": (10, "latched"),
    "shadow rollout report": (0, "rollout/rollback.html"),
    "shadow flip '*' off": (0, "* is back at off"),
}
START = "shadow rollout start plan.toml"


def console() -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


@contextmanager
def watching(*words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """`shadow rollout start` in a process of its own, from its first look on."""
    program = [sys.executable, "-m", "shadow.cli", "rollout", "start", *words]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True, cwd=cwd) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


@pytest.fixture
def here(tmp_path: Path, make_desk: Callable[[Path], Desk], monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk in the working directory, on the clock of the wall."""
    desk = make_desk(tmp_path)
    desk.now_s = time.time()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(desk.places.flags))
    return desk


@pytest.mark.checklist("R.7")
def test_every_command_of_the_runbook_does_what_it_says(here: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(console()) == sorted([*FORTH, *BACK])
    folder = here.places.flags.parent

    def run(command: str) -> tuple[int, str]:
        if not command.startswith("shadow "):
            return subprocess.run(shlex.split(command), check=False, cwd=folder).returncode, ""
        words, _, target = command.partition(" > ")
        code = main(shlex.split(words)[1:])
        printed = capsys.readouterr()
        if target:
            (folder / target).write_text(printed.out)
        return code, printed.out + printed.err

    plan, start, *forth = FORTH
    assert run(plan)[0] == 0
    with watching("plan.toml", cwd=folder) as process:
        assert FORTH[start][1] in told(process)
        for command in (*forth, *BACK):
            here.now_s = time.time()
            here.session()
            here.drill()
            here.beat()
            code, said = run(command)
            expected, words = (FORTH | BACK)[command]
            assert (code, words in said) == (expected, True), (command, said)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) in (0, 11)


@pytest.mark.checklist("R.5", "R.8")
def test_the_controller_takes_back_by_itself_and_dies_without_harm(here: Desk) -> None:
    """A trigger is acted on by the process that watches; killed, it leaves stages as they are and rollback works."""
    folder = here.places.flags.parent
    with watching(cwd=folder) as process:
        told(process)
        for stage in ("shadow", "canary"):
            here.now_s = time.time()
            here.session()
            here.drill()
            here.beat()
            assert main(["flip", "gateio.spot.*.*", stage]) == 0
        here.now_s = time.time()
        here.alarms = [alarm("functionality", "gateio.spot.trade.BTC_USDT", "3 trades missing")]
        here.beat()
        assert told(process) == "rollback gateio.spot.trade.BTC_USDT: functionality: 3 trades missing\n"
        process.kill()
        process.wait(timeout=30)
    assert "gateio.spot.*.* canary" in here.rules()
    assert main(["rollout", "rollback"]) == 0
    assert here.rules() == ["gateio.spot.trade.BTC_USDT shadow", "gateio.spot.*.* shadow"]
    assert main(["journal", "verify"]) == 0


def alarm(*words: str) -> Any:
    from shadow.rollout.consumers import Alarm

    return msgspec.convert(dict(zip(("trigger", "unit", "says"), words, strict=True)), Alarm)


def test_the_samples_are_status_files() -> None:
    consumer, judge = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert list(msgspec.json.decode(consumer, type=ConsumerStatus).units) == ["gateio.spot.book.BTC_USDT"]
    assert msgspec.json.decode(judge, type=JudgeStatus).alarms[0].trigger == "memory"


def test_journal_verify_tells_good_changed_and_unreadable_apart(here: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["rollout", "hold"]) == 0
    journal = here.places.journal
    good = journal.read_bytes()
    assert main(["journal", "verify"]) == 0
    journal.write_bytes(good + b'{"hash":"')
    assert main(["journal", "verify"]) == 0
    assert "9 bytes of a line that a kill cut short" in capsys.readouterr().err
    journal.write_bytes(good.splitlines(keepends=True)[0])
    assert main(["journal", "verify"]) == 10
    assert "line 2: it was removed" in capsys.readouterr().err
    journal.unlink()
    journal.mkdir()
    assert main(["journal", "verify"]) == 12


def test_journal_verify_goes_by_the_flag_files_mark_where_the_journal_is_gone(
    here: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "verify"]) == 2
    assert "no journal" in capsys.readouterr().err
    here.watch()
    here.session()
    here.flip("gateio.spot.*.*", "shadow")
    for path in (here.places.journal, here.places.journal.with_suffix(".head")):
        path.unlink()
    assert main(["journal", "verify"]) == 10
    assert "line 1: it was removed: the flag file knows 1 lines" in capsys.readouterr().err


def test_two_files_tell_of_a_line_behind_the_last_change_of_the_flag_and_three_of_those_before(here: Desk) -> None:
    """As the runbook says: a hold leaves the flag file alone."""
    here.watch()
    here.session()
    here.flip("gateio.spot.*.*", "shadow")
    assert main(["rollout", "hold"]) == 0
    for left, code in ((1, 0), (0, 10)):
        lines = here.places.journal.read_bytes().splitlines(keepends=True)[:left]
        here.places.journal.write_bytes(b"".join(lines))
        entries = read_journal(here.places.journal).entries
        Journal(here.places.journal).write_head(Head(left, entries[-1].hash if entries else FIRST, 1))
        assert main(["journal", "verify"]) == code


@pytest.mark.parametrize(
    ("typed", "signoff", "code"),
    [
        ("gateio.spot.*.*\n", '{"verdict": "GO"}', 0),
        ("gateio.spot\n", '{"verdict": "GO"}', 2),
        ("", '{"verdict": "GO"}', 2),
        ("gateio.spot.*.*\n", '{"verdict": "NO-GO"}', 2),
        ("gateio.spot.*.*\n", "[]", 2),
        ("gateio.spot.*.*\n", None, 2),
    ],
)
def test_complete_takes_the_typed_unit_and_a_sign_off_that_says_go(
    typed: str, signoff: str | None, code: int, here: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    now_s = time.time()
    here.now_s = now_s - 4 * 86_401
    here.climb("gateio.spot.*.*", "rampdown")
    here.now_s = now_s
    here.watch()
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    words = ["flip", "gateio.spot.*.*", "complete", "--approve", "ada", "--approve", "bob"]
    if signoff is not None:
        (here.places.flags.parent / "signoff.json").write_text(signoff)
        words += ["--signoff", "signoff.json"]
    assert main(words) == code
    assert here.rules() == [f"gateio.spot.*.* {'complete' if code == 0 else 'rampdown'}"]


BAD_PLANS = {
    "": "holds no steps",
    "[[step]]\nunit = 3\nstage = 'shadow'": "each a text",
    "[[step]]\nunit = 'mexc'": "a step is unit, stage",
    "[[step]]\nunit = 'mexc'\nstage = 'alive'": "is no stage",
    "[[step]]\nunit = 'mexc'\nstage = 'shadow'\nat_least = 'long'": "at_least is a time",
    "step = [": "is no TOML",
}


@pytest.mark.parametrize("text", BAD_PLANS)
def test_a_plan_that_is_none_is_one_line(text: str, here: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    Path("plan.toml").write_text(text)
    assert main(["rollout", "start", "plan.toml"]) == 2
    said = capsys.readouterr().err
    assert BAD_PLANS[text] in said
    assert said.count("\n") == 1
    assert here.rules() == []


@pytest.mark.parametrize("unit", ["*", "gateio.spot", "gateio.spot.book.BTC_USDT", "*.*.private"])
def test_a_printed_plan_is_read_again_and_ends_with_what_cannot_be_undone(
    unit: str, here: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    from shadow.rollout.plan_file import default_plan, read_plan
    from shadow.rollout.units import parse_unit

    assert main(["rollout", "plan", unit]) == 0
    Path("plan.toml").write_text(capsys.readouterr().out)
    steps = read_plan(Path("plan.toml"))
    assert steps == default_plan(parse_unit(unit))
    stages = [str(step.position) for step in steps]
    assert stages.index("complete") == len(stages) - stages.count("complete")
    scopes = [step.unit.scope for step in steps if str(step.position) != "complete"]
    assert scopes == sorted(scopes, key=["public", "private"].index)
