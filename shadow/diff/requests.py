"""What each side sent to the venue, compared by meaning: subscriptions as a set, pings by presence, orders never.

Neither the order nor the batching of subscribe frames matters, nor the number of pings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import orjson

from shadow.diff.codes import Finding
from shadow.diff.expected import SideRows

__all__ = ["Asked", "asked", "compare_requests", "refusals", "summary"]

ORDER_WORDS: Final = ("order_place", "order_cancel", "order_amend", "order_batch", "order_status", "order_list")
PAIR_LISTS: Final = ("tickers", "trades", "book_ticker")
PLAIN_HEADERS: Final = frozenset(
    {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "user-agent", "origin",
     "sec-websocket-extensions", "accept", "accept-encoding", "accept-language", "cache-control", "pragma", "date"}
)  # fmt: skip
MIN_PINGS: Final = 2
"""A ping is only called missing where the other side sent at least this many in the leg."""

Meaning = tuple[str, ...]


class Asked:
    """What one side asked: meanings per connection, pings, and orders."""

    def __init__(self) -> None:
        self.meanings: dict[str, set[Meaning]] = {}
        self.pings: Counter[tuple[str, str]] = Counter()
        self.orders: list[tuple[str, str]] = []
        self.counts: Counter[tuple[str, str]] = Counter()

    def add(self, connection: str, kind: str, payload: bytes) -> None:
        """Note one row of the requests table."""
        self.counts[(connection, kind)] += 1
        if kind == "ping":
            self.pings[(connection, "protocol")] += 1
        elif kind == "handshake":
            self.mean(connection, *headers(payload))
        elif kind == "ws":
            self.add_frame(connection, payload)

    def add_frame(self, connection: str, payload: bytes) -> None:
        frame = as_object(payload)
        channel, event = str(frame.get("channel", "")), str(frame.get("event", ""))
        method = str(frame.get("method", "")).upper()
        if method == "PING" or channel.endswith(".ping"):
            self.pings[(connection, "application")] += 1
        elif any(word in channel for word in ORDER_WORDS):
            self.orders.append((connection, channel))
        elif method in ("SUBSCRIPTION", "UNSUBSCRIPTION"):
            word = "subscribe" if method == "SUBSCRIPTION" else "unsubscribe"
            self.mean(connection, *((word, str(name)) for name in frame.get("params") or []))
        elif event in ("subscribe", "unsubscribe"):
            self.mean(connection, *gateio_meanings(event, channel, frame.get("payload") or []))
        else:
            self.mean(connection, ("other", channel or method or "text", event))

    def mean(self, connection: str, *meanings: Meaning) -> None:
        self.meanings.setdefault(connection, set()).update(meanings)


def as_object(payload: bytes) -> dict[str, Any]:
    """A frame as an object, {} where it is none."""
    try:
        frame = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return frame if isinstance(frame, dict) else {}


def gateio_meanings(event: str, channel: str, payload: Any) -> list[Meaning]:
    """One meaning per pair where the payload is a list of pairs, else one for the whole payload."""
    items = [str(item) for item in payload] if isinstance(payload, list) else [str(payload)]
    if channel.partition(".")[2] in PAIR_LISTS:
        return [(event, channel, item) for item in items]
    return [(event, channel, *items)]


def headers(payload: bytes) -> list[Meaning]:
    """The handshake's headers that are not of the WebSocket protocol itself or of the library."""
    found = as_object(payload).get("headers") or []
    pairs = found.items() if isinstance(found, dict) else found
    return [
        ("header", str(name).lower(), str(value)) for name, value in pairs if str(name).lower() not in PLAIN_HEADERS
    ]


def asked(role: str, rows: Iterable[dict[str, Any]]) -> Asked:
    """Read one side's rows of the requests table."""
    found = Asked()
    for row in rows:
        if row["subject"] == role:
            found.add(row["connection"], row["kind"], row["payload"])
    return found


def compare_requests(sides: dict[str, Asked]) -> dict[str, list[Finding]]:
    """CONTROL of each side: orders of either; of the candidate what it asks less or more than the baseline."""
    (baseline, first), (candidate, second) = sides.items()
    found: dict[str, list[Finding]] = {baseline: orders(first), candidate: orders(second)}
    for connection in sorted(first.meanings.keys() | second.meanings.keys()):
        ours, theirs = first.meanings.get(connection, set()), second.meanings.get(connection, set())
        if not ours or not theirs:
            continue
        for word, meanings in (("missing", ours - theirs), ("extra", theirs - ours)):
            for meaning in sorted(meanings):
                ref = ("CONTROL", connection, word, *meaning)
                sample = " ".join(meaning)
                field = f"{meaning[0]} {word}"
                found[candidate].append(Finding("CONTROL", connection, "", "", field, ref, -1, sample, None))
    for (connection, kind), n in sorted(first.pings.items()):
        if n >= MIN_PINGS and not second.pings[(connection, kind)]:
            ref = ("CONTROL", connection, "ping", kind)
            found[candidate].append(Finding("CONTROL", connection, "", "", f"{kind} ping missing", ref, -1, n, 0))
    return found


def orders(side: Asked) -> list[Finding]:
    return [
        Finding("CONTROL", connection, "", "", "order", ("CONTROL", connection, "order", n), delivered=channel)
        for n, (connection, channel) in enumerate(side.orders)
    ]


def refusals(role: str, rows: SideRows) -> list[Finding]:
    """CONTROL of what the exchange itself refused a side, faults left out."""
    found: list[Finding] = []
    for row in rows.connections:
        if row["subject"] == role and row["event"] == "refused" and not (row["cause"] or "").startswith("fault:"):
            what = f"{row['channel']} {row['symbol']}".strip()
            ref = ("CONTROL", row["connection"], "refused", what)
            found.append(Finding("CONTROL", row["connection"], "", "", "refused", ref, delivered=row.get("detail")))
    return found


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
