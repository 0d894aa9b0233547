"""Whole sessions: real processes on loopback. One short run is recorded once and damaged in copies."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.forked import shadow

HERE = Path(__file__).parent
Event = dict[str, Any]
Edit = Callable[[list[bytes]], list[bytes]]
Outcome = tuple[int, dict[str, Any], str]
SPOT = ("--connections", "gateio.spot.public,mexc.spot.public")
PATIENCE_S = 200
FEW, MANY = ("--rate", "300"), ("--rate", "600")
"""A fact shows at either; each message costs CPU time in five processes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts processes, or is the first to wait for a recorded session, has more than a minute on a busy machine.

    The hook is given the tests of all folders; the long ones have what `make test-long` gives them.
    """
    for item in items:
        if HERE in item.path.parents and not any(item.get_closest_marker(name) for name in ("timeout", "long")):
            item.add_marker(pytest.mark.timeout(PATIENCE_S))


def shadow_run(out: Path, *words: str, timeout_s: float = 200, cores: str = "free") -> Outcome:
    """`shadow run`; exit code, verdict and what it said. Sessions that run beside others leave the cores to all."""
    call = ("run", "--json", "--out", str(out), *words)
    answer = shadow(*call, cwd=out.parent, timeout_s=timeout_s, WS_SHADOW_CORES=cores)
    assert "Traceback" not in answer.stderr, answer.stderr
    assert answer.stdout, answer.stderr
    return answer.returncode, json.loads(answer.stdout), answer.stderr


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean run of both stacks over the two public spot connections, four measured seconds, no calibration.

    Damage is done in its first third: a hole there is not healed by the snapshots of the connect leg.
    """
    out = tmp_path_factory.mktemp("recorded") / "run"
    shadow_run(out, *SPOT, *FEW, "--no-calibration", "--duration", "4s", "--seed", "11")
    return out


@pytest.fixture
def damaged_copy(tmp_path: Path) -> Callable[[Path, Edit], Path]:
    """Edit the lines that the new subject wrote in a copy of a run, and seal it again."""

    def damage(original: Path, edit: Edit) -> Path:
        from shadow.capture.manifest import write_manifest

        run = tmp_path / "damaged"
        shutil.copytree(original, run)
        rewrite(run / "events" / "new.parquet", edit)
        write_manifest(run)
        return run

    return damage


@pytest.fixture
def judge_damaged(recorded: Path, damaged_copy: Callable[[Path, Edit], Path]) -> Callable[[Edit], dict[str, Any]]:
    """The verdict on the recorded run with edited lines of the new subject."""

    def judge_it(edit: Edit) -> dict[str, Any]:
        from shadow.capture.reader import RunData
        from shadow.verdict.judge import judge

        data = RunData(damaged_copy(recorded, edit))
        data.verify()
        verdict: dict[str, Any] = judge(data).verdict
        return verdict

    return judge_it


def rewrite(path: Path, edit: Edit) -> None:
    """Replace the event lines of a table by edited ones; columns follow from the lines, as at the recorder."""
    from shadow.capture.lines import read_head

    table = pq.read_table(path)
    lines, t_read = (table[name].to_pylist() for name in ("body", "t_read"))
    read_at = dict(zip(lines, t_read, strict=True))
    last_read = 0
    rows: list[tuple[Any, ...]] = []
    for number, line in enumerate(edit(lines)):
        last_read = max(last_read, read_at.get(line, last_read))
        head = read_head(line)
        what = (head.k, head.c or "", head.type or "", head.symbol or "", head.t) if head else ("log", "", "", "", None)
        rows.append(("main", number, *what, last_read, line))
    columns = dict(zip(table.schema.names, zip(*rows, strict=True), strict=True))
    pq.write_table(pa.Table.from_pydict(columns, schema=table.schema), path)


def of(verdict: dict[str, Any], code: str) -> list[dict[str, Any]]:
    """The verdict's differences of one code."""
    return [entry for entry in verdict["differences"] if entry["code"] == code]


def relay(kind: str, connection: str = "gateio.spot.public") -> str:
    """The command of a candidate that misbehaves around its stack."""
    return f"{sys.executable} {HERE / 'relay.py'} {kind} {connection}"


def with_option(option: str) -> str:
    """The command of our new stack with a NAME=VALUE in its start line."""
    return f"{sys.executable} {HERE / 'with_option.py'} {option}"


def sabotage(*damages: str) -> str:
    """The command of a candidate that damages what it says."""
    return shlex.join([sys.executable, "-m", "shadow.subjects.saboteur", *damages])


def script(text: str) -> str:
    """The command of a candidate that is a line of Python."""
    return shlex.join([sys.executable, "-c", text])


def leaving_a_child(told: str) -> str:
    """The command of our new stack beside a process that it leaves behind, whose number it writes to a file."""
    line = f"sleep 300 & echo $! > {told}; exec {sys.executable} -m shadow.subjects.new"
    return shlex.join(["sh", "-c", line])


