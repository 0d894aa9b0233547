"""What the ledger says of one side's acks, closes and faults, and what that allows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from statistics import median
from typing import Any, Final

import msgspec

from shadow.diff.codes import PRIVATE_TYPES
from shadow.diff.frames import Send, rows_of

__all__ = ["AUTH_FAULTS", "MIN_SILENCE_NS", "REFUSING", "Allowance", "SideRows", "allowance", "side_rows", "silence_ns"]

MIN_SILENCE_NS: Final = 2_000_000_000
SILENT_GAPS: Final = 20
ABNORMAL_CODES: Final = frozenset({1006})
HALF_OPEN: Final = "fault:halfopen"
ABNORMAL_CAUSES: Final = frozenset({"fault:reset", HALF_OPEN})
ORDERLY_CAUSES: Final = frozenset({"stop", "planned"})
AUTH_FAULTS: Final = frozenset({"refuse-auth", "late-auth", "expire-key"})
REFUSING: Final = AUTH_FAULTS | {"refuse-subscribe"}
"""Faults under which a subject may stay without a subscription."""
STREAM: Final = ("connection", "channel", "symbol")
WHOLE_ACCOUNT: Final = "*"
"""The symbol under which a private channel's ack is kept beside its own: most subscribe to all symbols at once."""


class Allowance(msgspec.Struct):
    """What the faults and closes of one side allow; times in ns.

    `abnormal` are the connections that ended without a closing handshake, with when; None for a half-open one, which
    was dead for longer than the ledger says.
    """

    stop: int | None
    acks: dict[tuple[str, int, str, str], int]
    abnormal: dict[tuple[str, int], int | None]
    faults: dict[str, Counter[str]]
    corrupt: dict[str, int]
    refused: dict[str, int]
    swaps: list[tuple[int, tuple[str, str, str]]]

    def is_edge(self, connection: str, conn_no: int, channel: str, symbol: str, t: int) -> bool:
        """Whether `t` is before that side's ack of the stream, or after its stop."""
        if self.stop is not None and t > self.stop:
            return True
        ack = self.acks.get((connection, conn_no, channel, symbol))
        if ack is None:
            ack = self.acks.get((connection, conn_no, channel, WHOLE_ACCOUNT))
        return ack is not None and t < ack

    def first_ack(self, connection: str, channel: str, symbol: str) -> int | None:
        """The time of the stream's first ack on any connection number."""
        names = (symbol, WHOLE_ACCOUNT)
        return min(
            (t for (c, _, ch, s), t in self.acks.items() if (c, ch) == (connection, channel) and s in names),
            default=None,
        )

    def is_refusing(self, connection: str) -> bool:
        """Whether a fault kept this side from subscribing there, for a while or for good."""
        return any(kind in REFUSING for kind in self.faults.get(connection, ()))


class SideRows(msgspec.Struct):
    """One leg's ledger rows, as small row dicts."""

    connections: list[dict[str, Any]]
    marks: list[dict[str, Any]]


def allowance(role: str, rows: SideRows, sends: list[Send]) -> Allowance:
    """Read one side's acks, closes and faults from the ledger."""
    allowed = Allowance(None, {}, {}, {}, {}, {}, [])
    for row in rows.connections:
        if row["subject"] == role:
            note_connection(allowed, row)
    for row in rows.marks:
        if row["role"] in (role, "", None):
            note_mark(allowed, role, row)
    for send in sends:
        if send.frame.fault:
            kinds = allowed.faults.setdefault(send.frame.connection, Counter())
            kinds[send.frame.fault] += 1
            if not send.frame.readable:
                allowed.corrupt[send.frame.connection] = allowed.corrupt.get(send.frame.connection, 0) + 1
    return allowed


def note_connection(allowed: Allowance, row: dict[str, Any]) -> None:
    event, connection, cause = row["event"], row["connection"], row["cause"] or ""
    if event == "subscribed":
        link = connection, row["conn_no"], row["channel"]
        allowed.acks.setdefault((*link, row["symbol"] or ""), row["t"])
        if row["channel"] in PRIVATE_TYPES:
            allowed.acks.setdefault((*link, WHOLE_ACCOUNT), row["t"])
    elif event == "refused" and not cause.startswith("fault:"):
        allowed.refused[connection] = allowed.refused.get(connection, 0) + 1
    elif event == "close":
        if cause == "stop":
            allowed.stop = min(allowed.stop or row["t"], row["t"])
        elif is_abnormal(row["code"], cause):
            allowed.abnormal[connection, row["conn_no"]] = None if cause == HALF_OPEN else row["t"]
        if cause.startswith("fault:"):
            allowed.faults.setdefault(connection, Counter())[cause.removeprefix("fault:")] += 1


def is_abnormal(code: int | None, cause: str) -> bool:
    """Whether a connection ended without a closing handshake, and not by the client: its own abort excuses nothing."""
    if cause == "client":
        return False
    return code in ABNORMAL_CODES or cause in ABNORMAL_CAUSES or (code is None and cause not in ORDERLY_CAUSES)


def silence_ns(times: Iterable[int]) -> float | None:
    """T of what was sent at these times (ns, ascending): how long a side may be silent; None of less than two."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return max(MIN_SILENCE_NS, SILENT_GAPS * median(gaps)) if gaps else None


def note_mark(allowed: Allowance, role: str, row: dict[str, Any]) -> None:
    name = row["name"]
    if name == "leg-end" or (name == "subject-stop" and row["role"] == role):
        allowed.stop = min(allowed.stop or row["t"], row["t"])
    elif name == "fault":
        detail = json.loads(row["detail"] or "{}")
        if detail.get("role") in (role, "", None):
            allowed.faults.setdefault(detail.get("connection", ""), Counter())[detail.get("kind", "")] += 1
            if detail.get("kind") == "swap":
                connection, channel, symbol = (str(detail.get(name) or "") for name in STREAM)
                stream = connection, channel, symbol
                allowed.swaps.append((row["t"], stream))


def side_rows(connections: Any, marks: Any) -> SideRows:
    """Rows of the two small tables."""
    return SideRows(rows_of(connections), rows_of(marks))
