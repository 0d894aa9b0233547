"""`shadow venue`: a local exchange for any client."""

from __future__ import annotations

import argparse
from pathlib import Path

from shadow.commands.words import add_feed, rate_of
from shadow.errors import UsageError

__all__ = ["HELP", "add_words", "execute"]

HELP = "serve a local exchange to any client"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_feed(parser)
    parser.add_argument("--deflate", action="store_true", help="accept permessage-deflate")
    parser.add_argument("--ws-port", type=int, default=0, metavar="N", help="default: any free port")
    parser.add_argument("--rest-port", type=int, default=0, metavar="N", help="default: any free port")
    parser.add_argument("--ledger", type=Path, default=None, metavar="DIR", help="write down all that is sent")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.connections import CONNECTIONS, DEFAULT_SYMBOLS, LIVE_CONNECTIONS, check_connections, check_live
    from shadow.venue.alone import run_alone

    own: tuple[str, ...] = () if options.feed.startswith("capture:") else CONNECTIONS
    own = LIVE_CONNECTIONS if options.feed == "live" else own
    connections = options.connections if options.connections is not None else own
    check_connections(connections)
    if options.feed == "live":
        check_live(connections, DEFAULT_SYMBOLS, tuple(options.fault))
    for name, port in (("--ws-port", options.ws_port), ("--rest-port", options.rest_port)):
        if not 0 <= port <= 65535:
            raise UsageError(f"{name} {port} is no port; give a number from 0 (any free one) to 65535")
    if options.ledger is not None:
        try:
            options.ledger.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UsageError(f"--ledger {options.ledger}: {error.strerror}") from None
    rate, unpaced = rate_of(options.rate)
    if unpaced:
        raise UsageError("--rate max does not go with `shadow venue`; give a number")
    code: int = run_alone(
        connections=connections,
        feed=options.feed,
        rate=rate,
        seed=options.seed,
        profile=options.profile,
        faults=tuple(options.fault),
        deflate=options.deflate,
        ws_port=options.ws_port,
        rest_port=options.rest_port,
        ledger_dir=options.ledger,
    )
    return code
