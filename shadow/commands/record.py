"""`shadow record`: the exchanges' feed into captures."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from shadow.commands.words import listed, say
from shadow.errors import ShadowError, UsageError

__all__ = ["HELP", "add_words", "execute"]

HELP = "record the exchanges' public feed into captures"
LONGEST_FILE_S = 3600.0


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("dest", type=Path, metavar="DEST", help="the folder of the captures; made where it is missing")
    parser.add_argument("--connections", type=listed, metavar="LIST", help="default: all three public ones")
    parser.add_argument("--symbols", type=listed, metavar="LIST", help="Gate.io spelling, default BTC_USDT,ETH_USDT")
    parser.add_argument("--duration", default="", metavar="TIME", help="default: until Ctrl-C")
    parser.add_argument(
        "--max-disk", default="10GB", metavar="SIZE", help="the oldest files go beyond it, default 10GB"
    )
    parser.add_argument("--file-size", default="64MB", metavar="SIZE", help="begin a new file then, default 64MB")
    parser.add_argument("--file-time", default="10m", metavar="TIME", help="or then, default 10m, at most 1h")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    import asyncio

    from shadow.config import seconds
    from shadow.connections import DEFAULT_SYMBOLS, LIVE_CONNECTIONS, check_connections, check_live
    from shadow.recording.folder import size_of
    from shadow.recording.recorder import Recorder, Recording
    from shadow.upstream import read_upstream

    connections = options.connections if options.connections is not None else LIVE_CONNECTIONS
    symbols = options.symbols if options.symbols is not None else DEFAULT_SYMBOLS
    check_connections(connections)
    for connection in connections:
        if connection not in LIVE_CONNECTIONS:
            raise UsageError(f"accounts are not recorded; leave out {connection} with --connections")
    check_live(connections, symbols)
    if not connections or not symbols:
        raise UsageError("an empty list of connections or symbols leaves nothing to record")
    file_s = seconds(options.file_time)
    if file_s > LONGEST_FILE_S:
        raise UsageError(f"--file-time {options.file_time}: a session replays an hour at most; give 1h or less")
    recording = Recording(
        folder=options.dest,
        connections=connections,
        symbols=symbols,
        max_bytes=size_of(options.max_disk, "--max-disk"),
        file_bytes=size_of(options.file_size, "--file-size"),
        file_s=file_s,
        duration_s=seconds(options.duration) if options.duration else None,
    )
    upstream = read_upstream()
    progress = Progress()

    async def record() -> Any:
        return await Recorder(recording, upstream, progress.tell).run()

    try:
        totals = asyncio.run(record())
    finally:
        progress.end()
    if not totals.files:
        raise ShadowError("nothing was recorded: no push came")
    counted = ", ".join(f"{connection} {count}" for connection, count in sorted(totals.frames.items()))
    say(f"{options.dest}: {totals.files} files of this recording, {totals.bytes / 1e6:.1f} MB; frames: {counted}")
    for count, what in (
        (totals.left_out, "frames left out: not compared, or unreadable"),
        (totals.losses, "losses of a connection, each the end of a file"),
        (totals.removed, "old files removed for --max-disk"),
        (totals.bookless, "files in which a symbol has no order book: updates are compared, books are not"),
    ):
        if count:
            say(f"{count} {what}")
    return 0


class Progress:
    """One live line on a terminal, elsewhere a line each five seconds; always stderr."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty()
        self._last_s = 0.0

    def tell(self, spent_s: float, totals: Any) -> None:
        """Show how far it is."""
        line = f"{spent_s:.0f} s  {totals.files} files, {totals.bytes / 1e6:.1f} MB  {totals.losses} losses"
        if self._is_live:
            sys.stderr.write(f"\r{line}  (Ctrl-C ends it)\x1b[K")
            sys.stderr.flush()
        elif spent_s - self._last_s >= 5.0:
            self._last_s = spent_s
            say(line)

    def end(self) -> None:
        """Leave the live line."""
        if self._is_live:
            sys.stderr.write("\n")
