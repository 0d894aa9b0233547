"""The words that several commands understand. Nothing heavy is imported here, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import re
import sys
from typing import NoReturn

from shadow.errors import UsageError

__all__ = ["Parser", "add_feed", "command_of", "listed", "rate_of", "say"]


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """One line on stderr, exit code 2."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def listed(text: str) -> tuple[str, ...]:
    """The parts of `a,b,c`."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def add_feed(parser: argparse.ArgumentParser) -> None:
    """The options of whatever has a feed."""
    parser.add_argument("--connections", type=listed, metavar="LIST", help="default: all six")
    parser.add_argument("--feed", default="sim", metavar="FEED", help="sim (default), capture:PATH or live")
    parser.add_argument(
        "--rate",
        default=None,
        metavar="N|max",
        help="messages per second per subject, default 600; max: how much each side keeps up with",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market, order and schedule, default 1")
    parser.add_argument("--profile", choices=("default", "storm"), default="default")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="SPEC",
        help="KIND@CONNECTION[/legacy|/new][:key=value,...], for example close@gateio.spot.public/new:at=10s,code=1006",
    )


def command_of(role: str, text: str | None) -> str:
    """A stack's command, empty for our own. UsageError where it was given empty: ours would be judged in its place."""
    if text is not None and not text.strip():
        raise UsageError(f"--{role} is empty; give a command, or leave the option out for our own stack")
    return text or ""


def rate_of(text: str | None) -> tuple[int, bool]:
    """Messages per second and whether it is `max`."""
    from shadow.config import DEFAULT_RATE

    if text is None:
        return DEFAULT_RATE, False
    if text == "max":
        return DEFAULT_RATE, True
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) <= 0:
        raise UsageError(f"--rate {text!r} must be a positive whole number of messages per second, or max")
    return int(text), False


def say(text: str) -> None:
    """One line for a person."""
    sys.stderr.write(text + "\n")
