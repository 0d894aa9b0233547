"""`shadow status`: who serves, in one line."""

from __future__ import annotations

import argparse
import sys

__all__ = ["HELP", "add_words", "execute"]

HELP = "who serves, who watches and what is open, in one line"


def add_words(parser: argparse.ArgumentParser) -> None:
    """It has no options."""


def execute(_: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.rollout.controller import Controller
    from shadow.rollout.places import places
    from shadow.rollout.telling import one_line

    controller = Controller(places())
    sys.stdout.write(one_line(controller.books().state, controller.seen()) + "\n")
    return 0
