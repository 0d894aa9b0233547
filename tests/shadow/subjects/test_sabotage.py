"""The saboteur's grammar: what it reads, and mistakes in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shadow.errors import UsageError
from shadow.subjects.sabotage import KINDS, Damage, parse_damage


@pytest.mark.parametrize(
    ("text", "damage"),
    [
        ("drop@gateio.spot.public", Damage("drop", "gateio.spot.public")),
        (
            "twice@*:at=250ms,count=3,type=book_ticker",
            Damage("twice", "*", at_s=0.25, count=3, type="book_ticker"),
        ),
        ("away@mexc.spot.private:at=3s,for=1.5s", Damage("away", "mexc.spot.private", at_s=3.0, for_s=1.5)),
        ("leak@*:at=1,rate=1000", Damage("leak", "*", at_s=1.0, rate=1000)),
    ],
)
def test_a_damage_is_read(text: str, damage: Damage) -> None:
    assert parse_damage(text) == damage


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("drop", "KIND@CONNECTION"),
        ("melt@*", "kinds are drop"),
        ("drop@binance.spot.public", "unknown connection"),
        ("mute@*:count=2", "it takes at"),
        ("conflate@*:at=2s", "it takes no key"),
        ("drop@*:at=soon", "at=2s"),
        ("drop@*:count=0", "count=3"),
        ("drop@*:type=candle", "type=trade"),
        ("drop@mexc.spot.private:type=trade", "no events of type 'trade'"),
        ("away@*", "name the connection"),
    ],
)
def test_a_mistake_says_the_way_out(text: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_damage(text)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_every_kind_takes_what_it_is_given_alone() -> None:
    assert [parse_damage(f"{kind}@mexc.spot.public").kind for kind in KINDS] == list(KINDS)


def test_the_saboteur_refuses_a_mistake_in_one_line() -> None:
    words = [sys.executable, "-m", "shadow.subjects.saboteur", "melt@*"]
    answer = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (answer.returncode, answer.stdout, answer.stderr.count("\n")) == (2, "", 1)
    assert "unknown kind 'melt'" in answer.stderr
