"""The lease: a file that says that a controller watches. When it ends, stages stay and nothing advances."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shadow.errors import UsageError
from shadow.rollout.flag_file import replace_file

__all__ = ["LEASE_S", "Lease", "read_lease", "release", "renew", "this_process"]

LEASE_S: Final = 10.0


@dataclass(frozen=True)
class Lease:
    """Who watches, and until when (Unix seconds)."""

    holder: str
    until_s: float

    def is_live(self, now_s: float) -> bool:
        """Whether it holds now. One that reaches farther than a lease can was written under another clock."""
        return now_s < self.until_s <= now_s + 2 * LEASE_S


def this_process() -> str:
    """How this process signs its lease."""
    return f"{socket.gethostname()}:{os.getpid()}"


def read_lease(path: Path) -> Lease | None:
    """The lease; None where there is none or it cannot be understood: then nobody watches."""
    try:
        text = json.loads(path.read_bytes())
        return Lease(str(text["holder"]), float(text["until"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def renew(path: Path, holder: str, now_s: float) -> Lease:
    """Take or keep the lease; UsageError while another one holds it."""
    found = read_lease(path)
    if found is not None and found.holder != holder and found.is_live(now_s) and not _is_gone(found.holder):
        raise UsageError(
            f"controller {found.holder} holds the lease; stop it, or wait {found.until_s - now_s:.0f} s if it died"
        )
    lease = Lease(holder, now_s + LEASE_S)
    replace_file(path, (json.dumps({"holder": holder, "until": lease.until_s}) + "\n").encode())
    return lease


def _is_gone(holder: str) -> bool:
    """Whether it is a process of this machine that has ended without giving its lease back."""
    host, _, pid = holder.rpartition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False


def release(path: Path, holder: str) -> None:
    """Give the lease back, if it is ours."""
    found = read_lease(path)
    if found is not None and found.holder == holder:
        path.unlink(missing_ok=True)
