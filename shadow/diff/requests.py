"""What each side sent to the venue, compared by meaning: subscriptions as a set, pings by presence, orders never.

Neither the order nor the batching of subscribe frames matters, nor the number of pings and of renewals of a listen key,
nor what keys, ids, times and signatures say. How often a request is made is judged in `amounts.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Final

from shadow.diff.allowance import AUTH_FAULTS, SideRows
from shadow.diff.codes import Finding
from shadow.diff.meanings import (
    Meaning,
    as_object,
    gateio_meanings,
    handshake_meanings,
    is_order_call,
    key_call,
    key_meaning,
    login_meaning,
    question,
)

__all__ = ["Asked", "asked", "auth_faults", "compare_requests", "given_up", "refusals", "shared_refusals", "summary"]

ORDER_WORDS: Final = ("order_place", "order_cancel", "order_amend", "order_batch", "order_status", "order_list")
HANDSHAKE: Final = ("header", "parameter")
MIN_PINGS: Final = 2
"""A ping is only called missing where the other side sent at least this many in the leg."""


class Asked:
    """What one side asked: meanings per connection, pings, and orders."""

    def __init__(self) -> None:
        self.meanings: dict[str, set[Meaning]] = {}
        self.pings: Counter[tuple[str, str]] = Counter()
        self.orders: list[tuple[str, str]] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self._amounts: dict[str, Counter[Meaning]] = {}

    def amounts(self, connection: str) -> Counter[Meaning]:
        """How often each request was made on a connection; pings, renewals of a listen key and orders are none."""
        return self._amounts.get(connection, Counter())

    def add(self, connection: str, kind: str, payload: bytes) -> None:
        """Note one row of the requests table."""
        self.counts[(connection, kind)] += 1
        if kind == "ping":
            self.pings[(connection, "protocol ping")] += 1
        elif kind == "handshake":
            self.mean(connection, *handshake_meanings(payload))
        elif kind == "ws":
            self.add_frame(connection, payload)
        elif kind == "rest":
            self.add_call(connection, payload)

    def add_frame(self, connection: str, payload: bytes) -> None:
        frame = as_object(payload)
        channel, event = str(frame.get("channel", "")), str(frame.get("event", ""))
        method = str(frame.get("method", "")).upper()
        if method == "PING" or channel.endswith(".ping"):
            self.pings[(connection, "application ping")] += 1
        elif any(word in channel for word in ORDER_WORDS):
            self.orders.append((connection, channel))
        elif method in ("SUBSCRIPTION", "UNSUBSCRIPTION"):
            word = "subscribe" if method == "SUBSCRIPTION" else "unsubscribe"
            self.mean(connection, *((word, str(name)) for name in frame.get("params") or []))
        elif event in ("subscribe", "unsubscribe"):
            self.mean(connection, *gateio_meanings(event, channel, frame.get("payload") or [], frame.get("auth")))
        elif channel.endswith(".login"):
            self.mean(connection, login_meaning(channel, frame.get("payload")))
        else:
            self.mean(connection, ("other", channel or method or "text", event))

    def add_call(self, connection: str, payload: bytes) -> None:
        """A REST call: books and other questions are asked when a stack wants them, listen keys are compared."""
        what = key_call(payload)
        if what == "create":
            self.mean(connection, key_meaning(payload))
        elif what == "extend":
            self.pings[(connection, "listen key renewal")] += 1
        elif is_order_call(payload):
            self.orders.append((connection, payload.partition(b"?")[0].decode(errors="replace")))
        else:
            self._amounts.setdefault(connection, Counter())[question(payload)] += 1

    def mean(self, connection: str, *meanings: Meaning) -> None:
        self.meanings.setdefault(connection, set()).update(meanings)
        self._amounts.setdefault(connection, Counter()).update(m for m in meanings if m[0] not in HANDSHAKE)


def asked(role: str, rows: Iterable[dict[str, Any]]) -> Asked:
    """Read one side's rows of the requests table."""
    found = Asked()
    for row in rows:
        if row["subject"] == role:
            found.add(row["connection"], row["kind"], row["payload"])
    return found


def compare_requests(sides: dict[str, Asked], excused: Collection[str] = ()) -> dict[str, list[Finding]]:
    """CONTROL of each side: orders of either; of the candidate what it asks less or more than the baseline.

    On `excused` connections, where a fault stood in the way of either side's authentication, only orders count.
    """
    (baseline, first), (candidate, second) = sides.items()
    found: dict[str, list[Finding]] = {baseline: orders(first), candidate: orders(second)}
    for connection in sorted(first.meanings.keys() | second.meanings.keys()):
        ours, theirs = first.meanings.get(connection, set()), second.meanings.get(connection, set())
        if not ours or not theirs or connection in excused:
            continue
        for word, meanings in (("missing", ours - theirs), ("extra", theirs - ours)):
            for meaning in sorted(meanings):
                ref = ("CONTROL", connection, word, *meaning)
                sample = " ".join(meaning)
                field = f"{meaning[0]} {word}"
                found[candidate].append(Finding("CONTROL", connection, "", "", field, ref, -1, sample, None))
    for (connection, kind), n in sorted(first.pings.items()):
        if n >= MIN_PINGS and not second.pings[(connection, kind)] and connection not in excused:
            ref = ("CONTROL", connection, "ping", kind)
            found[candidate].append(Finding("CONTROL", connection, "", "", f"{kind} missing", ref, -1, n, 0))
    return found


