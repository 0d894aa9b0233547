"""`shadow rollout start --rehearsal PLAN` with a plan that says how it is played: evidence, play, record, page."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from shadow.rehearsal.outcome import record_of
from shadow.rehearsal.plan import RehearsalPlan
from shadow.rehearsal.result import Record
from shadow.rehearsal.run import Rehearsal
from shadow.rehearsal.view import View
from shadow.rollout.evidence import newest_session, our_version
from shadow.rollout.units import parse_unit

__all__ = ["play_rehearsal"]

REHEARSALS: Final = "rehearsals"
STDERR: Final = 2
"""Where the comparison's own last line goes: ours stands alone on stdout."""
RECORD_NAME: Final = "rehearsal.json"
Say = Callable[[str], None]


def play_rehearsal(plan: RehearsalPlan, runs: Path, say: Say) -> int:
    """Play it; 0 when every check holds, 10 when one does not, the comparison's code where that does not say SHIP."""
    code = compare(plan, runs, say)
    if code:
        say("no rehearsal without a comparison that says SHIP: it is a gate out of shadow")
        return code
    folder = runs / REHEARSALS / f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{plan.seed}"
    folder.mkdir(parents=True, mode=0o700)
    began = time.monotonic()
    with View() as view:
        rehearsal = Rehearsal(plan, folder.absolute(), runs, view.tell)
        view.watch(rehearsal)
        with named(rehearsal.parts.variables):
            asyncio.run(rehearsal.play())
    record = record_of(rehearsal, time.monotonic() - began)
    page = write_record(folder, record)
    for check in record.checks:
        say(f"{'ok ' if check.ok else 'BAD'}  {check.name}: {check.says}")
    sys.stdout.write(f"verdict={'PASSED' if record.code == 0 else 'FAILED'} code={record.code} report={page}\n")
    return record.code


@contextmanager
def named(variables: Mapping[str, str]) -> Iterator[None]:
    """The gates of this process look at the rehearsal's own kill file, not at one in earnest."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def write_record(folder: Path, record: Record) -> Path:
    """The record as JSON, and its page; returns the latter's path."""
    from reports.rehearsal import render

    (folder / RECORD_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
    path: Path = render(folder)
    return path


def compare(plan: RehearsalPlan, runs: Path, say: Say) -> int:
    """Run a session of grade quick unless the newest about every unit says SHIP; 0, or that session's code."""
    if all(is_shipped(runs, unit) for unit in units(plan)):
        return 0
    say(f"first a comparison of {plan.session_s:.0f} s: no session of this version says SHIP about every unit")
    words = ["--connections", ",".join(plan.connections), "--symbols", ",".join(plan.symbols)]
    words += ["--duration", f"{plan.session_s:g}s", "--seed", str(plan.seed)]
    return subprocess.call([sys.executable, "-m", "shadow.cli", "run", *words], stdout=STDERR)


def units(plan: RehearsalPlan) -> list[str]:
    """One pattern for each connection and symbol."""
    public = [one.rpartition(".")[0] for one in plan.connections if one.endswith(".public")]
    private = [one for one in plan.connections if one.endswith(".private")]
    return [f"{market}.*.{symbol}" for market in public for symbol in plan.symbols] + private


def is_shipped(runs: Path, unit: str) -> bool:
    """Whether the newest session about a unit is one that the gate would take."""
    session = newest_session(runs, parse_unit(unit))
    return session is not None and (session.verdict, session.version) == ("SHIP", our_version())