def faulty(fault: str) -> str:
    """The command of our new stack with one fault in it."""
    return f"{sys.executable} {HERE / 'faulty_stack.py'} {fault}"


ACCEPTED = """
[[known]]
id = "K1"
code = "MISSING"
side = "new"
channel = "trade"
max_count = 1
owner = "the desk"
reason = "one trade is left out on purpose"
expires = 2999-01-01
"""
CLOSE_BEHIND = (
    *("--fault", "burst-close@gateio.spot.public:at=2s"),
    *("--fault", "burst-close@mexc.spot.public:at=2s"),
)
RENEWED = ("--connections", "mexc.spot.public,mexc.spot.private", *MANY)
ACCOUNTS = "gateio.spot.private,gateio.futures.private,mexc.spot.private"
COMPRESSED = ("--time-scale", "1440")
AUTH_FAULTS = (
    *("--fault", "refuse-auth@mexc.spot.private/new"),
    *("--fault", "late-auth@gateio.spot.private:by=500ms"),
    *("--fault", "expire-key@mexc.spot.private:at=1s"),
    *("--fault", "close@gateio.futures.private:at=1s"),
)
FILL_FAULTS = (
    *("--fault", "twin-fill@gateio.spot.private:at=1s,count=3"),
    *("--fault", "twin-fill@mexc.spot.private:at=1s,count=3"),
    *("--fault", "fill-first@gateio.futures.private:at=1s,count=3"),
    *("--fault", "duplicate@gateio.futures.private:at=1s,count=2,type=order"),
)
LIVE = {
    "cannot be imported": ("--new", script("import a_stack_that_does_not_exist")),
    "exits at once": ("--new", script("raise SystemExit(0)")),
    "never says hello": ("--new", script("import sys; sys.stdin.read()")),
    "legacy cannot start": ("--legacy", script("raise SystemExit(1)")),
    "silent": ("--new", sabotage("mute@gateio.spot.public:at=2s")),
    "dies": ("--new", sabotage("die@*:at=2s")),
    "hangs": ("--new", sabotage("hang@*:at=2s")),
    "freezes": ("--new", relay("freezes"), *MANY),
    "restarts": ("--new", relay("restarts"), *MANY),
    "one symbol": ("--symbols", "ETH_USDT"),
    "the wall clock steps": ("--new", faulty("the_wall_clock_steps")),
    "garbage": ("--new", relay("garbage"), *MANY),
    "close behind data": (*CLOSE_BEHIND, *MANY),
    "the_handlers_cannot_be_constructed": ("--new", faulty("the_handlers_cannot_be_constructed")),
    "channels_compared_with_a_word": ("--new", faulty("channels_compared_with_a_word")),
    "callbacks_under_another_name": ("--new", faulty("callbacks_under_another_name")),
    "leaves a child": ("--new", leaving_a_child("{folder}/left")),
    "as fast as both keep up": ("--rate", "max", "--duration", "2s"),
    "by the direct door": ("--new", with_option("door=direct")),
    "over picows": ("--new", with_option("transport=picows")),
    "an account": (
        *("--connections", ACCOUNTS, *COMPRESSED, *MANY),
        *("--new", faulty("its_secrets_are_logged") + " {folder}/secrets"),
    ),
    "an account by the direct door": (
        "--connections",
        ACCOUNTS,
        *COMPRESSED,
        *MANY,
        "--new",
        with_option("door=direct"),
    ),
    "auth is refused once": ("--connections", ACCOUNTS, *AUTH_FAULTS),
    "fills twice and first": ("--connections", ACCOUNTS, *FILL_FAULTS),
    "renewed": (*RENEWED, "--new", faulty("connections_are_renewed_soon")),
    "renewed with copies": (*RENEWED, "--new", faulty("copies_of_a_renewal_are_delivered")),
    "known": ("--new", sabotage("drop@gateio.spot.public:at=2s"), "--known", "known.toml"),
    "at grade release": ("--grade", "release"),
}


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Outcome]]:
    """Short uncalibrated sessions in which something fails live, three at a time: they prove facts, no figures."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "known.toml").write_text(ACCEPTED)

    def run(name: str) -> tuple[Path, Outcome]:
        out = folder / name.replace(" ", "-")
        words = [word.replace("{folder}", str(folder)) for word in (*SPOT, *FEW, *LIVE[name])]
        return out, shadow_run(out, "--no-calibration", "--duration", "4s", *words)

    with ThreadPoolExecutor(3) as pool:
        return dict(zip(LIVE, pool.map(run, LIVE), strict=True))


@pytest.fixture(scope="session")
def run_session() -> Callable[..., Outcome]:
    """`shadow run` as a person would call it."""
    return shadow_run
