"""Incidents that are no event: silence, errors and deaths, illegal connection states, times out of bounds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from typing import Any, Final

from shadow.diff.allowance import Allowance, SideRows, silence_ns
from shadow.diff.codes import PRIVATE_TYPES, Finding
from shadow.diff.expected import Owed
from shadow.diff.lateness import Wholes, late_silences
from shadow.diff.lines import Delivered

__all__ = ["exceptions", "judge_clock", "lifecycle", "never_sent", "stale", "untold"]

RAISED: Final = frozenset({"decode", "callback", "internal"})
TYPED: Final = frozenset({"connect", "auth", "subscribe"})
STATES: Final[dict[str, frozenset[str]]] = {
    "": frozenset({"connecting", "connected", "disconnected", "error", "closed"}),
    "connecting": frozenset({"connected", "reconnecting", "disconnected", "error", "closed"}),
    "connected": frozenset({"subscribed", "connecting", "reconnecting", "disconnected", "error", "closed"}),
    "subscribed": frozenset({"connected", "connecting", "reconnecting", "disconnected", "error", "closed"}),
    "reconnecting": frozenset({"connecting", "connected", "disconnected", "error", "closed"}),
    "disconnected": frozenset({"connecting", "reconnecting", "connected", "error", "closed"}),
    "error": frozenset({"connecting", "reconnecting", "connected", "disconnected", "closed"}),
    "closed": frozenset(),
}
"""What may follow a state (itself always may); nothing follows `closed`, and `subscribed` needs a connection."""


def stale(
    streams: dict[tuple[str, str, str], list[Owed]], heard_of: Collection[str] = (), wholes: Wholes | None = None
) -> list[Finding]:
    """STALE per stream: nothing delivered for T while the venue sent, T = max(2 s, 20 median gaps of the stream).

    What was delivered later makes no difference. A whole connection that delivered nothing at all is judged as one
    stream too, so that thin streams hide nothing; those in `heard_of` delivered something before. `wholes` are
    (version, t) of the whole books delivered, by (connection, symbol).
    """
    found: list[Finding] = []
    by_connection: dict[str, list[Owed]] = {}
    mute: dict[str, bool] = {}
    for (connection, event_type, symbol), owed in streams.items():
        by_connection.setdefault(connection, []).extend(owed)
        is_mute = connection not in heard_of and all(item.delivered is None for item in owed)
        mute[connection] = mute.get(connection, True) and is_mute
        if (start := silence(owed)) is not None:
            found.append(silent(connection, event_type, symbol, start))
    heard = {item.connection for item in found}
    for connection, owed in by_connection.items():
        if mute[connection] and connection not in heard:
            owed.sort(key=lambda item: item.t_sent)
            if (start := silence(owed)) is not None:
                found.append(silent(connection, "", "", start))
    told = {(item.connection, item.type, item.symbol) for item in found}
    late = late_silences(streams, wholes or {})
    return found + [silent(*stream, start) for stream, start in late.items() if stream not in told]


def silent(connection: str, event_type: str, symbol: str, start: Owed) -> Finding:
    ref = ("STALE", connection, event_type, symbol)
    return Finding("STALE", connection, event_type, symbol, "", ref, start.frame_no, start.event)


def silence(owed: list[Owed]) -> Owed | None:
    """The first event of a run of missing ones that spans T, or None."""
    limit = silence_ns(item.t_sent for item in owed)
    if limit is None:
        return None
    start: Owed | None = None
    for item in owed:
        if item.code != "MISSING":
            start = None
        elif start is None:
            start = item
        elif item.t_sent - start.t_sent >= limit:
            return start
    return None


def exceptions(role: str, errors: list[dict[str, Any]], rows: SideRows, allowed: Allowance) -> list[Finding]:
    """EXC of error lines that tell of a raised exception, and of subjects that failed; corrupt frames excuse decode.

    A kind that the protocol does not know may be anything, so it counts as one that was raised.
    """
    found: list[Finding] = []
    excused = Counter(allowed.corrupt)
    for error in errors:
        kind, connection = str(error.get("kind")), str(error.get("c") or "")
        if kind == "decode" and excused[connection] > 0:
            excused[connection] -= 1
        elif kind not in TYPED:
            text, field = str(error.get("message", "")), kind if kind in RAISED else "unknown kind"
            found.append(
                Finding("EXC", connection, "", "", field, ("EXC", connection, kind, text), delivered=error)
            )  # fmt: skip
    failures = [row for row in rows.marks if row["role"] == role and row["name"] == "subject-failed"]
    is_refused = any(allowed.is_refusing(connection) for connection in allowed.faults)
    for row in failures:
        detail = json.loads(row["detail"] or "{}")
        reason = str(detail.get("reason", ""))
        if reason == "no-subscription" and is_refused:
            continue
        found.append(Finding("EXC", "", "", "", reason, ("EXC", "", reason), delivered=detail))
    if not failures:
        found += deaths(role, rows)
    return found


def untold(errors: list[dict[str, Any]], states: list[dict[str, Any]], allowed: Allowance) -> list[Finding]:
    """CONTROL of each connection whose authentication was refused without a typed error of the side."""
    told = {str(error.get("c")) for error in errors if str(error.get("kind")) in TYPED}
    told |= {str(line.get("c")) for line in states if line.get("state") == "error"}
    return [
        Finding("CONTROL", connection, "", "", "auth refusal untold", ("CONTROL", connection, "auth refusal untold"))
        for connection, kinds in sorted(allowed.faults.items())
        if kinds["refuse-auth"] and connection not in told
    ]


def deaths(role: str, rows: SideRows) -> list[Finding]:
    """EXC of a subject that ended by a signal or with a code, where no mark says that it failed."""
    for row in rows.marks:
        if row["role"] != role or row["name"] != "subject-exit":
            continue
        detail = json.loads(row["detail"] or "{}")
        if detail.get("code") or detail.get("signal"):
            return [Finding("EXC", "", "", "", "died", ("EXC", "", "died"), delivered=detail)]
    return []


def lifecycle(states: list[dict[str, Any]]) -> list[Finding]:
    """LIFECYCLE of each state line that may not follow the one before it on its connection."""
    found: list[Finding] = []
    current: dict[str, str] = {}
    for line in states:
        connection, state = str(line.get("c")), str(line.get("state"))
        before = current.get(connection, "")
        if state != before and state not in STATES[before]:
            field = f"{before or 'start'} to {state if state in STATES else 'unknown state'}"
            ref = ("LIFECYCLE", connection, field)
            found.append(Finding("LIFECYCLE", connection, "", "", field, ref, delivered=line))
        if state in STATES and state:
            current[connection] = state
    return found


def judge_clock(events: list[Delivered], findings: list[Finding], newest: dict[str, int]) -> None:
    """CLOCK for equal events whose `t` is no integer, outside [sent, read], or before an earlier one's.

    Events in line order; `t` may not decrease per connection, from `newest` on, which is kept up to date. A wrong `t`
    does not count as an earlier one.
    """
    for event in events:
        t, before = event.t, newest.get(event.connection, 0)
        sent = event.owed.t_sent if event.owed is not None else None
        if t is None:
            fault = "missing"
        elif t > event.t_read:
            fault = "after read"
        elif sent is not None and t < sent:
            fault = "before sent"
        elif t < before:
            fault = "going back"
        else:
            if event.code != "PHANTOM":
                newest[event.connection] = t
            continue
        if event.code == "MATCH":
            event.code = "CLOCK"
            ref: tuple[Any, ...] = (event.connection, event.n)
            frame_no, expected = -1, None
            if event.owed is not None:
                event.owed.code = "CLOCK"
                ref, frame_no, expected = event.owed.ref, event.owed.frame_no, event.owed.event
            found = Finding("CLOCK", event.connection, event.type, event.symbol, fault, ref, frame_no, expected)
            found.delivered = event.body
            findings.append(found)


def never_sent(
    ours: dict[tuple[str, str, str], list[Owed]], theirs: dict[tuple[str, str, str], list[Owed]], allowed: Allowance
) -> list[Finding]:
    """STALE of a stream that the venue sent to the other side only: this side never had a confirmed subscription.

    A private channel is subscribed for all symbols at once, so with its ack a stream may have come in a hole only.
    """
    found: list[Finding] = []
    for (connection, event_type, symbol), owed in theirs.items():
        is_private = event_type in PRIVATE_TYPES
        is_asked = is_private and allowed.first_ack(connection, event_type, symbol) is not None
        if (
            is_asked
            or allowed.is_refusing(connection)
            or (connection, event_type, symbol) in ours
            or silence_limit(owed) is None
        ):
            continue
        ref = ("STALE", connection, event_type, symbol, "not subscribed")
        found.append(Finding("STALE", connection, event_type, symbol, "not subscribed", ref, owed[0].frame_no))
    return found


def silence_limit(owed: list[Owed]) -> int | None:
    """T of a stream when it lasts longer than T, else None."""
    limit = silence_ns(item.t_sent for item in owed)
    return int(limit) if limit is not None and owed[-1].t_sent - owed[0].t_sent >= limit else None
