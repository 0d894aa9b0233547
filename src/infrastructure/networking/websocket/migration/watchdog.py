"""`python -m infrastructure.networking.websocket.migration.watchdog COMMAND...`: a parent that outlives a stuck loop.

It starts the command and restarts it with legacy pinned when a loop that holds both stacks does not beat for a second,
when the process is killed by a signal, and on SIGUSR1. It asks no flag provider, judge or stack. The command has
a session of its own, all of which ends before it is started again. SIGTERM, SIGHUP and SIGINT are handed on; the first
two reach what the command has started behind its own end, so that it can close that in order. The exit code is the
command's.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from infrastructure.networking.websocket.migration.beat import BEAT_VARIABLE, BEATS, BEGINS, ENDS
from infrastructure.networking.websocket.migration.kill_switch import LEGACY, PIN_VARIABLE

__all__ = ["Pulse", "Watchdog", "main"]

STILL_S = 1.0
LOOK_S = 0.05


class Pulse:
    """What the signs of one process say: how many managers of both stacks it holds, and when it last beat."""

    def __init__(self, now: float) -> None:
        self._managers = 0
        self._beat_at = now

    def note(self, signs: bytes, now: float) -> None:
        """Signs have come."""
        self._managers += signs.count(BEGINS) - signs.count(ENDS)
        if signs.count(BEATS) or signs.count(BEGINS):
            self._beat_at = now

    def is_still(self, now: float) -> bool:
        """Whether the loop owes a beat for too long."""
        return self._managers > 0 and now - self._beat_at > STILL_S


class Watchdog:
    """Runs the command until it ends by itself."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_pinned = False
        self._is_asked = False
        self._ends_by: int | None = None

    def run(self) -> int:
        """The command's exit code; 128 and the signal where one killed it."""
        signal.signal(signal.SIGUSR1, self._on_ask)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, self._on_end)
        while True:
            reason = self._watch_once()
            assert self._process is not None
            code = self._process.returncode
            if self._ends_by is not None:
                self._signal_all(self._process, self._ends_by)
            if reason is None or self._ends_by is not None:
                return code if code >= 0 else 128 - code
            self._signal_all(self._process, signal.SIGKILL)
            self._is_pinned = True
            sys.stderr.write(f"watchdog: {reason}; starting {self._command[0]} again with legacy pinned\n")

    def _watch_once(self) -> str | None:
        """Start the command and wait; why it has to be started again, or None when it ended by itself."""
        ours, its = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        environment = os.environ | {BEAT_VARIABLE: str(its)} | ({PIN_VARIABLE: LEGACY} if self._is_pinned else {})
        process = subprocess.Popen(self._command, env=environment, pass_fds=[its], start_new_session=True)
        self._process = process
        os.close(its)
        try:
            reason = self._wait(process, ours)
        finally:
            os.close(ours)
        if reason is None and process.returncode < 0 and not self._is_pinned:
            return f"the process was killed by signal {-process.returncode}"
        return reason

    def _wait(self, process: subprocess.Popen[bytes], ours: int) -> str | None:
        pulse = Pulse(time.monotonic())
        while process.poll() is None:
            # An end of file, when the process is gone or shut the pipe, would return at once for ever.
            if select.select([ours], [], [], LOOK_S)[0] and not self._note(pulse, ours):
                time.sleep(LOOK_S)
            if self._is_asked and not self._is_pinned:
                return self._end(process, "asked by signal")
            if pulse.is_still(time.monotonic()):
                return self._end(process, f"the loop has not beaten for {STILL_S:g} s")
        return None

    @staticmethod
    def _note(pulse: Pulse, ours: int) -> bool:
        signs = os.read(ours, 65536)
        pulse.note(signs, time.monotonic())
        return bool(signs)

    @classmethod
    def _end(cls, process: subprocess.Popen[bytes], reason: str) -> str:
        # What spins or is frozen does not end for less, and a shell's end is not that of the application behind it.
        cls._signal_all(process, signal.SIGKILL)
        process.wait()
        return reason

    @staticmethod
    def _signal_all(process: subprocess.Popen[bytes], number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _on_ask(self, number: int, frame: FrameType | None) -> None:
        self._is_asked = True

    def _on_end(self, number: int, frame: FrameType | None) -> None:
        self._ends_by = number
        if self._process is None or self._process.poll() is not None:
            return
        if number == signal.SIGINT:
            # As from a terminal: some shells wait for what they have started to end by it.
            self._signal_all(self._process, number)
        else:
            self._process.send_signal(number)


def main() -> int:
    """Entry."""
    command = sys.argv[1:]
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        sys.stderr.write("watchdog: no command; give the one that starts the application\n")
        return 2
    try:
        return Watchdog(command).run()
    except OSError as error:
        sys.stderr.write(f"watchdog: {command[0]} cannot be started: {error.strerror}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
