"""The sampler in a process of its own: it sees what the main thread does, waiting included, and only when asked."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from shadow.subjects import sampler
from shadow.subjects.sampler import Samples, attend, pid_file, stack_of

PROGRAM = """
import asyncio, sys, time
from shadow.subjects import sampler
from shadow.subjects.sampler import attend
attend({"path": sys.argv[1], "seconds": 0.3})

def busy_half_of_the_time():
    end = time.perf_counter() + 0.01
    while time.perf_counter() < end:
        pass

async def main():
    print("ready", flush=True)
    while not __import__("pathlib").Path(sys.argv[1]).exists():
        busy_half_of_the_time()
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


def test_it_sees_work_and_waiting_from_the_signal_on(tmp_path: Path) -> None:
    path = tmp_path / "new.samples"
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        assert not path.exists()
        assert int(pid_file(path).read_text()) == program.pid
        os.kill(program.pid, signal.SIGUSR1)
        assert program.wait(20) == 0
    found = msgspec.json.decode(path.read_bytes(), type=Samples)
    assert 30 < found.taken <= 300
    assert sum(seen for _, seen in found.stacks) == found.taken
    leaves: dict[str, int] = {}
    for stack, seen in found.stacks:
        leaves[stack[-1]] = leaves.get(stack[-1], 0) + seen
    assert leaves["__main__:busy_half_of_the_time"] > found.taken / 5
    assert leaves["selectors:EpollSelector.select"] > found.taken / 5
    assert not [name for name in leaves if name.startswith("shadow.subjects.sampler:Sampler")]


def test_a_subject_that_is_not_asked_gets_no_handler_and_writes_nothing(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    attend(None)
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_stack_names_modules_and_functions_outermost_first() -> None:
    def inner() -> tuple[str, ...]:
        return stack_of(sys._getframe())

    name = f"{__name__}:test_a_stack_names_modules_and_functions_outermost_first"
    assert inner()[-2:] == (name, f"{name}.<locals>.inner")


def test_a_sample_that_interrupts_a_sample_sees_what_that_one_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr(sampler, "stack_of", lambda _: seen.append(stack_of(sys._getframe())))
    one = sampler.Sampler(tmp_path / "new.samples", 1.0)
    one._until_s = math.inf
    one.take(signal.SIGALRM, None)
    name = "test_a_sample_that_interrupts_a_sample_sees_what_that_one_interrupted"
    assert [stack[-1] for stack in seen] == [f"{__name__}:{name}"]


@pytest.mark.parametrize("option", [{"path": "x"}, "x"])
def test_an_option_that_is_none_of_ours_is_an_error_of_the_subject(option: object) -> None:
    with pytest.raises((KeyError, TypeError)):
        attend(option)
