"""How much a side asks of the exchange: sockets at once, connections, and each request, against what legacy needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from shadow.diff.allowance import REFUSING, Allowance, SideRows
from shadow.diff.codes import Finding
from shadow.diff.requests import Asked

__all__ = ["too_much"]

TIMES: Final = 2
"""A stack that renews a connection, or asks again for a book that came too old, asks so many times as often."""
BESIDE: Final = 10
"""How often a stack may ask beyond that in a leg, so that a single retry or renewal makes no finding."""
SOCKETS: Final = 3
"""Open at once without a word: the old one, its successor, and one that is being closed."""
A_FAULT: Final = 3
OWN: Final = frozenset({"client", "idle", "planned", "stop"})
"""Causes of a close that every stack has alike or brings about itself; all others make a stack connect again."""
ASKING: Final = REFUSING | {"stale-rest"}
"""Faults under which a stack asks until it is answered, one more often than the other."""


class Sockets:
    """One side's sockets on one connection: opened, closed by somebody else, and how many at once."""

    def __init__(self) -> None:
        self.opened = 0
        self.taken = 0
        self.most = 0
        self._open: set[int] = set()

    def add(self, row: Mapping[str, Any]) -> None:
        """One row of `connections`, in order of time."""
        if row["event"] == "open":
            self.opened += 1
            self._open.add(row["conn_no"])
            self.most = max(self.most, len(self._open))
        elif row["event"] == "close":
            self._open.discard(row["conn_no"])
            self.taken += (row["cause"] or "") not in OWN


def too_much(sides: dict[str, Asked], rows: SideRows, allowed: Mapping[str, Allowance]) -> list[Finding]:
    """CONTROL of the candidate where it opens or asks a multiple of what the baseline does.

    Each close by the venue, and each fault, is a reason to connect, to subscribe and to ask for a book again.
    """
    baseline, candidate = sides
    sockets = {role: sockets_of(role, rows) for role in sides}
    found: list[Finding] = []
    for connection, new in sorted(sockets[candidate].items()):
        legacy = sockets[baseline].get(connection)
        if legacy is None:
            continue
        faults = allowed[candidate].faults.get(connection, Counter())
        if new.most > max(TIMES * legacy.most, SOCKETS) + faults["halfopen"]:
            found.append(finding(connection, "sockets at once", legacy.most, new.most))
        if any(kind in ASKING for kind in faults):
            continue
        beside = BESIDE + A_FAULT * sum(faults.values())
        if new.opened - new.taken > TIMES * max(legacy.opened - legacy.taken, 1) + beside:
            found.append(finding(connection, "connections", legacy.opened, new.opened))
        ours, theirs = sides[baseline].amounts(connection), sides[candidate].amounts(connection)
        for what, times in sorted(theirs.items()):
            if ours and times > TIMES * max(ours[what], new.taken + 1) + beside:
                found.append(finding(connection, what[0], ours[what], times, what))
    return found


def sockets_of(role: str, rows: SideRows) -> dict[str, Sockets]:
    """A side's sockets by connection."""
    found: dict[str, Sockets] = {}
    for row in sorted(rows.connections, key=lambda row: row["t"]):
        if row["subject"] == role:
            found.setdefault(row["connection"], Sockets()).add(row)
    return found


def finding(connection: str, what: str, legacy: int, new: int, words: tuple[str, ...] = ()) -> Finding:
    field = f"{what} too many"
    ref = ("CONTROL", connection, field, *words)
    return Finding("CONTROL", connection, "", "", field, ref, -1, legacy, " ".join((*words, str(new))).strip())
