"""A part of a session that tells what it finds when it begins: of `python -m`, and of a forked one the same."""

from __future__ import annotations

import codecs
import json
import os
import signal
import sys
from pathlib import Path

# Those with which pytest watches itself are left out.
TOLD = (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGUSR1, signal.SIGXFSZ)

if __name__ == "__main__":
    # The folder itself is open while it is read, and no more where its link is looked for.
    listed = os.listdir("/proc/self/fd")
    open_fds = sorted(int(name) for name in listed if os.path.lexists(f"/proc/self/fd/{name}"))
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    masks = {what: int(status[what], 16) for what in ("SigBlk", "SigIgn", "SigCgt")}
    facts = {
        "open": open_fds,
        "signals": {name: [what for what in masks if masks[what] >> (name - 1) & 1] for name in TOLD},
        "leads": os.getsid(0) == os.getpid() == os.getpgid(0),
        "folder": str(Path.cwd()),
        "environment": os.environ.get("A_PART"),
        "words": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "read": sys.stdin.buffer.readline().decode(),
        "encodings": [codecs.lookup(stream.encoding).name for stream in (sys.stdin, sys.stdout, sys.stderr)],
    }
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n")
    sys.stdout.buffer.flush()
    sys.stderr.write("complaint\n")
    sys.exit(7)
