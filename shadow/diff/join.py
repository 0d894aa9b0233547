"""One stream's delivered events joined to its expected ones: pairs, copies, order, fields.

A stream is one (connection, type, symbol). Both lists are in order: expected by sending, delivered by line. The join
is a hash join on the key's dictionary with order alignment for what no key identifies; its memory is what the caller's
cap let in, and what the cap left out is UNJUDGED.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from shadow.diff.canonical import FIELDS, differing, is_rounded, same_levels
from shadow.diff.codes import PRIVATE_TYPES, Finding
from shadow.diff.expected import COPIED, Owed, twin_key
from shadow.diff.forms import is_form
from shadow.diff.keys import KeyIndex
from shadow.diff.lines import Delivered
from shadow.diff.rounds import pair_in_rounds
from shadow.reference.events import Book, Event

__all__ = ["is_rebuilt", "join_stream", "late_comers"]

ALIGN_WINDOW: Final = 64
"""How many unmatched expected events order alignment looks at for one delivered event."""


def join_stream(
    owed: list[Owed], given: list[Delivered], held: set[str], late_ns: int | None, findings: list[Finding]
) -> int:
    """Pair the two lists and give each pair its code; returns how many equal events held a rounded number.

    Left without a code: expected events that were not delivered, and whole books that a stack rebuilt. `late_ns` makes
    a match after that time LATE (None: never, as in tee and replay). Expected events that come as delivered are those
    of an earlier stretch: what repeats one is a copy.
    """
    if not given:
        return 0
    places = pair_by_key(owed, given, findings)
    places = align_by_order(owed, given, places)
    late = late_comers([place for place in places if place >= 0 and owed[place].fault != "swap"])
    rounded = 0
    for delivered, place in zip(given, places, strict=True):
        if place < 0:
            continue
        match = owed[place]
        if is_extra_copy(match, owed):
            take_copy(match, delivered, findings)
            continue
        delivered.owed, match.delivered = match, delivered
        code, path = judge_pair(match, delivered, held, place in late, late_ns)
        delivered.code = match.code = code
        if code == "MATCH":
            rounded += (match.form is None or match.form.is_long) and is_rounded(match.event, delivered.body)
        elif code != "EDGE":
            findings.append(finding(code, path, match, delivered))
    for delivered in given:
        if not delivered.code and not is_rebuilt(delivered):
            delivered.code = "PHANTOM"
    return rounded


def pair_by_key(owed: list[Owed], given: list[Delivered], findings: list[Finding]) -> list[int]:
    """For each delivered event the index of its expected one, or -1; repeated ones get DUP."""
    places: list[int] = []
    for delivered, (place, twin) in zip(given, pairs(owed, given), strict=True):
        places.append(place)
        if twin >= 0:
            delivered.code = "EDGE" if owed[twin].edge else "DUP"
            if delivered.code == "DUP":
                findings.append(finding("DUP", "", owed[twin], delivered))
    return places


def pairs(owed: list[Owed], given: list[Delivered]) -> Iterable[tuple[int, int]]:
    """Per delivered event (index of its expected one, -1), (-1, index of the taken one that it repeats) or (-1, -1)."""
    event_type = given[0].type
    if not owed or event_type not in FIELDS:
        return [(-1, -1)] * len(given)
    events, forms = [item.event for item in owed], [item.form for item in owed]
    used = bytearray(item.delivered is not None for item in owed)
    if event_type in PRIVATE_TYPES:
        return pair_in_rounds(event_type, events, forms, [delivered.body for delivered in given], used)
    index = KeyIndex(event_type, events, forms, used)
    return [index.take(delivered.body) for delivered in given]


def is_extra_copy(match: Owed, owed: list[Owed]) -> bool:
    """Whether it was sent once more and is of a kind that a stack delivers once: account events, trades with an id."""
    if match.fault not in COPIED or not is_delivered_once(match.event):
        return False
    key = twin_key(match.event)
    return any(other.delivered is not None and twin_key(other.event) == key for other in owed)


def is_delivered_once(event: Event) -> bool:
    return event.type in PRIVATE_TYPES or (event.type == "trade" and getattr(event, "id", None) is not None)


def take_copy(match: Owed, delivered: Delivered, findings: list[Finding]) -> None:
    """A fault's second copy came through: the copy itself need not be delivered, so the delivery is a DUP."""
    match.code, delivered.code = "CONFLATED", "DUP"
    findings.append(finding("DUP", "", match, delivered))


