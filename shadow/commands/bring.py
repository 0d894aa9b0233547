"""`shadow import`: a capture out of what a team's own client received."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

__all__ = ["HELP", "add_words", "execute"]

HELP = "make a capture out of what your own client received"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("source", type=Path, metavar="SRC", help="a log as docs/capture-format.md says")
    parser.add_argument("dest", type=Path, metavar="DEST", help="the capture for --feed capture:DEST, a new file")
    parser.add_argument("--connection", metavar="ID", help="which one, where the log holds several or names none")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.importing.run import import_capture
    from shadow.importing.totals import summary

    totals = import_capture(options.source, options.dest, options.connection)
    sys.stderr.write(summary(totals, options.dest))
    return 0
