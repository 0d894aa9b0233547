"""The judge of one leg: both sides against the reference, then against each other."""

from __future__ import annotations

import gc
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from shadow.capture.tables import COLUMNS
from shadow.diff.allowance import side_rows
from shadow.diff.amounts import too_much
from shadow.diff.arrow import columns_of_table
from shadow.diff.codes import INCIDENT_CODES, Difference, Dual, Finding, FirstArrival, LegDiff
from shadow.diff.dual import WINDOW_NS, compare_sides
from shadow.diff.expected import SEND_COLUMNS, side_sends
from shadow.diff.frames import FRAME_COLUMNS, Frames, FrameStore, columns_of, rows_of
from shadow.diff.incidents import never_sent
from shadow.diff.known import Known, apply_known
from shadow.diff.lines import Held, read_lines
from shadow.diff.merge import differences_of, merge, samples_of
from shadow.diff.part import Part, Streams
from shadow.diff.requests import asked, auth_faults, compare_requests, given_up, refusals, shared_refusals, summary
from shadow.diff.side import SideJudgement, judge_side, matches_of

if TYPE_CHECKING:
    from shadow.capture.reader import RunData

__all__ = ["EVENT_CAP", "Held", "diff_leg", "diff_streams", "either", "first_arrivals", "is_conserved", "move_known",
           "started", "table_of"]  # fmt: skip

EVENT_CAP: Final = 4_000_000
"""Events of one side kept in memory; what goes beyond is UNJUDGED."""
Lines = Iterable[tuple[int, bytes]]
NEEDED: Final = {"frames": FRAME_COLUMNS, "sends": SEND_COLUMNS}
THIRD: Final = "legacy2"
"""The second baseline of a direct leg."""
CUT_NS: Final = 300_000_000
"""How far before its last row an interrupted leg ends."""


def diff_leg(
    run: RunData, leg: str, roles: tuple[str, str], *, known: Sequence[Known] = (), part: Part | None = None
) -> LegDiff:
    """Judge one leg of a run directory, or a part of it; roles are (baseline, candidate)."""
    is_direct = bool(run.session.get("direct"))
    tables: dict[str, Any] = {
        name: table_of(run, name, leg, whole=is_direct)
        for name in ("frames", "sends", "connections", "marks", "requests")
    }
    lines = {role: lines_of(run, leg, role) for role in (*roles, *((THIRD,) if is_direct else ()))}
    if "leg-end" not in tables["marks"]["name"]:
        cut_short(tables, lines, leg)
    if not is_direct:
        return diff_streams(**tables, lines=lines, session=run.session, leg=leg, known=known, part=part)
    pair = {role: lines[role] for role in roles}
    judged = diff_streams(**tables, lines=pair, session=run.session, leg=leg, known=known, late_ns=WINDOW_NS, own=True)
    judged.dual = dual_of(lines, **{name: tables[name] for name in ("frames", "sends", "marks")})
    for connection, n in sorted(judged.dual.shared.items()):
        judged.differences.append(Difference("SHARED", "both", "info", connection, "book", "", "versions", n))
    return judged


def dual_of(lines: Mapping[str, Lines], frames: Any, sends: Any, marks: Any) -> Dual:
    """The three sides of a direct leg against each other, until the relays stopped.

    A stack need not tell the first version of an update; its own frames do.
    """
    ends = {name: [row["t"] for row in rows_of(marks) if row["name"] == name] for name in ("phase-end", "leg-end")}
    sides = {role: read_lines(side, EVENT_CAP).events for role, side in lines.items()}
    firsts = first_versions(frames, sends)
    for role, events in sides.items():
        for event in events:
            body = event.body
            if event.type == "book" and body.get("first") is None and body.get("snapshot") is not True:
                body["first"] = firsts.get((role, event.connection, event.symbol, str(body.get("last"))))
    return compare_sides(sides, max(ends["phase-end"] or ends["leg-end"], default=0))


def first_versions(frames: Any, sends: Any) -> dict[tuple[str, str, str, str], int]:
    """First version by (role, connection, symbol, last version) of the books that each side was sent."""
    columns, passed = columns_of(frames), columns_of(sends)
    names = ("frame_no", "connection", "symbol", "first", "last")
    books = {
        no: (connection, symbol, first, last)
        for no, connection, symbol, first, last in zip(*(columns[name] for name in names), strict=True)
        if first is not None
    }
    found = {}
    for role, no in zip(passed["subject"], passed["frame_no"], strict=True):
        if no in books:
            connection, symbol, first, last = books[no]
            found[role, connection, symbol, str(last)] = first
    return found


def cut_short(tables: Mapping[str, Any], lines: Mapping[str, Lines], leg: str) -> None:
    """End a leg that was cut off where every table still reaches: they are flushed one after the other.

    What lies behind that moment is EDGE; a table's last half second may be missing while another's is there. A side
    without a line says nothing of it.
    """
    sent = max(tables["sends"]["t_sent"], default=0)
    reach = [sent, *(max(t for t, _ in side) for side in lines.values() if side)]
    end = {"t": min(reach) - CUT_NS, "leg": leg, "role": "", "name": "leg-end", "detail": "{}"}
    for column, value in end.items():
        tables["marks"][column].append(value)


