"""`shadow doctor`: says what this machine can do for a session, and ends with the code that a session would meet."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from shadow.config import seconds
from shadow.doctor.checks import Need, as_json, code_of, examine, lines
from shadow.doctor.facts import gather
from shadow.errors import UsageError

__all__ = ["run_doctor"]


def run_doctor(duration: str, rate: int, folder: Path, *, live: bool, json: bool) -> int:
    """Print the findings for a session of this length and rate; 0, 11 (poor figures) or 12 (it cannot run)."""
    if live:
        raise UsageError("doctor --live: live feeds are not built yet; without --live it looks at this machine")
    if rate <= 0:
        raise UsageError(f"--rate {rate} must be a positive number of messages per second")
    need = Need(seconds(duration), rate)
    findings = examine(gather(folder, rate), need)
    text = orjson.dumps(as_json(findings)).decode() if json else "\n".join(lines(findings))
    sys.stdout.write(text + "\n")
    return code_of(findings)
