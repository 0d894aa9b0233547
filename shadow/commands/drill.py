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
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market, order and places, default 1")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="the record; default in runs/drills")
    parser.add_argument("--json", action="store_true", help="print every figure instead of the table")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.config import CONNECTIONS, check_connections
    from shadow.drill.page import table
    from shadow.drill.run import PAGE_NAME, make_folder, run_drill, write_record

    connections = options.connections if options.connections is not None else CONNECTIONS
    check_connections(connections)
    if not connections:
        raise UsageError("--connections has to name at least one connection")
    folder = make_folder(options.out, RUNS, options.seed)
    try:
        cells, head = run_drill(connections, options.seed, RUNS, say)
    except BaseException:
        with contextlib.suppress(OSError):
            folder.rmdir()
        raise
    record = write_record(folder, cells, head)
    sys.stdout.write(json.dumps(record) + "\n" if options.json else table(cells))
    word, code = ("PASSED", 0) if record["passed"] else ("FAILED", EXIT_CODES["ROLL_BACK"])
    say(f"verdict={word} code={code} report={folder / PAGE_NAME}")
    return code
