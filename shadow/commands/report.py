"""`shadow report`: a run's page again, or the index of all."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from shadow.commands.outcome import existing_run
from shadow.errors import UsageError
from shadow.pages import RUNS, render_copy, render_report, render_sessions

__all__ = ["HELP", "add_words", "execute"]

HELP = "render a run's report again, or the index of all sessions"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="a run directory")
    parser.add_argument("--share", action="store_true", help="a copy with pseudonyms for account data")
    parser.add_argument(
        "--index",
        type=Path,
        nargs="*",
        default=None,
        metavar="DIR",
        help="instead: the index of all sessions below these folders, default runs",
    )


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    if options.index is not None:
        if options.run is not None or options.share:
            raise UsageError("--index goes without RUN and --share; it takes folders: shadow report --index [DIR]...")
        sys.stderr.write(f"index {render_sessions(options.index or [RUNS])}\n")
        return 0
    if options.run is None:
        raise UsageError("give a run directory, or --index for the index of all sessions (see shadow report --help)")
    folder = existing_run(options.run)
    if not (folder / "verdict.json").is_file():
        raise UsageError(f"{folder} has no verdict yet; run `shadow judge {folder}` first")
    sys.stderr.write(f"report {render_copy(folder) if options.share else render_report(folder)}\n")
    return 0
