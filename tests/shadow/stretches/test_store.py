"""Reduced stretches on disk, and what is kept of the frames that matched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shadow.diff.codes import Difference, Matches
from shadow.errors import RunError
from shadow.stretches.store import Reduced, read_stretches, thinned, write_stretch


def matches(numbers: list[int], bursts: list[int] | None = None) -> Matches:
    n = len(numbers)
    whole = np.arange(n, dtype=np.int64)
    return Matches(
        frame_no=np.array(numbers, np.int64), connection=np.zeros(n, np.int16), type=np.ones(n, np.int8),
        symbol=np.zeros(n, np.int16), t_sent=whole * 10, t_callback=whole * 10 + 3,
        first_written=np.ones(n, np.bool_), queued=np.zeros(n, np.bool_),
        burst=np.array(bursts or [-1] * n, np.int32),
    )  # fmt: skip


def stretch(leg: str, begin: int) -> Reduced:
    total = {"input": 3, "expected": 3, "codes": {"MATCH": 2, "FIELD": 1}}
    return Reduced(
        leg=leg, roles=("legacy", "new"), begin=begin, end=begin + 9, connections=["gateio.spot.public"],
        symbols=["BTC_USDT"], samples=[{"code": "FIELD", "frame": "{}"}], totals={"legacy": total, "new": total},
        differences=[Difference("FIELD", "new", "critical", "gateio.spot.public", "trade", "BTC_USDT", "price", 1)],
        conserved=True, arrivals=[("gateio.spot.public", 3, 2, 1, [5, -1, 4])], frames_sent=6, frames_accounted=6,
        requests=[], frames=3, sent=[("new", "gateio.spot.public", "trade", "BTC_USDT", 3)],
        matched=[("new", "gateio.spot.public", "trade", "BTC_USDT", 2)], messages={"new": [(0, 3)]},
        errors=[("new", "gateio.spot.public", 7)],
    )  # fmt: skip


def test_what_is_written_is_read_again_leg_by_leg_in_order(tmp_path: Path) -> None:
    sides = {"legacy": matches([1, 2, 5]), "new": matches([1, 5])}
    for number, begin in ((10, 90), (2, 10), (1, 0)):
        write_stretch(tmp_path, number, stretch("main", begin), sides)
    write_stretch(tmp_path, 1, stretch("aa1", 0), sides)
    found = read_stretches(tmp_path)
    assert {leg: [one.reduced.begin for one in stretches] for leg, stretches in found.items()} == {
        "aa1": [0],
        "main": [0, 10, 90],
    }
    stored = found["main"][1]
    assert stored.reduced == stretch("main", 10)
    for role, side in sides.items():
        for name in Matches.__struct_fields__:
            assert getattr(stored.matches[role], name).tolist() == getattr(side, name).tolist()
            assert getattr(stored.matches[role], name).dtype == getattr(side, name).dtype


def test_a_damaged_stretch_is_named(tmp_path: Path) -> None:
    write_stretch(tmp_path, 1, stretch("main", 0), {"legacy": matches([1]), "new": matches([1])})
    path = tmp_path / "stretches" / "main" / "000001.json"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RunError, match=r"000001\.json is unreadable"):
        read_stretches(tmp_path)


def test_a_stretch_that_was_being_written_is_none(tmp_path: Path) -> None:
    write_stretch(tmp_path, 1, stretch("main", 0), {"legacy": matches([1]), "new": matches([1])})
    (tmp_path / "stretches" / "main" / "000001.json").unlink()
    assert read_stretches(tmp_path) == {}


def test_bursts_are_kept_whole() -> None:
    side = matches(list(range(100)), [-1] * 80 + [n for n in range(10) for _ in range(2)])
    kept = thinned(side, 10).burst.tolist()
    assert kept[-20:] == side.burst[-20:].tolist()
    assert 1 <= kept.count(-1) < 20


def test_one_in_one_is_all() -> None:
    side = matches([*range(1, 13), *range(100, 116)], [-1] * 12 + [n for n in range(8) for _ in range(2)])
    assert thinned(side, 1).frame_no.tolist() == side.frame_no.tolist()


@pytest.mark.parametrize("keep_one_in", [2, 6, 21, 23])
@pytest.mark.parametrize("connections", [1, 6, 8])
def test_each_connection_that_is_served_in_turn_keeps_its_share(keep_one_in: int, connections: int) -> None:
    side = matches(list(range(connections * 4000)))
    kept = thinned(side, keep_one_in)
    shares = np.bincount(kept.frame_no % connections, minlength=connections) / 4000
    assert shares == pytest.approx(1 / keep_one_in, abs=0.03)
    assert thinned(side, keep_one_in).frame_no.tolist() == kept.frame_no.tolist()
