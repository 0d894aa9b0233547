"""Damage at many places of a leg at once, and what the diff has to find for it.

What the diff finds on each side is held against what was done there, place by place. Books that go wrong and broken
laws of accounts follow from some damages; where they do, they may be found only on the side where such a damage was
done.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import orjson

from shadow.diff.expected import Owed
from shadow.diff.frames import rows_of

from .legs import MS, ROLES, Body, Judge, Leg, Line, Place, Plain, by_stream, request, spaced

Found = Counter[tuple[str, str, Any]]
"""(side, code, where)."""
SILENT_NS = 2_000_000_000
CODES = ("MISSING", "PHANTOM", "FIELD", "REORDER", "DUP", "CLOCK", "EXC", "CONTROL", "LIFECYCLE")
BOTH = ("MISSING", "FIELD", "REORDER", "DUP", "CLOCK")
"""What can be done to both sides alike."""
FOLLOWING = {"STATE", "LIFECYCLE"}
OUT_OF_NOWHERE = "disconnected to subscribed"
GHOST = "ghost-"
NUMBERS = {"book_ticker": "ask_quantity", "ticker": "high", "balance": "free", "position": "entry_price"}


class Damage:
    """One pass: what is written in the place of some lines of a leg, and what has to be found for it."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.expected: Found = Counter()
        self.following: set[str] = set()
        self.extra: list[Body] = []
        self.new: dict[str, dict[int, list[Line]]] = {role: {} for role in ROLES}

    def at_random(
        self, open_places: dict[str, list[Place]], chance: random.Random, wanted: Counter[str], codes: tuple[str, ...]
    ) -> Damage:
        """Do what is still wanted of some codes, at places that lie apart."""
        for role in ROLES:
            for first, second in spaced(open_places[role], chance):
                fitting = [code for code in codes if wanted[code] > 0 and fits(code, first)]
                if fitting:
                    code = chance.choice(fitting)
                    wanted[code] -= 1
                    ACTS[code](self, role, first, second)
        return self

    def at_both(self, open_places: dict[str, list[Place]], chance: random.Random) -> Damage:
        """Do the same to both sides at the same places."""
        twins = {place.ref: place for place in open_places["new"]}
        for pair in spaced(open_places["legacy"], chance):
            act = ACTS[chance.choice(BOTH)]
            if all(place.ref in twins for place in pair):
                act(self, "legacy", *pair)
                act(self, "new", *(twins[place.ref] for place in pair))
        return self

    def damaged(self) -> Leg:
        lines = {
            role: [line for n, old in enumerate(self.leg.lines[role]) for line in self.new[role].get(n, (old,))]
            for role in ROLES
        }
        tables = self.leg.tables | {"requests": [*rows_of(self.leg.tables["requests"]), *self.extra]}
        return Leg(self.leg.connection, tables, lines)

    def expect(self, role: str, code: str, where: Any) -> None:
        self.expected[role, code, where] += 1

    def follow(self, role: str, place: Place) -> None:
        """A book may be wrong from here on, an account's laws may be broken."""
        if place.stream[0] in ("book", "order", "fill", "balance", "position"):
            self.following.add(role)

    def old(self, role: str, place: Place) -> Line:
        return self.leg.lines[role][place.n]

    def changed(self, role: str, place: Place, **changes: Any) -> Line:
        t_read, raw = self.old(role, place)
        return t_read, orjson.dumps(orjson.loads(raw) | changes)

    def add(self, role: str, place: Place, *more: Body) -> None:
        """Lines right behind one that stays."""
        t_read, raw = self.old(role, place)
        self.new[role][place.n] = [(t_read, raw), *((t_read, orjson.dumps(body)) for body in more)]

    def leave_out(self, role: str, gone: list[Place]) -> None:
        """Neighbours of one stream; in a book they are one hole."""
        for place in gone:
            self.new[role][place.n] = []
            self.expect(role, "MISSING", place.ref)
        if gone[0].stream[0] == "book":
            self.expect(role, "GAP", self.version_ref("GAP", gone[0]))
        self.follow(role, gone[0])

    def version_ref(self, code: str, place: Place) -> Any:
        return code, self.leg.connection, place.stream[1], place.body["last"]

    def missing(self, role: str, first: Place, _: Place) -> None:
        self.leave_out(role, [first])

    def gap(self, role: str, first: Place, _: Place) -> None:
        """What is missing is an update of a book."""
        self.leave_out(role, [first])

    def phantom(self, role: str, first: Place, _: Place) -> None:
        key = next((key for key in ("id", "asset") if key in first.body), "symbol")
        self.add(role, first, first.body | {key: f"{GHOST}{first.n}"})
        self.expect(role, "PHANTOM", f"{GHOST}{first.n}")
        self.follow(role, first)

    def field(self, role: str, first: Place, _: Place) -> None:
        name = NUMBERS.get(first.stream[0], "price")
        if first.stream[0] == "book":
            name = "bids" if first.body["bids"] else "asks"
            (price, quantity), *rest = first.body[name]
            value: Any = [[price, float(quantity) + 1], *rest]
        else:
            value = float(first.body[name]) + 1
        self.new[role][first.n] = [self.changed(role, first, **{name: value})]
        self.expect(role, "FIELD", first.ref)
        self.follow(role, first)

    def reorder(self, role: str, first: Place, second: Place) -> None:
        late = self.old(role, second)
        early = self.changed(role, first, t=second.body["t"])
        self.new[role][first.n], self.new[role][second.n] = [], [late, (late[0], early[1])]
        self.expect(role, "REORDER", first.ref)
        self.follow(role, first)

    def dup(self, role: str, first: Place, _: Place) -> None:
        self.add(role, first, first.body)
        self.expect(role, "DUP", first.ref)

    def clock(self, role: str, first: Place, _: Place) -> None:
        self.new[role][first.n] = [self.changed(role, first, t=first.body["t"] - 1000 * MS)]
        self.expect(role, "CLOCK", first.ref)

    def exc(self, role: str, first: Place, _: Place) -> None:
        text = f"raised-{first.n}"
        self.add(role, first, {"k": "error", "c": self.leg.connection, "t": 1, "kind": "callback", "message": text})
        self.expect(role, "EXC", text)

    def control(self, role: str, first: Place, _: Place) -> None:
        """Only what the candidate asks more is held against a side, so it is always new that asks."""
        self.extra.append(request("new", self.leg.connection, f"{role}-{first.n}"))
        self.expect("new", "CONTROL", "")

    def lifecycle(self, role: str, first: Place, _: Place) -> None:
        head = {"k": "state", "c": self.leg.connection, "t": 1}
        self.add(role, first, *(head | {"state": state} for state in OUT_OF_NOWHERE.split(" to ")))
        self.expect(role, "LIFECYCLE", OUT_OF_NOWHERE)

    def state(self, role: str, first: Place, second: Place) -> None:
        """A level that is not there, better than all; the next update takes it away again."""
        for place, quantity in ((first, 1.0), (second, 0.0)):
            levels = [*place.body["asks"], [1e-9, quantity]]
            self.new[role][place.n] = [self.changed(role, place, asks=levels)]
            self.expect(role, "FIELD", place.ref)
        self.expect(role, "STATE", self.version_ref("STATE", first))

    def mute(self, role: str, stream: list[Place], limit: float, chance: random.Random) -> bool:
        """A stream falls silent for longer than T and speaks again; False where it is too short for that."""
        begins = [n for n, place in enumerate(stream) if place.t_sent + 1.2 * limit < stream[-1].t_sent]
        if not begins:
            return False
        first = chance.choice(begins)
        end = next(n for n, place in enumerate(stream) if place.t_sent - stream[first].t_sent >= 1.1 * limit)
        self.leave_out(role, stream[first : end + 1])
        self.expect(role, "STALE", ("STALE", self.leg.connection, *stream[0].stream))
        return True


