"""Samples where a subject's main thread is, for some seconds, when a signal asks for it.

A timer's signal interrupts the thread between two bytecodes, also one that waits for its sockets: a thread of our own
would get its turn when the stack lets go of the interpreter, which it does when it waits, and would see it wait.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, Final

import msgspec

__all__ = ["EVERY_S", "Sampler", "Samples", "attend", "pid_file"]

EVERY_S: Final = 0.001
DEEPEST: Final = 80


class Samples(msgspec.Struct, frozen=True):
    """What one subject was found doing: stacks, outermost function first, with how often each was seen."""

    every_s: float
    taken: int
    stacks: list[tuple[list[str], int]]


def pid_file(path: Path) -> Path:
    """Where a subject says who is to be signalled; a subject that does not know the option writes none."""
    return path.with_suffix(".pid")


def attend(option: Any) -> None:
    """Sample upon SIGUSR1 where the start line's option `profile` asks for it: `{"path":..,"seconds":..}`."""
    if option is None:
        return
    path = Path(option["path"])
    sampler = Sampler(path, float(option["seconds"]))
    signal.signal(signal.SIGUSR1, sampler.start)
    pid_file(path).write_text(str(os.getpid()))


class Sampler:
    """Takes a sample each millisecond for `seconds`, then writes them to `path`, which appears as a whole.

    A process that does not get a core in time gets one signal for several: there are fewer samples then.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._until_s = 0.0
        self._seen: Counter[tuple[str, ...]] = Counter()

    def start(self, number: int, frame: FrameType | None) -> None:
        """Handler of the signal that asks for samples; a second one changes nothing."""
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, self.take)
        self._until_s = monotonic() + self._seconds
        signal.setitimer(signal.ITIMER_REAL, EVERY_S, EVERY_S)

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handler of the timer: one sample, and the end of it all after the last."""
        if monotonic() < self._until_s:
            self._seen[stack_of(frame)] += 1
        elif self._until_s:
            self._until_s = 0.0
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            self._write()

    def _write(self) -> None:
        stacks = [(list(stack), count) for stack, count in self._seen.most_common()]
        part = self._path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(Samples(EVERY_S, self._seen.total(), stacks)))
        part.replace(self._path)


def stack_of(frame: FrameType | None) -> tuple[str, ...]:
    """`module:function` of each frame, outermost first; what C does is its caller's, what a sample costs nobody's."""
    found: list[str] = []
    while frame is not None and len(found) < DEEPEST:
        if frame.f_code is _TAKING:
            found.clear()
            frame = frame.f_back
            continue
        found.append(f"{frame.f_globals.get('__name__', '?')}:{frame.f_code.co_qualname}")
        frame = frame.f_back
    return tuple(reversed(found))


_TAKING: Final = Sampler.take.__code__
