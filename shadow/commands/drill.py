"""`shadow drill`: harm on purpose, and what the judge says to it."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

from shadow.commands.outcome import EXIT_CODES
from shadow.commands.words import listed, say
from shadow.errors import UsageError
from shadow.pages import RUNS

__all__ = ["HELP", "add_words", "execute"]

HELP = "harm on purpose: does each trigger fire, and only then"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--connections", type=listed, metavar="LIST", help="default: all six")
    parser.add_argument(
        "--stages", type=listed, metavar="LIST", default=("shadow",), help="shadow (default), canary, live"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market, order and places, default 1")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="the record; default in runs/drills")
    parser.add_argument("--json", action="store_true", help="print every figure instead of the table")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.connections import CONNECTIONS, check_connections
    from shadow.drill.page import table
    from shadow.drill.run import PAGE_NAME, check_stages, make_folders, run_drills, write_record

    connections = options.connections if options.connections is not None else CONNECTIONS
    check_connections(connections)
    if not connections:
        raise UsageError("--connections has to name at least one connection")
    check_stages(options.stages, connections)
    folders = make_folders(options.out, RUNS, options.seed, options.stages)
    try:
        found = run_drills(options.stages, connections, options.seed, RUNS, say)
    except BaseException:
        for folder in folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    passed = True
    for folder, (cells, head) in zip(folders, found, strict=True):
        record = write_record(folder, cells, head)
        passed = passed and record["passed"]
        sys.stdout.write(json.dumps(record) + "\n" if options.json else table(cells))
    word, code = ("PASSED", 0) if passed else ("FAILED", EXIT_CODES["ROLL_BACK"])
    say(f"verdict={word} code={code} report={', '.join(str(folder / PAGE_NAME) for folder in folders)}")
    return code
