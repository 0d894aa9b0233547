"""The words that `shadow` understands. Nothing heavy is imported here, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from shadow.errors import UsageError

__all__ = ["parser"]


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """One line on stderr, exit code 2."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parser() -> Parser:
    """All commands with their options."""
    root = Parser(prog="shadow", description="Runs two WebSocket stacks on one feed and says which may serve.")
    root.add_argument("--version", action="store_true", help="print the version and exit")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    _add_run(commands.add_parser("run", help="run a session and judge it"))
    _add_venue(commands.add_parser("venue", help="serve a local exchange to any client"))
    _add_soak(commands.add_parser("soak", help="one stack alone at a high rate: losses, CPU, memory"))
    _add_faults(commands.add_parser("faults", help="every fault on every connection: who recovers, what is lost"))
    judge = commands.add_parser("judge", help="re-derive the verdict from a run's raw data")
    judge.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    judge.add_argument("--json", action="store_true", help="print the verdict to stdout")
    report = commands.add_parser("report", help="render a run's report again, or the index of all sessions")
    report.add_argument("run", type=Path, nargs="?", metavar="RUN", help="a run directory")
    report.add_argument("--share", action="store_true", help="a copy with pseudonyms for account data")
    report.add_argument(
        "--index",
        type=Path,
        nargs="*",
        default=None,
        metavar="DIR",
        help="instead: the index of all sessions below these folders, default runs",
    )
    bring = commands.add_parser("import", help="make a capture out of what your own client received")
    bring.add_argument("source", type=Path, metavar="SRC", help="a log as docs/capture-format.md says")
    bring.add_argument("dest", type=Path, metavar="DEST", help="the capture for --feed capture:DEST, a new file")
    bring.add_argument("--connection", metavar="ID", help="which one, where the log holds several or names none")
    _add_doctor(commands.add_parser("doctor", help="what this machine can do for a session, and what is wrong"))
    _add_reproduce(commands.add_parser("reproduce", help="the smallest frames that show a run's differences again"))
    return root


def _add_feed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=_listed, metavar="LIST", help="default: all six")
    parser.add_argument(
        "--feed", default="sim", metavar="FEED", help="sim (default) or capture:PATH; live is not built yet"
    )
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


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_feed(parser)
    parser.add_argument("--symbols", type=_listed, metavar="LIST", help="Gate.io spelling, default BTC_USDT,ETH_USDT")
    parser.add_argument("--channels", type=_listed, metavar="LIST", help="default: all of each connection's scope")
    parser.add_argument(
        "--duration", default="", metavar="TIME", help="sum of the measured phases, default 65s (12s with --rate max)"
    )
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        metavar="N",
        help="a compressed day: 24-hour closes and listen keys come N times sooner, default 1",
    )
    parser.add_argument("--grade", choices=("quick", "release"), default="quick", help="release is not built yet")
    parser.add_argument("--legacy", default="", metavar="CMD", help="the baseline's command; default our legacy stack")
    parser.add_argument("--new", default="", metavar="CMD", help="the candidate's command; default our new stack")
    parser.add_argument("--no-calibration", action="store_true", help="no A/A legs; SHIP is then impossible")
    parser.add_argument("--direct", action="store_true", help="with live (not built yet)")
    parser.add_argument("--known", default=None, metavar="FILE", help="the known-differences list (TOML)")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="the run directory, new or empty")
    parser.add_argument("--json", action="store_true", help="print the verdict to stdout")


def _add_venue(parser: argparse.ArgumentParser) -> None:
    _add_feed(parser)
    parser.add_argument("--deflate", action="store_true", help="accept permessage-deflate")
    parser.add_argument("--ws-port", type=int, default=0, metavar="N", help="default: any free port")
    parser.add_argument("--rest-port", type=int, default=0, metavar="N", help="default: any free port")
    parser.add_argument("--ledger", type=Path, default=None, metavar="DIR", help="write down all that is sent")


def _add_soak(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=_listed, metavar="LIST", help="default: the public ones")
    parser.add_argument("--symbols", type=_listed, metavar="LIST", help="Gate.io spelling, default BTC_USDT,ETH_USDT")
    parser.add_argument("--rate", default="10000", metavar="N", help="messages per second over all, default 10000")
    parser.add_argument("--duration", default="60s", metavar="TIME", help="of each subject, default 60s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market and schedule, default 1")
    parser.add_argument(
        "--subjects", type=_listed, default=("new",), metavar="LIST", help="new, legacy or a command; default new"
    )
    parser.add_argument("--transport", choices=("websockets", "picows"), default="", help="of our own subjects")
    parser.add_argument("--json", action="store_true", help="print the figures to stdout")


def _add_reproduce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run directory; its candidate is started again")
    parser.add_argument("--code", type=str.upper, default="", metavar="CODE", help="differences of this code only")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="default: RUN/reproducer")
    parser.add_argument("--new", default="", metavar="CMD", help="the candidate's command; default that of the run")
    parser.add_argument("--accounts", action="store_true", help="private connections too: account data are written")
    parser.add_argument("--tries", type=int, default=60, metavar="N", help="replays for each difference, default 60")
    parser.add_argument("--limit", type=int, default=5, metavar="N", help="differences at most, default 5")


def _add_faults(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=_listed, metavar="LIST", help="default: all")
    parser.add_argument("--kinds", type=_listed, metavar="LIST", help="kinds of fault, default all that fit")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market, order and schedule, default 1")
    parser.add_argument("--legacy", default="", metavar="CMD", help="the baseline's command; default our legacy stack")
    parser.add_argument("--new", default="", metavar="CMD", help="the candidate's command; default our new stack")
    parser.add_argument(
        "--door", choices=("factory", "direct"), default="factory", help="of our new stack; direct: typed callbacks"
    )
    parser.add_argument("--out", type=Path, default=None, metavar="FILE.md", help="write the table as a page")
    parser.add_argument("--json", action="store_true", help="print every figure instead of the table")


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--duration", default="65s", metavar="TIME", help="of the session that is meant, default 65s")
    parser.add_argument("--rate", type=int, default=600, metavar="N", help="its messages per second, default 600")
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where it would write")
    parser.add_argument("--live", action="store_true", help="not built yet")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
