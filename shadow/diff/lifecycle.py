"""The life of an order as a small automaton, over whatever a side or the venue says of it.

    open -> partial -> filled | cancelled         open -> filled | cancelled | rejected

An update may repeat the one before it, and updates may be left out; fills come on their own channel in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, NamedTuple

__all__ = ["STATUSES", "TERMINAL", "Step", "breach", "breaches", "is_overfilled"]

TERMINAL: Final = frozenset({"filled", "cancelled", "rejected"})
STATUSES: Final = TERMINAL | {"open", "partial"}
ZERO: Final = Decimal(0)


class Step(NamedTuple):
    """One order update: numbers are None where they cannot be read, `terms` is what else a repeat has in common.

    `source` is whatever the caller wants back.
    """

    id: str
    status: str
    filled: Decimal | None
    quantity: Decimal | None
    terms: tuple[Any, ...] = ()
    source: Any = None


def is_overfilled(step: Step) -> bool:
    """Whether more is filled than was asked for."""
    return step.filled is not None and step.quantity is not None and step.filled > step.quantity


def breach(before: Step, step: Step) -> str | None:
    """What is illegal in this update after the one before it, or None."""
    if content(before) == content(step):
        return None
    grown = ZERO if step.filled is None or before.filled is None else step.filled - before.filled
    if before.status in TERMINAL:
        return f"filled on after {before.status}" if grown > 0 else f"changed after {before.status}"
    if grown < 0:
        return "filled going back"
    return "partial to open" if (before.status, step.status) == ("partial", "open") else None


def breaches(steps: Iterable[Step]) -> dict[tuple[str, str], Step]:
    """The first step of each illegal thing, by (order id, what); steps of many orders in the order they came.

    An update of a status that there is none of says nothing of the order's life and is passed over. One that is illegal
    does not count as the order's state: what is over stays over, and `filled` is measured against the most so far.
    """
    found: dict[tuple[str, str], Step] = {}
    last: dict[str, Step] = {}
    for step in steps:
        if step.status not in STATUSES:
            continue
        if is_overfilled(step):
            found.setdefault((step.id, "filled above quantity"), step)
        before = last.get(step.id)
        what = breach(before, step) if before is not None else None
        if what is None:
            last[step.id] = step
        else:
            found.setdefault((step.id, what), step)
    return found


def content(step: Step) -> tuple[Any, ...]:
    """What two updates have in common when one repeats the other."""
    return step.status, step.filled, step.quantity, step.terms
