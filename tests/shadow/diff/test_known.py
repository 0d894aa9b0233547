"""Known differences are counted as such while their entry holds."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadow.diff.codes import Difference
from shadow.diff.known import Known, apply_known, load_known
from shadow.errors import UsageError

ENTRY = """[[known]]
id = "K1"
code = "FIELD"
side = "new"
channel = "trade"
field = "price"
max_count = 2
owner = "desk"
reason = "agreed"
expires = 2026-12-31
"""


def known(**changes: Any) -> Known:
    values: dict[str, Any] = {"id": "K1", "code": "FIELD", "owner": "o", "reason": "r", "expires": date(2026, 12, 31)}
    return Known(**{**values, "max_count": 2, "side": "new", "channel": "trade", "field": "price", **changes})


def difference(count: int = 2) -> Difference:
    return Difference("FIELD", "new", "critical", "c", "trade", "S", "price:value", count)


def test_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(ENTRY)
    assert load_known(path) == [known(owner="desk", reason="agreed")]


@pytest.mark.parametrize("text", ["[[known]]\nid='x'", ENTRY + "surprise = 1\n", ENTRY + ENTRY, "not toml ="])
def test_a_bad_file_is_the_users_mistake_and_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"known\.toml"):
        load_known(path)


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ('"FIELD"', '"FEILD"', "code 'FEILD'"),
        ('"FIELD"', '"UNJUDGED"', "code 'UNJUDGED'"),
        ('side = "new"', 'side = "newer"', "side 'newer'"),
        ('"desk"', '" "', "an owner"),
        ('"agreed"', '""', "a reason"),
        ("max_count = 2", "max_count = 0", "max_count 0"),
        ("[[known]]", "[[knwon]]", "it holds knwon"),
    ],
)
def test_an_entry_that_could_cover_nothing_is_a_mistake(before: str, after: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(ENTRY.replace(before, after))
    with pytest.raises(UsageError, match=says):
        load_known(path)


@pytest.mark.parametrize(
    ("entry", "count", "covered"),
    [
        (known(), 2, True),
        (known(), 3, False),
        (known(field="price:value"), 1, True),
        (known(field="quantity"), 1, False),
        (known(side="legacy"), 1, False),
        (known(side="", channel="", field=""), 1, True),
        (known(code="DUP"), 1, False),
        (known(expires=date(2026, 11, 21)), 1, False),
        (known(expires=date(2026, 11, 22)), 1, True),
    ],
)
def test_what_an_entry_covers(entry: Known, count: int, covered: bool) -> None:
    (item,) = apply_known([difference(count)], [entry], date(2026, 11, 22))
    assert (item.known == "K1") is covered


@pytest.mark.parametrize(
    ("side", "severity", "covered"),
    [
        ("new", "critical", False),
        ("both", "critical", False),
        ("legacy", "critical", True),
        ("new", "major", True),
        ("new", "minor", True),
    ],
)
def test_at_grade_release_nothing_covers_what_is_critical_on_the_new_side(
    side: str, severity: str, covered: bool
) -> None:
    item = msgspec.structs.replace(difference(1), side=side, severity=severity)
    apply_known([item], [known(side="")], date(2026, 11, 22), strict=True)
    assert (item.known == "K1") is covered


def test_a_run_of_grade_release_is_judged_so(scene: Any) -> None:
    scene.events("new", "gateio.spot.public", "trade")[3]["price"] = 1
    assert scene.judge("release", known=[known()]).differences[0].known is None


def test_covered_events_are_counted_as_known_and_the_totals_still_add_up(scene: Any) -> None:
    scene.events("new", "gateio.spot.public", "trade")[3]["price"] = 1
    diff = scene.judge(known=[known()])
    assert diff.differences[0].known == "K1"
    assert diff.totals["new"]["codes"] == {"KNOWN": 1, "MATCH": 361}
    assert diff.conserved