def table_of(run: RunData, name: str, leg: str, *, whole: bool = False) -> dict[str, list[Any]]:
    """The rows of one leg, as columns; of the large tables only those that every diff needs, unless `whole`."""
    return columns_of_table(run.part(name, COLUMNS[name] if whole else NEEDED.get(name, COLUMNS[name]), leg))


def lines_of(run: RunData, leg: str, role: str) -> list[tuple[int, bytes]]:
    """A side's lines as (t_read, line) in the order written; none when the table is missing."""
    columns = columns_of_table(run.part(f"events/{role}", ("n", "t_read", "body"), leg))
    order = np.argsort(np.array(columns["n"], np.int64), kind="stable").tolist()
    t_read, body = columns["t_read"], columns["body"]
    return [(t_read[i], body[i]) for i in order]


@contextmanager
def collector_off() -> Iterator[None]:
    """Nothing here makes cycles, and looking for them in millions of live objects takes a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@collector_off()
def diff_streams(
    frames: Any,
    sends: Any,
    connections: Any,
    marks: Any,
    requests: Any,
    lines: Mapping[str, Lines],
    session: Mapping[str, Any],
    *,
    leg: str = "main",
    known: Sequence[Known] = (),
    late_ns: int | None = None,
    cap: int = EVENT_CAP,
    own: bool = False,
    held: Mapping[str, Held] | None = None,
    part: Part | None = None,
) -> LegDiff:
    """Judge one leg from its tables and its sides' lines.

    A table is a mapping of columns, a list of row dicts or a pyarrow Table, in the columns of the run directory.
    `lines` holds (t_read, line) pairs per role, the baseline first. `late_ns` makes later matches LATE, and with `own`
    each side is judged by the frames that it was sent itself, and no other (both: dual mode). `held` are the optional
    fields of each role by (connection, type), where `lines` and the parts before are not all that it said.
    Of a `part` of the leg the frames, sends and lines are its own, the other tables those of the leg so far; it keeps
    what was judged, which is let go of without one.
    """
    is_alone = part is None
    part, sends = part or Part(), columns_of(sends)
    baseline, candidate = lines
    stores = stores_of(frames, sends, list(lines), own, part.frames)
    part.extend(stores)
    rows, asking = side_rows(connections, marks), rows_of(requests)
    spoken = {role: read_lines(side, cap) for role, side in lines.items()}
    fields = dict(held or part.held(spoken))
    fields[candidate] = either(fields[candidate], fields[baseline])
    sides = {
        role: judge_side(
            role,
            side_sends(role, sends, stores[role]),
            spoken[role],
            stores[role],
            rows,
            held=fields[role],
            late_ns=late_ns,
            cap=cap,
            begun=part.begun,
            stretch=part.stretch(role),
        )
        for role in lines
    }
    part.take(sides, stores)
    control = {role: asked(role, asking) for role in lines}
    excused = {connection for role in lines for connection in auth_faults(role, rows)}
    shared = shared_refusals(lines, rows)
    refused = {role: refusals(role, rows, shared) + given_up(role, rows, sides[role].allowed.stop) for role in lines}
    if part.is_last:
        found = compare_requests(control, excused)
        found[candidate] += too_much(control, rows, {role: side.allowed for role, side in sides.items()})
        findings = gather(sides, part.seen, found, refused, own)
    else:
        findings = {role: side.findings for role, side in sides.items()}
    groups = merge(findings)
    strict = session.get("grade") == "release" and candidate == "new"
    differences = apply_known(differences_of(groups), list(known), started(session), strict=strict)
    move_known({role: side.totals for role, side in sides.items()}, differences)
    add_unjudged(sides, differences)
    names = sorted({stream[0] for side in sides.values() for stream in side.streams})
    symbols = sorted({stream[2] for side in sides.values() for stream in side.streams})
    sent = sum(len(send.frame.events) > 0 for side in sides.values() for send in side.sends)
    unreadable = sum(store.unreadable for store in {id(store): store for store in stores.values()}.values())
    judged = LegDiff(
        leg=leg,
        roles=(baseline, candidate),
        matches={role: matches_of(side, names, symbols) for role, side in sides.items()},
        connections=names,
        symbols=symbols,
        differences=differences,
        samples=samples_of(groups, leg, ChainMap(*(store.frames for store in stores.values()))),
        totals={role: side.totals for role, side in sides.items()},
        conserved=all(is_conserved(side.totals) for side in sides.values()),
        first_arrival=first_arrivals(sides[baseline], sides[candidate], names),
        frames_sent=sent + unreadable,
        frames_accounted=sent - sum(unjudged_frames(side) for side in sides.values()),
        requests=summary(control),
        ends={role: side.ends for role, side in sides.items()},
    )
    if is_alone:
        part.release()
    return judged


def either(ours: Held, theirs: Held) -> Held:
    """Fields that one of two sides has: what the baseline has, the candidate may not have lost."""
    return {key: ours.get(key, set()) | theirs.get(key, set()) for key in ours.keys() | theirs.keys()}


def stores_of(frames: Any, sends: Any, roles: Sequence[str], own: bool, read: Frames) -> dict[str, FrameStore]:
    """The frames by which each side is judged: all together, or with `own` those that were sent to it alone."""
    if not own:
        return dict.fromkeys(roles, FrameStore(frames, read))
    columns, passed = columns_of(frames), columns_of(sends)
    found = {}
    for role in roles:
        pairs = zip(passed["subject"], passed["frame_no"], strict=True)
        mine = {no for subject, no in pairs if subject == role}
        keep = [i for i, no in enumerate(columns["frame_no"]) if no in mine]
        found[role] = FrameStore({name: [column[i] for i in keep] for name, column in columns.items()})
    return found


def gather(
    sides: Mapping[str, SideJudgement],
    streams: Mapping[str, Streams],
    control: Mapping[str, list[Finding]],
    refused: Mapping[str, list[Finding]],
    own: bool,
) -> dict[str, list[Finding]]:
    """All findings per role, with what only the comparison of both sides shows.

    What one side's own connection was never sent says nothing of the side.
    """
    (baseline, first), (candidate, second) = sides.items()
    silent: dict[str, list[Finding]] = {baseline: [], candidate: []}
    if not own:
        silent[baseline] = never_sent(streams[baseline], streams[candidate], first.allowed)
        silent[candidate] = never_sent(streams[candidate], streams[baseline], second.allowed)
    return {role: side.findings + control[role] + refused[role] + silent[role] for role, side in sides.items()}


def move_known(totals: Mapping[str, dict[str, Any]], differences: list[Difference]) -> None:
    """Count the events of known differences as KNOWN, wherever the sides' totals count them."""
    for item in differences:
        if item.known is None or item.code in INCIDENT_CODES:
            continue
        for role, counts in totals.items():
            if item.side in (role, "both"):
                for name in ("codes", "delivered_codes", "expected_codes"):
                    recount(counts[name], item.code, item.count)


