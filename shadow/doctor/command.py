"""`shadow doctor`: says what this machine can do for a session, and ends with the code that a session would meet."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from shadow.config import seconds
from shadow.doctor.checks import Finding, Need, as_json, code_of, examine, lines
from shadow.doctor.facts import gather
from shadow.errors import UsageError

__all__ = ["run_doctor"]


def run_doctor(duration: str, rate: int, folder: Path, *, live: bool, json: bool) -> int:
    """Print the findings for a session of this length and rate; 0, 11 (poor figures) or 12 (it cannot run)."""
    if rate <= 0:
        raise UsageError(f"--rate {rate} must be a positive number of messages per second")
    need = Need(seconds(duration), rate)
    findings = examine(gather(folder, rate), need)
    if live:
        findings += _exchanges()
    text = orjson.dumps(as_json(findings)).decode() if json else "\n".join(lines(findings))
    sys.stdout.write(text + "\n")
    return code_of(findings)


def _exchanges() -> list[Finding]:
    """The exchanges, for a session of default connections, symbols and channels; private ones only with an account."""
    from shadow.connections import CHANNELS, CONNECTIONS, DEFAULT_SYMBOLS, channels_of
    from shadow.doctor.live_checks import examine_live
    from shadow.doctor.live_facts import gather_live
    from shadow.upstream import read_upstream

    upstream = read_upstream()
    need = {
        one: len(channels_of(one, CHANNELS)) * (1 if one.endswith(".private") else len(DEFAULT_SYMBOLS))
        for one in CONNECTIONS
        if one.endswith(".public") or one.partition(".")[0] in upstream.credentials
    }
    return examine_live(gather_live(upstream), need)
