"""Whether what has a reason is counted as that and as nothing else, on every connection and either side."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import Any

from shadow.diff.dual import WINDOW_NS
from shadow.diff.frames import rows_of
from shadow.diff.known import Known
from shadow.diff.leg import dual_of

from .damage import FOLLOWING, Damage, Found, found_in
from .excused import REASONS, Excuse, Sides, runs, version, without
from .legs import ROLES, Judge, Leg, Place, Plain, spaced


def events_in(sides: Sides) -> Found:
    """All events that are no plain match, at their places."""
    found = Counter(
        (role, item.code, item.ref)
        for role, side in sides.items()
        for stream in side.streams.values()
        for item in stream
        if item.code != "MATCH"
    )
    found.update(
        (role, event.code, ("line", event.n))
        for role, side in sides.items()
        for event in side.given
        if event.owed is None and event.code != "MATCH"
    )
    return found


def check_excuse(judge: Judge, code: str, excuse: Excuse) -> int:
    """Judge the leg: exactly the events with a reason have their code; how many they are."""
    diff = judge(excuse.leg, **excuse.how)
    found = events_in(judge.sides)
    assert found - excuse.events == Counter(), "counted and not excused"
    assert excuse.events - found == Counter(), "excused and not counted"
    assert found_in(diff, judge, set())[0] == excuse.findings
    assert diff.conserved
    counted = sum(diff.totals[role]["codes"].get(code, 0) for role in ROLES)
    beyond = sum(side.left_out + side.totals["input"] - len(side.given) for side in judge.sides.values())
    assert counted == beyond + sum(n for (_, name, _), n in excuse.events.items() if name == code)
    return counted


def known(judge: Judge, leg: Leg, open_places: dict[str, list[Place]], chance: random.Random) -> int:
    """Somebody signed for what each side lacks of all types but one; what it lacks of that one is as bad as ever."""
    damage, unsigned = Damage(leg), {}
    kinds: dict[str, Counter[str]] = {role: Counter() for role in ROLES}
    frames = sorted({place.ref[0] for role in ROLES for place in open_places[role]})
    owner = dict(zip(frames, chance.choices(ROLES, k=len(frames)), strict=True))
    for role in ROLES:
        apart = [place for place in open_places[role] if owner[place.ref[0]] == role]
        for first, _ in spaced(apart, chance):
            damage.leave_out(role, [first])
            kinds[role][first.stream[0]] += 1
        unsigned[role] = kinds[role].pop(chance.choice(sorted(kinds[role])))
    entries = [
        Known(f"{role} {kind}", "MISSING", "the desk", "on purpose", date(2999, 1, 1), n, side=role, channel=kind)
        for role in ROLES
        for kind, n in kinds[role].items()
    ]
    diff = judge(damage.damaged(), known=entries)
    assert found_in(diff, judge, FOLLOWING)[0] == damage.expected
    signed = [one for one in diff.differences if one.known is not None]
    assert {(one.code, one.known) for one in signed} == {("MISSING", f"{one.side} {one.type}") for one in signed}
    codes = {role: diff.totals[role]["codes"] for role in ROLES}
    assert {role: codes[role]["KNOWN"] for role in ROLES} == {role: kinds[role].total() for role in ROLES}
    assert {role: codes[role]["MISSING"] for role in ROLES} == unsigned
    assert sum(one.count for one in signed) == sum(kinds[role].total() for role in ROLES)
    assert diff.conserved
    return sum(one.count for one in signed)


def shared(plain: Sides, leg: Leg, chance: random.Random) -> int:
    """Three sides of a direct leg lack the same versions; where new lacks others, that is its own."""
    holes, own, count = Found(), Found(), 0
    for (_, kind, symbol), stream in sorted(plain["new"].streams.items()):
        for gone in runs(stream, chance, apart=2) if kind == "book" else ():
            is_shared = chance.random() < 0.9
            count += is_shared
            (holes if is_shared else own).update(("update", symbol, version(item)) for item in gone)
    lines = {
        role: without(leg.lines[role], {event.n for event in side.given if key_of(event) in lacking})
        for role, side in plain.items()
        for lacking in [holes | own if role == "new" else holes]
    }
    third = [row | {"subject": "legacy2"} for row in rows_of(leg.tables["sends"]) if row["subject"] == "legacy"]
    end = {"t": leg.lines["new"][-1][0] + 2 * WINDOW_NS, "leg": "main", "role": "", "name": "leg-end", "detail": "{}"}
    sends = [*rows_of(leg.tables["sends"]), *third]
    dual = dual_of(lines | {"legacy2": lines["legacy"]}, leg.tables["frames"], sends, [end])
    assert dual.shared == {leg.connection: count}
    lacked = {(rate.code, rate.events) for rate in dual.rates}
    assert lacked == ({("MISSING", (own.total(), 0, 0))} if own else set())
    return count


def key_of(event: Any) -> tuple[str, str, Any]:
    """A book update's name among those left out; no other event has one."""
    return "update" if event.type == "book" and event.owed is not None else "", event.symbol, event.body.get("last")


def measure_excused(judge: Judge, leg: Leg, plain: Plain, each: int, seed: int) -> Counter[str]:
    """Give reasons until each code was counted so often; how often each was."""
    open_places, sides = plain
    chance, is_public = random.Random(f"{leg.connection} {seed}"), leg.connection.endswith(".public")
    tally: Counter[str] = Counter()
    for code, reasons in REASONS.items():
        for reason in reasons[: None if is_public else 1]:
            name = code if len(reasons) == 1 else f"{code}, {reason.__name__}"
            while tally[name] < each:
                tally[name] += check_excuse(judge, code, reason(sides, leg, chance))
    while tally["KNOWN"] < each:
        tally["KNOWN"] += known(judge, leg, open_places, chance)
    while is_public and tally["SHARED"] < each:
        tally["SHARED"] += shared(sides, leg, chance)
    return tally
