"""How sure the diff is: damage at seeded places, on every connection and either side, found again one by one.

A leg is damaged at many places at once, far enough apart that none hides another; what the diff finds on each side is
then held against what was done there, place by place. Books that go wrong and broken laws of accounts follow from some
damages; where they do, they may be found only on the side where such a damage was done.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson
import pytest

from shadow.config import CONNECTIONS
from shadow.diff import leg as leg_module
from shadow.diff.frames import FrameStore, rows_of
from shadow.diff.known import Known
from shadow.diff.leg import diff_streams, lines_of, table_of
from shadow.diff.side import SideJudgement

Line = tuple[int, bytes]
Body = dict[str, Any]
Found = Counter[tuple[str, str, Any]]
"""(side, code, where)."""
ROLES = ("legacy", "new")
MS = 1_000_000
APART = 6
"""Events of one stream that stay whole between two damages."""
EDGE_EVENTS = 12
SILENT_NS = 2_000_000_000
CODES = ("MISSING", "PHANTOM", "FIELD", "REORDER", "DUP", "CLOCK", "EXC", "CONTROL", "LIFECYCLE")
FOLLOWING = {"STATE", "LIFECYCLE"}
OUT_OF_NOWHERE = "disconnected to subscribed"
GHOST = "ghost-"
NUMBERS = {"book_ticker": "ask_quantity", "ticker": "high", "balance": "free", "position": "entry_price"}


class Leg(NamedTuple):
    """One connection of a leg that both sides delivered without fault."""

    connection: str
    tables: dict[str, Any]
    lines: dict[str, list[Line]]


class Place(NamedTuple):
    """One event that may be damaged: its line's number, its frame and its place in it, and when that was sent."""

    n: int
    stream: tuple[str, str]
    ref: tuple[int, int]
    t_sent: int
    body: Body


