"""`python -m bench.peers`: frame to callback beside what other clients take for the same frames.

Every peer is entered where its own reader enters it, and does all it does. Each round ends with a look at what it
holds or told, so that a peer that skipped its work does not look fast.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from importlib import import_module
from typing import Any

from bench.contenders import Contenders
from bench.measure import Figures, Runner, rounds
from shadow.subjects.probe.frames import TYPES, frames

__all__ = ["GATES", "main", "measure_all", "peers"]

FRAMES = 1024
# Module and class of each peer, and what installs it.
PEERS = {
    "ccxt": ("bench.peer_ccxt", "CcxtPeer", "pip install -e '.[dev]'"),
    "cryptofeed": ("bench.peer_cryptofeed", "CryptofeedPeer", "pip install -e '.[peers]' (takes a C compiler)"),
}
# At most this share of a peer's time.
GATES = {
    "ccxt": {"book": 0.25, "trade": 0.1, "book_ticker": 0.1, "ticker": 0.1},
    "cryptofeed": {"book": 0.4, "trade": 0.6, "ticker": 0.6},
}
HEAD = f"{'exchange':>8}  {'type':>11}  {'peer':>10}  {'peer us':>8}  {'new us':>7}  {'new/peer':>8}  {'goal':>5}  met"


def peers() -> tuple[dict[str, Any], list[str]]:
    """Class of each peer that is installed, by name; a line for each that is not."""
    found, absent = {}, []
    for name, (module, class_name, way) in PEERS.items():
        try:
            found[name] = getattr(import_module(module), class_name)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != name:
                raise
            absent.append(f"{name}: not installed; {way}")
    return found, absent


async def measure(exchange: str, event_type: str, made: dict[str, Any], repetitions: int) -> Figures:
    """Times of the new stack and of each peer that knows the type, all in the same rounds."""
    contenders = Contenders(exchange, event_type)
    entered = {name: make(exchange, event_type) for name, make in made.items()}
    runners: dict[str, Runner] = {"new": contenders.all()["new"]} | {name: one.run for name, one in entered.items()}
    try:
        return await rounds(runners, frames(exchange, event_type, FRAMES), repetitions)
    finally:
        await contenders.close()
        for one in entered.values():
            await one.close()


async def measure_all(repetitions: int) -> list[str]:
    """A line for each exchange, type and peer that knows it; then those that are not installed."""
    found, absent = peers()
    lines = [HEAD]
    for exchange in ("gateio", "mexc"):
        for event_type in TYPES:
            made = {name: one for name, one in found.items() if (exchange, event_type) in one.KNOWS}
            if made:
                figures = await measure(exchange, event_type, made, repetitions)
                lines += [_line(exchange, event_type, name, figures) for name in made]
    return lines + absent


def _line(exchange: str, event_type: str, name: str, figures: Figures) -> str:
    peer, new, ratio = figures.median_ns(name) / 1000, figures.median_ns("new") / 1000, figures.ratio("new", name)
    goal = GATES[name][event_type]
    head = f"{exchange:>8}  {event_type:>11}  {name:>10}"
    return f"{head}  {peer:8.1f}  {new:7.2f}  {ratio:8.3f}  {goal:5.2f}  {ratio <= goal}"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    sys.stdout.write("\n".join(asyncio.run(measure_all(options.repetitions))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
