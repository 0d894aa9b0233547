"""`shadow judge`: the verdict again, from the raw data; with `--attach`, of an application while it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from shadow.commands.outcome import Judging, existing_run, tell
from shadow.errors import UsageError
from shadow.pages import render_report

if TYPE_CHECKING:
    from shadow.verdict.legs import DiffLegs

__all__ = ["HELP", "add_words", "execute"]

HELP = "re-derive the verdict from a run's raw data, or judge a running application"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="a run directory")
    parser.add_argument(
        "--attach", type=Path, metavar="TAP", help="judge a running application at this socket, until it ends or Ctrl-C"
    )
    parser.add_argument("--duration", default="", metavar="TIME", help="with --attach: end after this time")
    parser.add_argument(
        "--engine", choices=("python", "duckdb"), default="python", help="what compares the events, default python"
    )
    parser.add_argument(
        "--memory", default=None, metavar="SIZE", help="with duckdb: what its database may hold, default 512MB"
    )
    parser.add_argument("--json", action="store_true", help="print the verdict, or each look, to stdout")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    if options.attach is not None:
        return _attach(options)
    if options.run is None:
        raise UsageError("no run given; name the folder that `shadow run` wrote, or --attach TAP")
    if options.duration:
        raise UsageError("--duration goes with --attach; a run is judged as a whole")
    differ = _engine(options)
    folder = existing_run(options.run)
    if differ is not None and any(folder.glob("stretches/*/*.json")):
        raise UsageError(f"{folder} was compared in stretches while it went on; leave --engine and --memory out")
    with Judging(folder, differ) as judging:
        verdict = judging.judge()
        render_report(folder)
    return tell(verdict, folder, as_json=options.json)


def _attach(options: argparse.Namespace) -> int:
    """Watch a tap; gives the exit code."""
    from shadow.attach.run import attach
    from shadow.config import seconds
    from shadow.rollout.places import places

    if options.run is not None or options.engine != "python" or options.memory is not None:
        raise UsageError("--attach judges a running application; leave RUN, --engine and --memory out")
    duration_s = seconds(options.duration) if options.duration else None
    return attach(options.attach, places().folder, duration_s, json=options.json)


def _engine(options: argparse.Namespace) -> DiffLegs | None:
    """What compares the events; None for the ordinary diff."""
    if options.engine == "python":
        if options.memory is not None:
            raise UsageError("--memory goes with --engine duckdb; the ordinary diff holds a leg as a whole")
        return None
    from shadow.offline.engine import duckdb_engine

    return duckdb_engine(options.memory or "512MB")