class Judge:
    """Judges a leg and keeps what is known of each side, which the diff itself only counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sides: dict[str, SideJudgement] = {}
        judge_side = leg_module.judge_side

        def keep(role: str, *words: Any, **more: Any) -> SideJudgement:
            self.sides[role] = judge_side(role, *words, **more)
            return self.sides[role]

        monkeypatch.setattr(leg_module, "judge_side", keep)

    def __call__(self, leg: Leg, **how: Any) -> Any:
        return diff_streams(**leg.tables, lines=leg.lines, session={"schema": 1}, **how)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    return Judge(monkeypatch)


def made_leg(connection: str, frames: int, seed: int = 1) -> Leg:
    """A leg as the venue's persona writes it, said by both sides as the reference reads it."""
    made = list(made_frames(connection, frames, seed))
    store = FrameStore(made)
    sends, lines = [], dict[str, list[Line]](legacy=[], new=[])
    for number, row in enumerate(made):
        for gap, role in enumerate(ROLES):
            t = (1000 + 5 * number) * MS + gap * 300_000
            sends.append(
                {"frame_no": row["frame_no"], "subject": role, "conn_no": 1, "t_sent": t, "first_written": gap == 0,
                 "queued": False, "burst": -1}
            )  # fmt: skip
            lines[role] += [
                (t + MS, orjson.dumps(said(connection, event, t + MS // 2)))
                for event in store.frames[row["frame_no"]].events
            ]
    acks = [
        {"t": 1, "subject": role, "connection": connection, "conn_no": 1, "event": "subscribed", "channel": kind,
         "symbol": symbol, "code": None, "cause": "client", "detail": ""}
        for role in ROLES
        for kind in sorted({row["channel"] for row in made})
        for symbol in ("BTC_USDT", "BTCUSDT", "")
    ]  # fmt: skip
    asked = [request(role, connection, "BTC_USDT") for role in ROLES]
    return Leg(connection, {"frames": made, "sends": sends, "connections": acks, "marks": [], "requests": asked}, lines)


def made_frames(connection: str, frames: int, seed: int) -> Iterator[Body]:
    from shadow.venue.account import Account
    from shadow.venue.market import market_for
    from shadow.venue.personas.registry import PERSONAS, PRIVATE

    exchange, market, scope = connection.split(".")
    now_ms = 1_790_000_000_000
    view = market_for(exchange, market, ["BTC_USDT"], seed, now_ms)
    persona: Any = (PERSONAS | PRIVATE)[connection](view)
    account = Account(view, market, ["BTC_USDT"], seed, now_ms) if scope == "private" else None
    types = ("book", "trade", "book_ticker", "ticker")
    number = step = 0
    while number < frames:
        step += 1
        ms = now_ms + 20 * step
        made = account.step("BTC_USDT", ms) if account else [view.step(types[step % 4], "BTC_USDT", ms)]
        for event in made:
            push = persona.encode(event, persona.default_variant(event.type, "BTC_USDT"))
            number += 1
            yield {"frame_no": number, "connection": connection, "kind": "ws", "channel": push.channel,
                   "symbol": push.symbol, "first": None, "last": None, "payload": push.payload,
                   "is_text": push.is_text, "fault": ""}  # fmt: skip


def said(connection: str, event: Any, t: int) -> Body:
    """An event of the reference as a protocol line; exact numbers as decimal strings."""
    body = msgspec.to_builtins(event)
    fields = {name: value for name, value in body.items() if name not in ("nearest", "times")}
    return {"k": "event", "c": connection, "t": t, "type": event.type, "symbol": event.symbol or None} | fields


def request(role: str, connection: str, symbol: str) -> Body:
    frame = {"channel": "spot.trades", "event": "subscribe", "payload": [symbol]}
    return {"subject": role, "connection": connection, "kind": "ws", "payload": orjson.dumps(frame)}


def places(judge: Judge, leg: Leg) -> dict[str, list[Place]]:
    """What may be damaged on each side: events that matched, apart from the ends of their streams."""
    diff = judge(leg)
    assert [one for one in diff.differences if one.severity != "info"] == []
    found: dict[str, list[Place]] = {}
    for role in ROLES:
        matched = [
            Place(event.n, (event.type, event.symbol), event.owed.ref, event.owed.t_sent, event.body)
            for event in judge.sides[role].given
            if event.code == "MATCH" and event.owed is not None
        ]
        found[role] = [place for stream in by_stream(matched) for place in stream[EDGE_EVENTS:-EDGE_EVENTS]]
    return found


def by_stream(mine: list[Place]) -> list[list[Place]]:
    found: dict[tuple[str, str], list[Place]] = {}
    for place in mine:
        found.setdefault(place.stream, []).append(place)
    return list(found.values())


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

    def mute(self, role: str, stream: list[Place], chance: random.Random) -> bool:
        """A stream falls silent for longer than T and speaks again; False where it is too short for that."""
        gaps = [b.t_sent - a.t_sent for a, b in pairwise(stream)]
        limit = max(SILENT_NS, 20 * statistics.median(gaps))
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


def spaced(mine: list[Place], chance: random.Random) -> Iterator[tuple[Place, Place]]:
    """Places with their next neighbours, at least APART events of the stream from each other."""
    for stream in by_stream(mine):
        at = chance.randrange(APART)
        while at + 1 < len(stream):
            yield stream[at], stream[at + 1]
            at += APART + chance.randrange(APART)


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


def check_pass(judge: Judge, damage: Damage, tally: Counter[str]) -> None:
    """Judge the damaged leg: what was done has to be found, and nothing else."""
    diff = judge(damage.damaged())
    done = {code for _, code, _ in damage.expected}
    found, sides = found_in(diff, judge, FOLLOWING - ({"STATE"} & done))
    assert found - damage.expected == Counter(), "found and not done"
    assert damage.expected - found == Counter(), "done and not found"
    assert sides <= damage.following
    assert diff.conserved
    for (_, code, _), count in damage.expected.items():
        tally[code] += count


def measure(judge: Judge, leg: Leg, each: int, seed: int) -> Counter[str]:
    """Damage a leg until each code was injected so often; how often each was, and found, at its place."""
    open_places, chance = places(judge, leg), random.Random(f"{leg.connection} {seed}")
    tally: Counter[str] = Counter()
    # A book that is wrong already cannot become wrong: that is measured apart.
    for codes in ((*CODES, "GAP"), ("STATE",)) if leg.connection.endswith(".public") else (CODES,):
        wanted: Counter[str] = Counter(dict.fromkeys(codes, each))
        while any(wanted[code] > 0 for code in codes):
            check_pass(judge, Damage(leg).at_random(open_places, chance, wanted, codes), tally)
    while tally["STALE"] < each:
        damage = Damage(leg)
        muted = [damage.mute(role, stream, chance) for role in ROLES for stream in by_stream(open_places[role])]
        assert any(muted), "the leg is too short to fall silent in"
        check_pass(judge, damage, tally)
    return tally


# What a side may do, or what cannot be told, has codes of its own: each case is made, and counted exactly.


def made_late(judge: Judge, leg: Leg, each: int, chance: random.Random) -> Counter[str]:
    """Frames that left earlier than thought, so that their events came after the window."""
    numbers = [row["frame_no"] for row in leg.tables["frames"]]
    early = set(chance.sample(numbers[EDGE_EVENTS:-EDGE_EVENTS], each))
    sends = [
        row | {"t_sent": row["t_sent"] - 3 * MS} if row["subject"] == "new" and row["frame_no"] in early else row
        for row in leg.tables["sends"]
    ]
    diff = judge(Leg(leg.connection, leg.tables | {"sends": sends}, leg.lines), late_ns=2 * MS)
    late = {one.ref[0] for one in judge.sides["new"].findings if one.code == "LATE"}
    assert late == early
    assert {one.code for one in judge.sides["new"].findings} == {"LATE"}
    return codes_of(diff)


def made_known(judge: Judge, leg: Leg, each: int, chance: random.Random) -> Counter[str]:
    """Missing events of a channel that somebody signed for."""
    kind = "balance" if leg.connection.endswith(".private") else "trade"
    stream = [place for place in places(judge, leg)["new"] if place.stream[0] == kind]
    damage = Damage(leg)
    for place in chance.sample(stream, min(each, len(stream) // 2)):
        damage.leave_out("new", [place])
    entry = Known("K1", "MISSING", "the desk", "left out on purpose", date(2999, 1, 1), each, channel=kind)
    diff = judge(damage.damaged(), known=[entry])
    assert {one.known for one in diff.differences if one.code == "MISSING"} == {"K1"}
    assert codes_of(diff)["KNOWN"] == len(damage.expected)
    return codes_of(diff)


def made_unjudged(judge: Judge, leg: Leg, each: int, chance: random.Random) -> Counter[str]:
    """More events than the memory's cap lets in."""
    return codes_of(judge(leg, cap=len(leg.lines["new"]) - each)) - Counter({"UNJUDGED": each})


def made_edge(judge: Judge, leg: Leg, each: int, chance: random.Random) -> Counter[str]:
    """Events behind the moment at which the side was told to stop."""
    sent = sorted(row["t_sent"] for row in leg.tables["sends"] if row["subject"] == "new")
    stop = {"t": sent[-each - 1], "leg": "main", "role": "new", "name": "subject-stop", "detail": "{}"}
    diff = judge(Leg(leg.connection, leg.tables | {"marks": [stop]}, leg.lines))
    behind = sum(len(send.frame.events) for send in judge.sides["new"].sends if send.t_sent > stop["t"])
    assert codes_of(diff)["EDGE"] == behind
    return codes_of(diff)


def made_in_flight(judge: Judge, leg: Leg, each: int, chance: random.Random) -> Counter[str]:
    """Events on their way when the connection broke."""
    judge(leg)
    last = {send.frame.frame_no for send in judge.sides["new"].sends[-each:]}
    gone = {event.n for event in judge.sides["new"].given if event.owed.ref[0] in last}
    kept = [line for n, line in enumerate(leg.lines["new"]) if n not in gone]
    end = leg.tables["connections"][0] | {
        "t": 10**15,
        "subject": "new",
        "event": "close",
        "code": 1006,
        "cause": "venue",
    }
    tables = leg.tables | {"connections": [*leg.tables["connections"], end]}
    diff = judge(Leg(leg.connection, tables, leg.lines | {"new": kept}))
    assert codes_of(diff)["IN_FLIGHT"] == len(gone)
    return codes_of(diff)


def codes_of(diff: Any) -> Counter[str]:
    """How often new has each code but MATCH; legacy has no other."""
    assert diff.conserved
    assert set(diff.totals["legacy"]["codes"]) <= {"MATCH", "UNJUDGED"}
    return Counter({code: n for code, n in diff.totals["new"]["codes"].items() if code != "MATCH"})


EXCUSED = {
    "LATE": made_late,
    "KNOWN": made_known,
    "UNJUDGED": made_unjudged,
    "EDGE": made_edge,
    "IN_FLIGHT": made_in_flight,
}


def check_excused(judge: Judge, connection: str, code: str, frames: int, each: int) -> None:
    found = EXCUSED[code](judge, made_leg(connection, frames), each, random.Random(f"{connection} {code}"))
    assert set(found) == {code}
    assert found[code] >= each


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("code", EXCUSED)
def test_what_is_excused_is_counted_exactly(judge: Judge, connection: str, code: str) -> None:
    check_excused(judge, connection, code, 400, 20)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("code", EXCUSED)
def test_a_thousand_that_are_excused_are_counted_exactly(judge: Judge, connection: str, code: str) -> None:
    check_excused(judge, connection, code, 13_000, 1000)


def wanted_codes(connection: str) -> set[str]:
    return {*CODES, "STALE"} | ({"STATE", "GAP"} if connection.endswith(".public") else set())


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_what_is_done_is_found_where_it_was_done_and_nothing_else(judge: Judge, connection: str) -> None:
    tally = measure(judge, made_leg(connection, 900), 12, 1)
    assert set(tally) == wanted_codes(connection)
    assert min(tally.values()) >= 12


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both stacks on all six connections for ten seconds, nothing done to them."""
    from shadow.drill.plan import DrillSession, config_of
    from shadow.session import run_session

    class Quiet:
        def phase(self, leg: str, phase: str, seconds: float) -> None:
            """Nothing to show."""

        def note(self, text: str) -> None:
            """Nothing to show."""

    folder = tmp_path_factory.mktemp("recorded")
    config = config_of(DrillSession("plain", 10.0, (), CONNECTIONS), 1)
    config.validate()
    assert run_session(config, folder, Quiet()) is None
    return folder


def recorded_leg(run: Path, connection: str) -> Leg:
    from shadow.drill.view import RunView

    view = RunView(run, connection)
    names = ("frames", "sends", "connections", "marks", "requests")
    tables = {name: table_of(view, name, "main") for name in names}
    return Leg(connection, tables, {role: lines_of(view, "main", role) for role in ROLES})


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.checklist("R.4")
def test_a_thousand_of_each_on_every_connection_of_a_recorded_run(
    judge: Judge, recorded_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tallies = {one: measure(judge, recorded_leg(recorded_run, one), 1000, 1) for one in CONNECTIONS}
    with capsys.disabled():
        sys.stdout.write(accuracy_table(tallies))
    for connection, tally in tallies.items():
        assert set(tally) == wanted_codes(connection)
        assert min(tally.values()) >= 1000


def accuracy_table(tallies: dict[str, Counter[str]]) -> str:
    """Injected and found by code and connection; a pass in which one was missed or one too many had failed before."""
    codes = sorted({code for tally in tallies.values() for code in tally})
    rows = [["code", *tallies], ["---"] * (1 + len(tallies))]
    rows += [[code, *(str(tally[code] or "-") for tally in tallies.values())] for code in codes]
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"\ninjected; each found at its place and on its side, and nothing else found:\n{lines}\n"


CLEAN_EVENTS = 10_000_000
CHUNK = 50_000


@pytest.mark.long
@pytest.mark.timeout(5400)
def test_ten_million_clean_events_give_no_code(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    seen = seed = 0
    while seen < CLEAN_EVENTS:
        seen += check_clean(judge, CONNECTIONS[seed % len(CONNECTIONS)], CHUNK, seed)
        seed += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{seen} clean events of {seed} markets: no code but MATCH\n")


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_clean_events_give_no_code(judge: Judge, connection: str) -> None:
    assert check_clean(judge, connection, 1000, 7) >= 2000


def check_clean(judge: Judge, connection: str, frames: int, seed: int) -> int:
    """Judge a faultless leg; how many events both sides delivered."""
    diff = judge(made_leg(connection, frames, seed))
    assert diff.differences == []
    assert diff.conserved
    totals = [diff.totals[role] for role in ROLES]
    assert all(one["codes"] == {"MATCH": one["expected"]} for one in totals)
    return sum(one["input"] for one in totals)
