"""A candidate that misbehaves around its stack: runs our own new subject and passes on what it writes.

`python relay.py KIND [CONNECTION]`. Damage to events is the saboteur's; here is what only another process can do.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

AFTER_EVENTS = 300
RESTART_AFTER_EVENTS = 700
"""Behind the warm-up, in which no uptime is judged: at 300 messages a second for this connection it takes 1.2 s."""


class Relay:
    """Our new subject behind a pipe."""

    def __init__(self) -> None:
        self._first = sys.stdin.buffer.readline()
        self.child = self._start()
        threading.Thread(target=self._pass_on, daemon=True).start()

    def restart(self) -> None:
        """Kill it and start another one in its place."""
        self.child.kill()
        self.child.wait()
        self.child = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "shadow.subjects.new"]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdin is not None
        child.stdin.write(self._first)
        child.stdin.flush()
        return child

    def _pass_on(self) -> None:
        for line in iter(sys.stdin.buffer.readline, b""):
            assert self.child.stdin is not None
            self.child.stdin.write(line)
            self.child.stdin.flush()
        assert self.child.stdin is not None
        self.child.stdin.close()


def main(kind: str, connection: str) -> int:
    relay = Relay()
    out = sys.stdout.buffer
    seen = 0
    restarts = 1 if kind == "restarts" else 0
    while line := relay.child.stdout.readline() if relay.child.stdout else b"":
        mine = line.startswith(b'{"k":"event"') and f'"c":"{connection}"'.encode() in line
        seen += mine
        if restarts and seen > RESTART_AFTER_EVENTS:
            restarts -= 1
            relay.restart()
            continue
        if kind == "garbage" and mine and seen > AFTER_EVENTS:
            line = b"\x00\xff not a line of the protocol \xfe\n"
        if kind == "freezes" and seen > AFTER_EVENTS:
            os.kill(relay.child.pid, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
        if kind == "another-protocol" and line.startswith(b'{"k":"hello"'):
            line = line.replace(b'"protocol":1', b'"protocol":99')
        if kind == "says-no-bye" and line.startswith(b'{"k":"bye"'):
            continue
        out.write(line)
        out.flush()
    return relay.child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "gateio.spot.public"))
