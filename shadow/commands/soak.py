"""`shadow soak`: one stack alone at a high rate."""

from __future__ import annotations

import argparse
import json
import sys

from shadow.commands.words import listed, rate_of, say
from shadow.errors import UsageError

__all__ = ["HELP", "add_words", "execute"]

HELP = "one stack alone at a high rate: losses, CPU, memory"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--connections", type=listed, metavar="LIST", help="default: the public ones")
    parser.add_argument("--symbols", type=listed, metavar="LIST", help="Gate.io spelling, default BTC_USDT,ETH_USDT")
    parser.add_argument("--rate", default="10000", metavar="N", help="messages per second over all, default 10000")
    parser.add_argument("--duration", default="60s", metavar="TIME", help="of each subject, default 60s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market and schedule, default 1")
    parser.add_argument(
        "--subjects", type=listed, default=("new",), metavar="LIST", help="new, legacy or a command; default new"
    )
    parser.add_argument("--transport", choices=("websockets", "picows"), default="", help="of our own subjects")
    parser.add_argument(
        "--count-only",
        action="store_true",
        help="our own subjects count their events instead of writing each: the CPU is the stack's alone",
    )
    parser.add_argument("--json", action="store_true", help="print the figures to stdout")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.config import seconds
    from shadow.connections import CONNECTIONS, DEFAULT_SYMBOLS, check_connections, check_symbols
    from shadow.soak import SoakConfig, run_soak
    from shadow.soak_figures import as_json, complaints, summary

    public = tuple(name for name in CONNECTIONS if name.endswith(".public"))
    connections = options.connections if options.connections is not None else public
    symbols = options.symbols if options.symbols is not None else DEFAULT_SYMBOLS
    check_connections(connections)
    check_symbols(symbols)
    rate, unpaced = rate_of(options.rate)
    if unpaced:
        raise UsageError("--rate max does not go with `shadow soak`; give a number")
    if not (connections and symbols and options.subjects):
        raise UsageError("an empty list of connections, symbols or subjects leaves nothing to soak")
    config = SoakConfig(
        connections=connections,
        symbols=symbols,
        rate=rate,
        duration_s=seconds(options.duration),
        seed=options.seed,
        subjects=options.subjects,
        transport=options.transport,
        count_only=options.count_only,
    )
    soaks = run_soak(config, say)
    sys.stderr.write("\n".join(summary(soaks)) + "\n")
    if options.json:
        sys.stdout.write(json.dumps([as_json(soaked) for soaked in soaks]) + "\n")
    return 10 if any(complaints(soaked) for soaked in soaks) else 0
