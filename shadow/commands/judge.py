"""`shadow judge`: the verdict again, from the raw data."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from shadow.commands.outcome import existing_run, judge_folder, tell
from shadow.errors import UsageError
from shadow.pages import render_report

if TYPE_CHECKING:
    from shadow.verdict.legs import DiffLegs

__all__ = ["HELP", "add_words", "execute"]

HELP = "re-derive the verdict from a run's raw data"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    parser.add_argument(
        "--engine", choices=("python", "duckdb"), default="python", help="what compares the events, default python"
    )
    parser.add_argument(
        "--memory", default=None, metavar="SIZE", help="with duckdb: what its database may hold, default 512MB"
    )
    parser.add_argument("--json", action="store_true", help="print the verdict to stdout")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    differ = _engine(options)
    folder = existing_run(options.run)
    if differ is not None and any(folder.glob("stretches/*/*.json")):
        raise UsageError(f"{folder} was compared in stretches while it went on; leave --engine and --memory out")
    verdict = judge_folder(folder, differ)
    render_report(folder)
    return tell(verdict, folder, as_json=options.json)


def _engine(options: argparse.Namespace) -> DiffLegs | None:
    """What compares the events; None for the ordinary diff."""
    if options.engine == "python":
        if options.memory is not None:
            raise UsageError("--memory goes with --engine duckdb; the ordinary diff holds a leg as a whole")
        return None
    from shadow.offline.engine import duckdb_engine

    return duckdb_engine(options.memory or "512MB")