ACTS: dict[str, Callable[[Damage, str, Place, Place], None]] = {
    code: getattr(Damage, code.lower()) for code in (*CODES, "GAP", "STATE")
}


def fits(code: str, place: Place) -> bool:
    return code not in ("GAP", "STATE") or place.stream[0] == "book"


def found_in(diff: Any, judge: Judge, following: set[str]) -> tuple[Found, set[str]]:
    """What was found, place by place, and the sides on which something was that may follow from other damage."""
    found: Found = Counter()
    sides = set()
    for role, side in judge.sides.items():
        for one in side.findings:
            if one.code in following and one.field != OUT_OF_NOWHERE:
                sides.add(role)
            else:
                found[role, one.code, where_of(one)] += 1
    for one in diff.differences:
        if one.code == "CONTROL":
            found[one.side, "CONTROL", ""] += one.count
    return found, sides


def where_of(one: Any) -> Any:
    if one.code == "PHANTOM":
        names = (str(one.delivered.get(key)) for key in ("id", "asset", "symbol"))
        return next((name for name in names if name.startswith(GHOST)), one.ref)
    if one.code == "EXC":
        return one.ref[-1]
    return one.field if one.code == "LIFECYCLE" else one.ref


def check_pass(judge: Judge, damage: Damage, tally: Counter[str]) -> Any:
    """Judge the damaged leg: what was done has to be found, and nothing else; gives what was judged."""
    diff = judge(damage.damaged())
    done = {code for _, code, _ in damage.expected}
    found, sides = found_in(diff, judge, FOLLOWING - ({"STATE"} & done))
    assert found - damage.expected == Counter(), "found and not done"
    assert damage.expected - found == Counter(), "done and not found"
    assert sides <= damage.following
    assert diff.conserved
    for (_, code, _), count in damage.expected.items():
        tally[code] += count
    return diff