def orders(side: Asked) -> list[Finding]:
    return [
        Finding("CONTROL", connection, "", "", "order", ("CONTROL", connection, "order", n), delivered=channel)
        for n, (connection, channel) in enumerate(side.orders)
    ]


def auth_faults(role: str, rows: SideRows) -> dict[str, int]:
    """Per connection since when (ns) a fault stood in the way of this side's authentication."""
    found: dict[str, int] = {}
    for row in rows.marks:
        detail = as_object((row["detail"] or "{}").encode()) if row["name"] == "fault" else {}
        if detail.get("kind") in AUTH_FAULTS and (detail.get("role") or row["role"] or role) == role:
            connection = str(detail.get("connection", ""))
            found[connection] = min(row["t"], found.get(connection, row["t"]))
    for row in rows.connections:
        fault = (row["cause"] or "").removeprefix("fault:")
        if row["subject"] == role and fault in AUTH_FAULTS:
            found[row["connection"]] = min(row["t"], found.get(row["connection"], row["t"]))
    return found


def shared_refusals(roles: Iterable[str], rows: SideRows) -> set[tuple[str, str, str]]:
    """(connection, channel, symbol) that the exchange behind the venue refused every side."""
    told: dict[str, set[tuple[str, str, str]]] = {role: set() for role in roles}
    for row in rows.connections:
        if row["event"] == "refused" and row["cause"] == "upstream" and row["subject"] in told:
            told[row["subject"]].add((row["connection"], row["channel"], row["symbol"] or ""))
    return set.intersection(*told.values())


def refusals(role: str, rows: SideRows, shared: Collection[tuple[str, str, str]] = ()) -> list[Finding]:
    """CONTROL of what the exchange itself refused a side; faults, what follows from refused logins, and what the
    exchange refused all sides (`shared`) left out."""
    found: list[Finding] = []
    since = auth_faults(role, rows)
    for row in rows.connections:
        is_ours = row["subject"] == role and row["event"] == "refused"
        if row["cause"] == "upstream" and (row["connection"], row["channel"], row["symbol"] or "") in shared:
            continue
        if is_ours and row["t"] < since.get(row["connection"], row["t"] + 1) and not is_fault(row):
            what = f"{row['channel']} {row['symbol'] or ''}".strip()
            ref = ("CONTROL", row["connection"], "refused", what)
            found.append(Finding("CONTROL", row["connection"], "", "", "refused", ref, delivered=row.get("detail")))
    return found


def given_up(role: str, rows: SideRows, stop: int | None) -> list[Finding]:
    """CONTROL of each stream that a side unsubscribed before its stop (ns) and on no socket took up again.

    No session asks a subject to unsubscribe; one that has the stream on a second socket by then gives nothing up.
    """
    held: dict[tuple[str, str, str], set[int]] = {}
    lost: set[tuple[str, str, str]] = set()
    for row in sorted(rows.connections, key=lambda row: row["t"]):
        if row["subject"] != role or (stop is not None and row["t"] > stop):
            continue
        stream = row["connection"], row["channel"], row["symbol"] or ""
        if row["event"] == "subscribed":
            held.setdefault(stream, set()).add(row["conn_no"])
            lost.discard(stream)
        elif row["event"] == "unsubscribed":
            sockets = held.setdefault(stream, set())
            sockets.discard(row["conn_no"])
            if not sockets:
                lost.add(stream)
        elif row["event"] == "close":
            for (connection, _, _), sockets in held.items():
                if connection == row["connection"]:
                    sockets.discard(row["conn_no"])
    return [
        Finding("CONTROL", *stream, "unsubscribed", ("CONTROL", *stream, "unsubscribed")) for stream in sorted(lost)
    ]


def is_fault(row: dict[str, Any]) -> bool:
    return (row["cause"] or "").startswith("fault:")


def summary(sides: dict[str, Asked]) -> list[dict[str, Any]]:
    """Per connection and kind how often each side asked, for the report."""
    keys = sorted({key for side in sides.values() for key in side.counts})
    return [
        {
            "connection": connection,
            "kind": kind,
            **{role: side.counts[(connection, kind)] for role, side in sides.items()},
        }
        for connection, kind in keys
    ]
