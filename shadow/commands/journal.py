"""`shadow journal verify`: whether the record of the rollout is whole."""

from __future__ import annotations

import argparse
import sys

__all__ = ["HELP", "add_words", "execute"]

HELP = "whether the rollout's journal is as it was written"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its one action."""
    parser.add_argument("action", choices=("verify",), help="0 good; 10 changed, removed or reordered; 12 unreadable")


def execute(_: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.errors import ShadowError, UsageError
    from shadow.rollout.flag_file import read_flag_file
    from shadow.rollout.journal import read_journal
    from shadow.rollout.places import places

    where = places()
    try:
        mark = read_flag_file(where.flags).mark
    except ShadowError as error:
        mark = None
        sys.stderr.write(f"the flag file does not help to verify: {error}\n")
    is_known = mark is not None and mark.count > 0
    if not is_known and not where.journal.exists() and not where.journal.with_suffix(".head").exists():
        raise UsageError(f"there is no journal at {where.journal} yet; the first `shadow flip` begins one")
    reading = read_journal(where.journal, mark)
    if reading.finding is not None:
        sys.stderr.write(f"{where.journal} line {reading.finding.line}: {reading.finding.says}\n")
        return 10
    torn = f", then {reading.torn} bytes of a line that a kill cut short" if reading.torn else ""
    sys.stderr.write(f"{where.journal}: {len(reading.entries)} lines, as they were written{torn}\n")
    return 0
