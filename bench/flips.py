"""`python -m bench.flips`: flips of the real stacks on all six connections, audited against the venue's ledger.

Prints JSON: what was lost, doubled and reordered for the application, how long a flip took and how long it was felt,
and how often what the application sent reached the exchange. Exit code 1 when anything was lost, doubled, reordered,
invented, or sent other than once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time
from typing import Any

import msgspec
from openfeature import api

from bench.flip_audit import Audited, Times, audit, figures, once_each, times_of
from bench.flip_drive import Application, HandFlag, until, venue_process
from infrastructure.networking.websocket.migration.event import Side
from infrastructure.networking.websocket.migration.stage import Stage

__all__ = ["Outcome", "Session", "flip_session", "has_lines"]

SEND_EVERY_S = 0.05
SETTLE_S = 0.5
"""Until every subscription of both stacks is answered."""
DRAIN_S = 1.0
"""Behind the last event that counts, for what the audits of the last flips wait for."""


class Outcome(msgspec.Struct):
    """One session of flips; `rate` are events/s that the application got, `sent` how its own messages fared."""

    flips: int
    rate: float
    cpu_share: float
    audited: Audited
    times: Times
    sent: dict[str, int]
    unclean: int
    taken_back: dict[str, str]

    @property
    def is_clean(self) -> bool:
        """Whether the application can have noticed nothing."""
        return self.audited.exact.is_clean and not self.unclean and not self.taken_back and self.sent.keys() == {"once"}

    def figures(self) -> dict[str, Any]:
        """As printed."""
        names = ("first", "reached", "switch", "pause", "above")
        return {
            "flips_each_way": self.flips,
            "events_per_s": round(self.rate),
            "cpu_share": round(self.cpu_share, 2),
            "clean": self.is_clean,
            "audit": msgspec.to_builtins(self.audited),
            "audits_unclean": self.unclean,
            "sent": self.sent,
            "taken_back": self.taken_back,
            "ms": {name: figures(self.times.of_all(name)) for name in names},
            "ms_of_first": {connection: figures(first) for connection, first in self.times.first.items()},
        }


class Session(msgspec.Struct):
    """What a session left: the application, the ledger's folder, and from when to when it counts (ns)."""

    application: Application
    ledger: Path
    flips: int
    began_ns: int
    stopped_ns: int
    rate: float
    cpu_share: float

    def conclude(self) -> Outcome:
        """The ledger against what was got."""
        application = self.application
        records = application.records()
        audited, judged = audit(self.ledger, application.kept.lines, self.began_ns, self.stopped_ns)
        audits = [one.audit for each in records.values() for one in each if one.audit is not None]
        times = times_of(judged, records, application.turned)
        return Outcome(
            self.flips,
            self.rate,
            self.cpu_share,
            audited,
            times,
            once_each(self.ledger, application.sent),
            sum(not one.is_clean for one in audits),
            application.taken_back(),
        )


Drive = Callable[[Application], Awaitable[None]]


def has_lines(application: Application, enough: int) -> bool:
    """Whether the application got so many."""
    return len(application.kept.lines) >= enough


async def flip_session(
    folder: Path,
    *,
    flips: int,
    rate: float,
    dwell_s: float,
    dwell_events: int = 0,
    seed: int = 1,
    then: Drive | None = None,
) -> Session:
    """Turn the flag `flips` times each way at `rate` messages/s; `then` comes last.

    It stays on each side for `dwell_s`, and longer where a busy machine has not brought `dwell_events` by then.
    """
    ledger = folder / "ledger"
    flag = HandFlag(Stage.SHADOW)

    async def turn(application: Application) -> None:
        for stage, side in ((Stage.LIVE, Side.NEW), (Stage.SHADOW, Side.LEGACY)) * flips:
            await application.turn(stage, side)
            enough = len(application.kept.lines) + dwell_events
            await asyncio.sleep(dwell_s)
            await until(partial(has_lines, application, enough))
        if then is not None:
            await then(application)

    try:
        async with venue_process(rate, seed, ledger) as ready:
            application = Application(ready, flag)
            try:
                return Session(application, ledger, flips, *await drive(application, turn))
            finally:
                await application.close()
    finally:
        api.clear_providers()


async def drive(application: Application, turn: Drive) -> tuple[int, int, float, float]:
    """Let the application send and be fed meanwhile: began and stopped (ns), events/s, and its share of a core."""
    await application.open()
    await asyncio.sleep(SETTLE_S)
    began_ns = perf_counter_ns()
    sending = asyncio.create_task(application.keep_sending(SEND_EVERY_S))
    began, began_cpu, before = perf_counter(), process_time(), len(application.kept.lines)
    await turn(application)
    stopped_ns, spent_s = perf_counter_ns(), perf_counter() - began
    rate, share = (len(application.kept.lines) - before) / spent_s, (process_time() - began_cpu) / spent_s
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    await application.catch_up()
    await asyncio.sleep(DRAIN_S)
    return began_ns, stopped_ns, rate, share


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.flips", description=__doc__)
    parser.add_argument("--flips", type=int, default=50, help="each way")
    parser.add_argument("--rate", type=float, default=2000.0, help="messages/s over all connections")
    parser.add_argument("--dwell", type=float, default=0.5, help="seconds on each side")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="ws-shadow-flips-") as folder:
        session = flip_session(Path(folder), flips=options.flips, rate=options.rate, dwell_s=options.dwell)
        outcome = asyncio.run(session).conclude()
    sys.stdout.write(json.dumps(outcome.figures(), indent=1) + "\n")
    return 0 if outcome.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