def recount(codes: dict[str, int], code: str, count: int) -> None:
    moved = min(count, codes.get(code, 0))
    if moved:
        codes[code] -= moved
        codes["KNOWN"] = codes.get("KNOWN", 0) + moved
        if not codes[code]:
            del codes[code]


def add_unjudged(sides: Mapping[str, SideJudgement], differences: list[Difference]) -> None:
    """A difference that says how many events the memory cap left out."""
    for role, side in sides.items():
        if n := side.totals["codes"].get("UNJUDGED", 0):
            differences.append(Difference("UNJUDGED", role, "info", "", "", "", "memory cap", n))


def is_conserved(totals: Mapping[str, Any]) -> bool:
    """Whether every delivered and every expected event ended in exactly one code."""
    delivered, expected, codes = totals["delivered_codes"], totals["expected_codes"], totals["codes"]
    return (
        sum(delivered.values()) == totals["input"]
        and sum(expected.values()) == totals["expected"]
        and sum(codes.values()) == totals["input"] + totals["expected"] - totals["pairs"]
        and "" not in codes
    )


def unjudged_frames(side: SideJudgement) -> int:
    """Sends with an event beyond the cap, or with one whose other half is."""
    if not side.totals["expected_codes"].get("UNJUDGED"):
        return 0
    judged = {item.send for owed in side.streams.values() for item in owed}
    judged -= {item.send for owed in side.streams.values() for item in owed if item.code == "UNJUDGED"}
    return sum(bool(send.frame.events) and i not in judged for i, send in enumerate(side.sends))


def first_arrivals(first: SideJudgement, second: SideJudgement, names: list[str]) -> list[FirstArrival]:
    """Per connection who had each paced event first; bursts go to one side at a time and are left out."""
    found = []
    times = paced_times(first)
    leads: dict[str, list[int]] = {name: [] for name in names}
    for (connection, ref), t in paced_times(second).items():
        if (connection, ref) in times:
            leads[connection].append(times[connection, ref] - t)
    for name in names:
        lead = np.array(leads[name], np.int64)
        found.append(FirstArrival(name, len(lead), int((lead > 0).sum()), int((lead < 0).sum()), lead))
    return found


def paced_times(side: SideJudgement) -> dict[tuple[str, tuple[int, int]], int]:
    """`t` of each matched paced event by (connection, event)."""
    return {
        (connection, item.ref): item.delivered.t
        for (connection, _, _), owed in side.streams.items()
        for item in owed
        if item.code == "MATCH" and item.delivered is not None and side.sends[item.send].burst < 0
    }


def started(session: Mapping[str, Any]) -> date:
    """The session's day, by which known differences expire; without one nothing has expired."""
    text = str(session.get("started_utc") or "")[:10]
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.min
