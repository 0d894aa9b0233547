"""`shadow reproduce`: the fewest frames that show a difference again."""

from __future__ import annotations

import argparse
from pathlib import Path

from shadow.commands.outcome import EXIT_CODES, existing_run
from shadow.commands.words import say
from shadow.errors import UsageError

__all__ = ["HELP", "add_words", "execute"]

HELP = "the smallest frames that show a run's differences again"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory; its candidate is started again")
    parser.add_argument("--code", type=str.upper, default="", metavar="CODE", help="differences of this code only")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="default: RUN/reproducer")
    parser.add_argument("--new", default="", metavar="CMD", help="the candidate's command; default that of the run")
    parser.add_argument("--accounts", action="store_true", help="private connections too: account data are written")
    parser.add_argument("--tries", type=int, default=60, metavar="N", help="replays for each difference, default 60")
    parser.add_argument("--limit", type=int, default=5, metavar="N", help="differences at most, default 5")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.reproducer.run import Options, reproduce

    folder = existing_run(options.run)
    if not (folder / "differences.parquet").is_file():
        raise UsageError(f"{folder} has no differences yet; run `shadow judge {folder}` first")
    for name in ("tries", "limit"):
        if getattr(options, name) < 1:
            raise UsageError(f"--{name} {getattr(options, name)} must be a positive whole number")
    asked = Options(options.code, options.out, options.new, options.accounts, options.tries, options.limit)
    return 0 if reproduce(folder, asked, say) else EXIT_CODES["HOLD"]