def silence(owed: list[Owed]) -> float:
    """T of a stream: how long it may be silent."""
    return max(SILENT_NS, 20 * statistics.median(b.t_sent - a.t_sent for a, b in pairwise(owed)))


def measure(judge: Judge, leg: Leg, plain: Plain, each: int, seed: int) -> Counter[str]:
    """Damage a leg until each code was injected so often; how often each was, and found, at its place."""
    open_places, sides = plain
    chance, tally = random.Random(f"{leg.connection} {seed}"), Counter[str]()
    # A book that is wrong already cannot become wrong: that is measured apart.
    for codes in ((*CODES, "GAP"), ("STATE",)) if leg.connection.endswith(".public") else (CODES,):
        wanted: Counter[str] = Counter(dict.fromkeys(codes, each))
        while any(wanted[code] > 0 for code in codes):
            check_pass(judge, Damage(leg).at_random(open_places, chance, wanted, codes), tally)
    limits = {(role, stream[1:]): silence(owed) for role in ROLES for stream, owed in sides[role].streams.items()}
    while tally["STALE"] < each:
        damage = Damage(leg)
        muted = [
            damage.mute(role, stream, limits[role, stream[0].stream], chance)
            for role in ROLES
            for stream in by_stream(open_places[role])
        ]
        assert any(muted), "the leg is too short to fall silent in"
        check_pass(judge, damage, tally)
    return tally


def measure_both(judge: Judge, leg: Leg, plain: Plain, each: int, seed: int) -> Counter[str]:
    """Damage both sides alike until each code was injected so often: each time it is one difference, and of both."""
    chance, tally = random.Random(f"{leg.connection} {seed}"), Counter[str]()
    while min(tally[code] for code in BOTH) < each:
        damage, done = Damage(leg).at_both(plain.places, chance), Counter[str]()
        diff = check_pass(judge, damage, done)
        found = Counter[str]()
        for one in diff.differences:
            if one.code in BOTH:
                assert one.side == "both"
                found[one.code] += one.count
        assert found == Counter({code: done[code] // 2 for code in BOTH if done[code]})
        tally += found
    return Counter({f"{code}, both sides": tally[code] for code in BOTH})
