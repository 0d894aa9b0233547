"""`shadow doctor`: what this machine can do for a session."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["HELP", "add_words", "execute"]

HELP = "what this machine can do for a session, and what is wrong"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--duration", default="65s", metavar="TIME", help="of the session that is meant, default 65s")
    parser.add_argument("--rate", type=int, default=600, metavar="N", help="its messages per second, default 600")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where it would write")
    parser.add_argument(
        "--live", action="store_true", help="the exchanges as well: names, certificates, region, clock, limits"
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.doctor.command import run_doctor

    return run_doctor(options.duration, options.rate, options.out, live=options.live, json=options.json)
