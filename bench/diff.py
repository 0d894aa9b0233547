"""`python -m bench.diff`: how much of a session's events the judge takes in a second on one core, beside lean limits.

Each job is done by the judge's own code and by the shortest code that comes to the same end, in turns on the same
frames. A rate is the median over the rounds and good for a feeling of size; `of_lean` is the ratio within the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from time import process_time_ns
from typing import Any, NamedTuple

from bench.__main__ import table
from shadow.diff.books import BookWalk
from shadow.diff.codes import Finding
from shadow.diff.expected import Owed
from shadow.diff.forms import form_of
from shadow.diff.join import join_stream
from shadow.diff.leg import collector_off
from shadow.diff.lines import Delivered
from shadow.reference import gateio
from shadow.reference.events import Book, Event
from shadow.subjects.probe.frames import SYMBOL, TYPES, frames

__all__ = ["JOBS", "Job", "measure", "row"]

CONNECTION = "gateio.spot.public"
Take = Callable[[], int]
"""Does the job once and gives how many events it found equal."""


class Job(NamedTuple):
    """One row: `goal` is the least rate in events/s that the design asks for."""

    what: str
    goal: int
    make: Callable[[list[Event]], tuple[Take, Take]]
    types: tuple[str, ...]


class Figures(NamedTuple):
    """CPU time in ns of the judge and of lean, one entry a round, and events in a round."""

    judge: list[int]
    lean: list[int]
    events: int


def body_of(event: Event) -> dict[str, Any]:
    """What a stack says of an event: numbers as float64."""
    values = {name: getattr(event, name) for name in event.__struct_fields__ if name not in ("times", "nearest")}
    if isinstance(event, Book):
        bids, asks = event.numbers()
        return values | {"bids": [list(level) for level in bids], "asks": [list(level) for level in asks]}
    texts = {name for name, value in values.items() if isinstance(value, str) and name not in ("id", "symbol", "side")}
    return values | {name: float(values[name]) for name in texts}


def owed_of(events: list[Event]) -> list[Owed]:
    return [Owed(event, i, 0, i, 1, i, "", False, form=form_of(event)) for i, event in enumerate(events)]


def given_of(events: list[Event], bodies: list[dict[str, Any]]) -> list[Delivered]:
    """What one side delivered, a nanosecond behind each sending."""
    return [
        Delivered(i, i + 2, i + 1, CONNECTION, event.type, SYMBOL, body)
        for i, (event, body) in enumerate(zip(events, bodies, strict=True))
    ]


def joins(events: list[Event]) -> tuple[Take, Take]:
    """Pair what was expected with what came; forms and digests are there beforehand."""
    owed, given = owed_of(events), given_of(events, [body_of(event) for event in events])
    digests = [hash((event.symbol, str(body_of(event)))) for event in events]
    told = list(digests)

    def judge() -> int:
        for item in owed:
            item.code, item.delivered = "", None
        for delivered in given:
            delivered.code, delivered.owed = "", None
        join_stream(owed, given, set(), None, [])
        return sum(delivered.code == "MATCH" for delivered in given)

    def lean() -> int:
        waiting = {digest: place for place, digest in enumerate(digests)}
        return sum(waiting.pop(digest, -1) >= 0 for digest in told)

    return judge, lean


def books(events: list[Event]) -> tuple[Take, Take]:
    """Bring expected books into the form that delivered ones are compared with."""
    found = [event for event in events if isinstance(event, Book)]

    def judge() -> int:
        for book in found:
            book.nearest = None
        return sum(form_of(book).book is book and book.numbers() is not None for book in found)

    def lean() -> int:
        count = 0
        for book in found:
            bids = [[float(price), float(quantity)] for price, quantity in book.bids]
            asks = [[float(price), float(quantity)] for price, quantity in book.asks]
            count += (book.last, bids, asks) is not None
        return count

    return judge, lean


def states(events: list[Event]) -> tuple[Take, Take]:
    """Keep the reference's book and the side's, and look after each update whether they are one."""
    found = [event for event in events if isinstance(event, Book)]
    bodies = [body_of(book) for book in found]
    owed, given = owed_of(list(found)), given_of(list(found), bodies)
    for item, delivered in zip(owed, given, strict=True):
        item.code, item.delivered, delivered.code, delivered.owed = "MATCH", delivered, "MATCH", item

    def judge() -> int:
        findings: list[Finding] = []
        walk = BookWalk((CONNECTION, SYMBOL), owed, found, [], False, findings)
        walk.walk(given)
        return 0 if findings else walk.compared + walk.seeded

    def lean() -> int:
        truth: tuple[dict[float, float], dict[float, float]] = {}, {}
        side: tuple[dict[float, float], dict[float, float]] = {}, {}
        return sum(
            all(keep(*each) for each in zip(truth, side, book.numbers(), (body["bids"], body["asks"]), strict=True))
            for book, body in zip(found, bodies, strict=True)
        )

    return judge, lean


def keep(
    truth: dict[float, float], side: dict[float, float], ours: list[list[float]], theirs: list[list[float]]
) -> bool:
    """Change both books; whether they are equal at the prices that were touched."""
    for book, levels in ((truth, ours), (side, theirs)):
        for price, quantity in levels:
            if quantity:
                book[price] = quantity
            else:
                book.pop(price, None)
    return all(truth.get(price) == side.get(price) for price, _ in ours)


JOBS = (
    *(Job(f"join {event_type}", 100_000, joins, (event_type,)) for event_type in TYPES),
    Job("canonical book", 20_000, books, ("book",)),
    Job("book state", 30_000, states, ("book",)),
)


def events_of(event_type: str, count: int) -> list[Event]:
    """The reference's events of so many frames."""
    return [event for payload in frames("gateio", event_type, count) for event in gateio.decode(payload)]


def measure(job: Job, count: int, repetitions: int) -> Figures:
    """Both contenders in turns; AssertionError where one did not find every event equal."""
    events = [event for event_type in job.types for event in events_of(event_type, count)]
    takes = job.make(events)
    spent: tuple[list[int], list[int]] = [], []
    for number in range(repetitions + 1):
        for which in (0, 1) if number % 2 else (1, 0):
            with collector_off():
                began = process_time_ns()
                found = takes[which]()
                took = process_time_ns() - began
            assert found == len(events), f"{job.what}: {found} of {len(events)}"
            if number:
                spent[which].append(took)
    return Figures(*spent, len(events))


def row(job: Job, figures: Figures) -> dict[str, float | str | bool]:
    """One row of the table; rates in events/s."""
    per_s = figures.events * 1e9 / statistics.median(figures.judge)
    ratio = statistics.median(lean / judge for judge, lean in zip(figures.judge, figures.lean, strict=True))
    return {
        "job": job.what,
        "per_s": round(per_s),
        "lean_per_s": round(figures.events * 1e9 / statistics.median(figures.lean)),
        "of_lean": round(ratio, 3),
        "goal_per_s": job.goal,
        "met": per_s >= job.goal,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.diff", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--events", type=int, default=4096, metavar="N", help="events of each type, default 4096")
    options = parser.parse_args()
    rows = [row(job, measure(job, options.events, options.repetitions)) for job in JOBS]
    sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
