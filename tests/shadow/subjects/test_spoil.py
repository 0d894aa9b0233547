"""What each damage makes of event lines, and that it says so."""

from __future__ import annotations

from typing import Any

import pytest

from shadow.subjects.sabotage import parse_damage
from shadow.subjects.spoil import Spoiler

SECOND = 1_000_000_000
PLACE = "gateio.spot.public"
Line = dict[str, Any]


def event(n: int, kind: str = "trade", symbol: str = "BTC_USDT", **more: Any) -> Line:
    head = {"k": "event", "c": PLACE, "t": n * SECOND, "type": kind, "symbol": symbol, "ts": n}
    body: Line = {
        "trade": {"id": str(n), "price": 100.0, "quantity": 1.0, "side": "buy"},
        "book": {"first": n, "last": n, "snapshot": False, "bids": [(100.0, 1.0)], "asks": []},
        "book_ticker": {"bid": 1.0, "bid_quantity": 2.0, "ask": 3.0, "ask_quantity": 4.0, "seq": n},
    }[kind]
    return head | body | more


def spoilt(damage: str, lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """What is written of the lines, and what the saboteur owns up to."""
    spoiler = Spoiler(parse_damage(damage), PLACE, 1)
    written = [new for line in lines for new in spoiler.spoil(line)]
    notes = [line for line in written if "sabotage" in line]
    return [line for line in written if line not in notes], notes


TRADES = [event(n) for n in range(30)]


def test_one_is_dropped_and_owned_up_to() -> None:
    written, notes = spoilt(f"drop@{PLACE}:at=5s", TRADES)
    (gone,) = [line for line in TRADES if line not in written]
    assert written == [line for line in TRADES if line is not gone]
    assert gone["t"] >= 5 * SECOND
    assert notes == [{"sabotage": "drop", "c": PLACE, "t": gone["t"]}]
    assert "k" not in notes[0]


def test_the_seed_chooses_the_place_and_the_same_one_again() -> None:
    def first_hit(seed: int) -> int:
        spoiler = Spoiler(parse_damage("drop@*:at=0s"), PLACE, seed)
        return next(n for n, line in enumerate(TRADES) if line not in spoiler.spoil(line))

    places = [first_hit(seed) for seed in range(20)]
    assert places == [first_hit(seed) for seed in range(20)]
    assert len(set(places)) > 2


def test_only_so_many_of_the_type_are_hit() -> None:
    lines = [event(n, kind) for n in range(40) for kind in ("book", "trade")]
    written, notes = spoilt(f"drop@{PLACE}:at=0s,count=3,type=book", lines)
    assert [line["type"] for line in lines if line not in written] == ["book"] * 3
    assert len(notes) == 3


@pytest.mark.parametrize(("kind", "field"), [("trade", "price"), ("book_ticker", "ask_quantity"), ("book", "bids")])
def test_one_number_is_altered(kind: str, field: str) -> None:
    lines = [event(n, kind) for n in range(12)]
    written, _ = spoilt(f"alter@{PLACE}:at=0s,type={kind}", lines)
    (pair,) = [(old, new) for old, new in zip(lines, written, strict=True) if old != new]
    assert {name for name in pair[0] if pair[0][name] != pair[1][name]} == {field}


def test_two_neighbours_of_one_stream_change_places() -> None:
    lines = [event(n, symbol=symbol) for n in range(20) for symbol in ("BTC_USDT", "ETH_USDT")]
    written, notes = spoilt(f"swap@{PLACE}:at=0s", lines)
    moved = next(n for n, line in enumerate(lines) if written[n] != line)
    held = lines[moved]
    assert written[moved + 1]["symbol"] == held["symbol"]
    assert written[moved + 2] == held | {"t": written[moved + 1]["t"]}
    assert len(written) == len(lines)
    assert notes[0]["t"] == written[moved + 1]["t"]


def test_one_comes_twice_one_is_invented_one_goes_back_in_time() -> None:
    twice, _ = spoilt(f"twice@{PLACE}:at=0s", TRADES)
    assert len(twice) == 31
    assert len({line["id"] for line in twice}) == 30
    invented, _ = spoilt(f"invent@{PLACE}:at=0s", TRADES)
    assert len({line["id"] for line in invented}) == 31
    back, _ = spoilt(f"clock@{PLACE}:at=0s", TRADES)
    assert [b["t"] - a["t"] for a, b in zip(TRADES, back, strict=True) if a != b] == [-3 * SECOND]


def test_errors_and_states_are_added_and_no_event_is_lost() -> None:
    raised, _ = spoilt(f"raise@{PLACE}:at=0s", TRADES)
    assert [line["kind"] for line in raised if line["k"] == "error"] == ["callback"]
    unsettled, _ = spoilt(f"unsettle@{PLACE}:at=0s", TRADES)
    assert [line["state"] for line in unsettled if line["k"] == "state"] == ["disconnected", "subscribed"]
    for lines in (raised, unsettled):
        assert [line for line in lines if line["k"] == "event"] == TRADES


def test_silence_is_for_good_and_owned_up_to_once() -> None:
    written, notes = spoilt(f"mute@{PLACE}:at=5s", TRADES)
    assert written == TRADES[:5]
    assert [line["t"] for line in notes] == [5 * SECOND]


def test_updates_are_left_to_the_first_whole_book_of_their_symbol() -> None:
    lines = [event(n, "book", symbol) for n in range(4) for symbol in ("BTC_USDT", "ETH_USDT")]
    whole = event(4, "book", snapshot=True)
    later = [event(n, "book", symbol) for n in (5, 6) for symbol in ("BTC_USDT", "ETH_USDT")]
    written, notes = spoilt(f"conflate@{PLACE}", [*lines, event(4), whole, *later])
    assert written == [event(4), whole, *(line for line in later if line["symbol"] == "BTC_USDT")]
    assert len(notes) == 1
