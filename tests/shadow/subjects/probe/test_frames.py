"""The frames that are measured with: real wire bytes, in the declared mix, in an order that books can follow."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from shadow.plan import MIX
from shadow.reference.events import Book
from shadow.reference.gateio import decode as decode_gateio
from shadow.reference.mexc import decode as decode_mexc
from shadow.subjects.probe.doors import first_version
from shadow.subjects.probe.frames import account_frames, mixed_frames

DECODERS = {"gateio": decode_gateio, "mexc": decode_mexc}


@pytest.mark.parametrize("exchange", ["gateio", "mexc"])
def test_a_mix_is_the_declared_one_and_begins_with_a_book(exchange: str) -> None:
    made = mixed_frames(exchange, 40)
    assert len(made) == 40
    assert first_version(made[0]) is not None
    firsts = [next(iter(DECODERS[exchange](raw))) for raw in made]
    counts = Counter(type(event).__name__.lower() for event in firsts)
    assert sorted(counts.values()) == sorted(round(40 * share) for share in MIX.values())
    books = [event for event in firsts if isinstance(event, Book)]
    assert [book.first for book in books[1:]] == [(book.last or 0) + 1 for book in books[:-1]]


@pytest.mark.parametrize(
    ("kind", "channel"),
    [("order", "futures.orders"), ("balance", "futures.balances"), ("position", "futures.positions")],
)
def test_an_accounts_frames_are_of_one_channel_and_all_different(kind: str, channel: str) -> None:
    made = account_frames(kind, 50)
    assert [json.loads(raw)["channel"] for raw in made] == [channel] * 50
    assert len(set(made)) == 50
