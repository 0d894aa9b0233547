"""`shadow judge`: the verdict again, from the raw data."""

from __future__ import annotations

import argparse
from pathlib import Path

from shadow.commands.outcome import existing_run, judge_folder, tell
from shadow.pages import render_report

__all__ = ["HELP", "add_words", "execute"]

HELP = "re-derive the verdict from a run's raw data"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument("--json", action="store_true", help="print the verdict to stdout")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    folder = existing_run(options.run)
    verdict = judge_folder(folder)
    render_report(folder)
    return tell(verdict, folder, as_json=options.json)
