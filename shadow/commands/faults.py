"""`shadow faults`: the table of every fault on every connection."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from shadow.commands.outcome import EXIT_CODES
from shadow.commands.words import command_of, listed, say
from shadow.pages import RUNS

__all__ = ["HELP", "add_words", "execute"]

HELP = "every fault on every connection: who recovers, what is lost"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--connections", type=listed, metavar="LIST", help="default: all")
    parser.add_argument("--kinds", type=listed, metavar="LIST", help="kinds of fault, default all that fit")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market, order and schedule, default 1")
    parser.add_argument("--legacy", metavar="CMD", help="the baseline's command; default our legacy stack")
    parser.add_argument("--new", metavar="CMD", help="the candidate's command; default our new stack")
    parser.add_argument(
        "--door", choices=("factory", "direct"), default="factory", help="of our new stack; direct: typed callbacks"
    )
    parser.add_argument("--out", type=Path, default=None, metavar="FILE.md", help="write the table as a page")
    parser.add_argument("--json", action="store_true", help="print every figure instead of the table")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.connections import CONNECTIONS, check_connections
    from shadow.fault_table.cells import holds
    from shadow.fault_table.page import as_json, asked, check_page, page, table
    from shadow.fault_table.plan import Common, plan_sessions
    from shadow.fault_table.run import run_sessions
    from shadow.venue.faults import KINDS

    connections = options.connections if options.connections is not None else CONNECTIONS
    check_connections(connections)
    commands = command_of("legacy", options.legacy), command_of("new", options.new)
    common = Common(options.seed, options.door, *commands)
    sessions = plan_sessions(connections, options.kinds if options.kinds is not None else tuple(KINDS))
    if options.out is not None:
        check_page(options.out)
    cells = run_sessions(sessions, common, RUNS, say)
    if options.out is not None:
        options.out.write_text(page(cells, asked(options)))
    sys.stdout.write(json.dumps(as_json(cells)) + "\n" if options.json else table(cells))
    return 0 if holds(cells) else EXIT_CODES["ROLL_BACK"]