def judge_pair(
    match: Owed, delivered: Delivered, held: set[str], is_late_comer: bool, late_ns: int | None
) -> tuple[str, str]:
    """The pair's code and, of FIELD, the path and kind."""
    if match.edge:
        return "EDGE", ""
    is_equal = match.form is not None and is_form(match.form, delivered.type, delivered.body)
    path = None if is_equal else differing(match.event, delivered.body, held)
    if path is not None:
        return "FIELD", path
    if is_late_comer:
        return "REORDER", ""
    if late_ns is not None and delivered.t is not None and delivered.t - match.t_sent > late_ns:
        return "LATE", ""
    return "MATCH", ""


def finding(code: str, path: str, match: Owed, delivered: Delivered) -> Finding:
    return Finding(
        code,
        delivered.connection,
        delivered.type,
        delivered.symbol,
        path,
        match.ref,
        match.frame_no,
        match.event,
        delivered.body,
    )


def is_rebuilt(delivered: Delivered) -> bool:
    """Whether it is a whole book that is no frame of the exchange."""
    return delivered.type == "book" and delivered.body.get("snapshot") is True and delivered.owed is None


def late_comers(places: list[int]) -> set[int]:
    """The fewest places to take out so that the rest ascends; of two in the wrong order the one that came later."""
    if all(a < b for a, b in pairwise(places)):
        return set()
    tails: list[int] = []
    at: list[int] = []
    before = [-1] * len(places)
    for i in range(len(places) - 1, -1, -1):
        slot = bisect_left(tails, -places[i])
        if slot:
            before[i] = at[slot - 1]
        if slot == len(tails):
            tails.append(-places[i])
            at.append(i)
        else:
            tails[slot], at[slot] = -places[i], i
    kept: set[int] = set()
    i = at[-1]
    while i >= 0:
        kept.add(places[i])
        i = before[i]
    return set(places) - kept


def align_by_order(owed: list[Owed], given: list[Delivered], places: list[int]) -> list[int]:
    """Pair what no key joined, where no exact key exists: in order, between matched neighbours, if alike enough."""
    open_ones = [j for j, place in enumerate(places) if place < 0 and not given[j].code and may_align(given[j], owed)]
    if not open_ones:
        return places
    taken = {place for place in places if place >= 0}
    taken |= {i for i, item in enumerate(owed) if item.delivered is not None}
    found = list(places)
    for j in open_ones:
        low = max((place for place in found[:j] if place >= 0), default=-1)
        high = next((place for place in found[j + 1 :] if place > low), len(owed))
        free = (i for i in range(low + 1, min(high, low + 1 + ALIGN_WINDOW)) if i not in taken)
        best = next((i for i in free if is_alike(owed[i].event, given[j].body)), None)
        if best is not None:
            found[j] = best
            taken.add(best)
    return found


def may_align(delivered: Delivered, owed: list[Owed]) -> bool:
    """Whether the delivered event's type lacks an exact key here."""
    if not owed or is_rebuilt(delivered):
        return False
    if delivered.type == "book":
        return delivered.body.get("last") is None
    if delivered.type == "book_ticker":
        return delivered.body.get("seq") is None or getattr(owed[0].event, "seq", None) is None
    return delivered.type == "ticker"


def is_alike(event: Event, body: dict[str, Any]) -> bool:
    """Whether at least half of the fields that both have are equal."""
    if isinstance(event, Book):
        return same_levels(event, body) or (event.ts is not None and event.ts == body.get("ts"))
    equal = compared = 0
    for name, kind_of in FIELDS[event.type]:
        wire, given = getattr(event, name), body.get(name)
        if wire is not None and given is not None:
            compared += 1
            equal += kind_of(wire, given) is None
    return compared >= 2 and 2 * equal >= compared
