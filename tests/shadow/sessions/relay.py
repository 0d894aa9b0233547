"""A damaged candidate: runs our own new subject and spoils what it writes, line by line.

`python relay.py KIND [CONNECTION]`. The stack underneath is whole; only its output is damaged, on the way out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import chain

AFTER_EVENTS = 300
CHILD_S = "299.25"


def start(kind: str) -> subprocess.Popen[bytes]:
    """Our new subject; a kind of the form `option=value` goes into its start line and spoils nothing."""
    command = [sys.executable, "-m", "shadow.subjects.new"]
    option, _, value = kind.partition("=")
    if not value:
        return subprocess.Popen(command, stdin=sys.stdin, stdout=subprocess.PIPE)
    first = json.loads(sys.stdin.buffer.readline())
    first["options"][option] = value
    first_line = json.dumps(first).encode() + b"\n"
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def pass_on() -> None:
        assert child.stdin is not None
        with child.stdin as pipe:
            for line in chain([first_line], iter(sys.stdin.buffer.readline, b"")):
                pipe.write(line)
                pipe.flush()

    threading.Thread(target=pass_on, daemon=True).start()
    return child


def main(kind: str, connection: str) -> int:
    child = start(kind)
    assert child.stdout is not None
    if kind == "leaves-a-child":
        subprocess.Popen(["sleep", CHILD_S])
    out = sys.stdout.buffer
    seen = 0
    for line in child.stdout:
        is_event = line.startswith(b'{"k":"event"')
        mine = is_event and f'"c":"{connection}"'.encode() in line
        seen += mine
        spoilt = seen > AFTER_EVENTS
        if kind == "silent" and spoilt and mine:
            continue
        if kind == "drop" and mine and seen == AFTER_EVENTS and b'"type":"trade"' not in line:
            seen -= 1
        elif kind == "drop" and mine and seen == AFTER_EVENTS:
            continue
        if kind == "dies" and spoilt:
            os.kill(child.pid, signal.SIGKILL)
            return 3
        if kind == "hangs" and spoilt:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(60)
        if kind == "garbage" and spoilt and mine:
            line = b"\x00\xff not a line of the protocol \xfe\n"
        if kind == "price" and mine and spoilt and b'"type":"trade"' in line:
            event = json.loads(line)
            event["price"] = round(event["price"] + 0.01, 8)
            line = json.dumps(event).encode() + b"\n"
        out.write(line)
        out.flush()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "gateio.spot.public"))
