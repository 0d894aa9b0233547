"""The command `shadow`. Each command is a module; heavy imports happen when one is executed, so `--help` is quick."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from typing import Protocol

from shadow.commands import (
    bring,
    doctor,
    drill,
    faults,
    flip,
    journal,
    judge,
    metrics,
    record,
    report,
    reproduce,
    rollout,
    run,
    soak,
    status,
    venue,
)
from shadow.commands.words import Parser
from shadow.environment import keep_to_ourselves
from shadow.errors import ShadowError, UsageError

__all__ = ["main"]


class Command(Protocol):
    """What a module of `shadow.commands` holds."""

    HELP: str

    def add_words(self, parser: argparse.ArgumentParser, /) -> None:
        """Its options."""

    def execute(self, options: argparse.Namespace, /) -> int:
        """Do it; gives the exit code."""


COMMANDS: dict[str, Command] = {
    "run": run,
    "venue": venue,
    "soak": soak,
    "faults": faults,
    "drill": drill,
    "judge": judge,
    "report": report,
    "import": bring,
    "record": record,
    "doctor": doctor,
    "reproduce": reproduce,
    "flip": flip,
    "rollout": rollout,
    "status": status,
    "journal": journal,
    "metrics": metrics,
}
LATER = ("signoff",)
NO_WAY_TO_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)


def parser() -> Parser:
    """All commands with their options."""
    root = Parser(prog="shadow", description="Runs two WebSocket stacks on one feed and says which may serve.")
    root.add_argument("--version", action="store_true", help="print the version and exit")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, command in COMMANDS.items():
        command.add_words(commands.add_parser(name, help=command.HELP))
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a person's mistake is one line on stderr and code 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    # The judge's matrix products are small: a second thread for them would only wait for its turn.
    keep_to_ourselves("OPENBLAS_NUM_THREADS", "1")
    try:
        if words and words[0] in LATER:
            *first, last = COMMANDS
            raise UsageError(f"`shadow {words[0]}` is not built yet; built are {', '.join(first)} and {last}")
        options = parser().parse_args(words)
        if options.version:
            from importlib.metadata import version

            sys.stdout.write(f"ws-shadow {version('ws-shadow')}\n")
            return 0
        if options.command is None:
            raise UsageError("no command given (see shadow --help)")
        return COMMANDS[options.command].execute(options)
    except ShadowError as error:
        sys.stderr.write(f"shadow: {error}\n")
        return error.exit_code
    except OSError as error:
        if error.errno not in NO_WAY_TO_WRITE:
            raise
        sys.stderr.write(
            f"shadow: {error.filename or 'a file'}: {error.strerror}; make room, or give the right to it\n"
        )
        return ShadowError.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("shadow: stopped\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
