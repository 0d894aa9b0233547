"""Reads the cells of one session's run: the diff's losses and ends, the ledger's hits, what the sides told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from shadow.capture.reader import RunData
from shadow.diff.codes import AccountEnd
from shadow.diff.leg import diff_leg
from shadow.fault_table.cells import Cell, Observed
from shadow.fault_table.plan import ROLES, TAIL_S, FaultSession
from shadow.verdict.facts import GRAVE, holds_of
from shadow.verdict.timeline import read_marks

if TYPE_CHECKING:
    from shadow.diff.codes import Difference, Ends, LegDiff

__all__ = ["observe"]

SETTLED_S = 0.3
"""A frame of the last moments counts as fed when it was sent at least this long before the end."""
Stream = tuple[str, str, str]
"""Connection, event type, symbol."""


def observe(folder: Path, session: FaultSession) -> list[Cell]:
    """The cells of a session that was run into `folder`; RunError where its data cannot be read."""
    run = RunData(folder)
    diff = diff_leg(run, "main", ROLES)
    unusable = reason_against(run, diff)
    fed, given = tail(run)
    spoken = {role: told(run, role) for role in ROLES}
    marks, refused = hits(run, session.kind), refusals(run)
    cells = []
    for connection in session.connections:
        sides = {}
        for role in ROLES:
            struck = marks.get((connection, role), [])
            shut = {place[2] for place in refused if place[:2] == (role, connection)}
            here = {stream for stream in fed if stream[0] == connection and (role, *stream) not in refused}
            ends = diff.ends[role]
            account = ends.accounts.get(connection, AccountEnd([]))
            sides[role] = Observed(
                hits=len(struck),
                lost=losses(diff.differences, role, connection),
                streams=len(here),
                refused=sum(place[:2] == (role, connection) for place in refused),
                silent=sorted(f"{kind} {symbol}".strip() for _, kind, symbol in here - given[role]),
                books=unequal_books(ends, here),
                account=[name for name in account.differing if name.split()[0] not in shut],
                orders_behind=account.orders_behind,
                errors=count(spoken[role], "error", "kind", connection, struck),
                states=count(spoken[role], "state", "state", connection, struck),
                unusable=unusable,
            )
        cells.append(Cell(kind=session.kind, connection=connection, sides=sides))
    return cells


def reason_against(run: RunData, diff: LegDiff) -> str:
    """Why the session proves nothing, or empty."""
    timeline = read_marks(run.table("marks").to_pylist())
    return "; ".join(holds_of({"main": diff}, timeline, ["main"], run.manifest.interrupted))


def hits(run: RunData, kind: str) -> dict[tuple[str, str], list[int]]:
    """When the venue says that the fault struck, by (connection, role). A strike at nothing does not count."""
    found: dict[tuple[str, str], list[int]] = {}
    for row in run.table("marks").to_pylist():
        detail = json.loads(row["detail"] or "{}") if row["name"] == "fault" else {}
        if detail.get("kind") == kind and detail.get("conn_no") != [] and detail.get("frames") != 0:
            found.setdefault((str(detail["connection"]), str(detail["role"])), []).append(row["t"])
    return found


def refusals(run: RunData) -> set[tuple[str, str, str, str]]:
    """(role, connection, type, symbol) of subscriptions that a fault refused and that were not accepted later."""
    found: set[tuple[str, str, str, str]] = set()
    for row in sorted(run.table("connections").to_pylist(), key=lambda row: row["t"]):
        place = row["subject"], row["connection"], row["channel"], row["symbol"]
        if row["event"] == "refused" and row["cause"].startswith("fault:"):
            found.add(place)
        elif row["event"] == "subscribed":
            found.discard(place)
    return found


def tail(run: RunData) -> tuple[set[Stream], dict[str, set[Stream]]]:
    """The streams that the venue fed to anybody in the last moments, and those that each side delivered then."""
    timeline = read_marks(run.table("marks").to_pylist())
    phase = timeline.phase("main", "paired")
    if phase is None:
        return set(), {role: set() for role in ROLES}
    begin, end = phase.end - int(TAIL_S * 1e9), phase.end - int(SETTLED_S * 1e9)
    frames = run.table("frames").select(["frame_no", "kind", "connection", "channel", "symbol"]).to_pylist()
    place_of = {
        row["frame_no"]: (row["connection"], row["channel"], row["symbol"]) for row in frames if row["kind"] == "ws"
    }
    sends = run.table("sends").select(["frame_no", "t_sent"])
    sends = sends.filter(pc.and_(pc.greater_equal(sends["t_sent"], begin), pc.less(sends["t_sent"], end)))
    fed = {place_of[number] for number in sends["frame_no"].to_pylist() if number in place_of}
    return fed, {role: delivered(run, role, begin) for role in ROLES}


def delivered(run: RunData, role: str, begin: int) -> set[Stream]:
    """The streams of which a side delivered an event from `begin` on."""
    if role not in run.roles():
        return set()
    events = run.table(f"events/{role}").select(["k", "c", "type", "symbol", "t"])
    events = events.filter(pc.and_(pc.equal(events["k"], "event"), pc.greater_equal(events["t"], begin)))
    return set(zip(*(events[name].to_pylist() for name in ("c", "type", "symbol")), strict=True))


def told(run: RunData, role: str) -> list[dict[str, Any]]:
    """A side's error and state lines."""
    if role not in run.roles():
        return []
    events = run.table(f"events/{role}").select(["k", "body"])
    wanted = pc.or_(pc.equal(events["k"], "error"), pc.equal(events["k"], "state"))
    bodies = events.filter(wanted)["body"].to_pylist()
    return [json.loads(body) for body in bodies]


def count(
    lines: Iterable[Mapping[str, Any]], k: str, field: str, connection: str, struck: Sequence[int]
) -> dict[str, int]:
    """How often each word was said on a connection since the fault first struck there."""
    words = Counter(
        str(line.get(field))
        for line in lines
        if struck and line.get("k") == k and line.get("c") == connection and (line.get("t") or 0) >= min(struck)
    )
    return dict(sorted(words.items()))


def losses(differences: Iterable[Difference], role: str, connection: str) -> dict[str, int]:
    """Grave differences of a side on a connection, or on none in particular, by `CODE type`."""
    found: Counter[str] = Counter()
    for one in differences:
        if one.side in (role, "both") and one.severity in GRAVE and one.connection in ("", connection):
            found[" ".join(part for part in (one.code, one.type or one.field) if part)] += one.count
    return dict(sorted(found.items()))


def unequal_books(ends: Ends, here: set[Stream]) -> list[str]:
    """Symbols whose book is not the reference's at the end."""
    return sorted(
        symbol
        for connection, kind, symbol in here
        if kind == "book" and not ends.books.get((connection, symbol), False)
    )
