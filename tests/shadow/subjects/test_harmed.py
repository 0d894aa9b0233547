"""New as a candidate that goes bad: what each word does to a message, and that it is owned up to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from exchanges.structs.types import BookTicker, MessageType, OrderBook, ParsedMessage, Symbol
from shadow.subjects import harmed
from shadow.subjects.harmed import Harmed

BTC = Symbol("BTC", "USDT")
TICKER = ParsedMessage(MessageType.BOOK_TICKER, BTC, data=BookTicker(BTC, 10.0, 1.0, 11.0, 1.0, 5))


def book(last: int, *, whole: bool = False) -> ParsedMessage:
    return ParsedMessage(MessageType.ORDERBOOK, BTC, data=OrderBook(BTC, [], [], 5, last, last, whole))


def owned_up(harm_file: Path, word: str) -> list[Path]:
    return list(harm_file.parent.glob(f"{harm_file.name}.{word}.*"))


@pytest.fixture
def harm_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """It is read once, when the stack is built: the thread that looks again does not start."""
    monkeypatch.setattr(harmed.threading.Thread, "start", lambda _: None)
    return tmp_path / "harm"


async def given(harm_file: Path, word: str, messages: list[ParsedMessage]) -> list[Any]:
    out: list[ParsedMessage] = []

    async def take(message: ParsedMessage) -> None:
        out.append(message)

    if word:
        harm_file.write_text(word)
    stack = Harmed(take, harm_file)
    for message in messages:
        await stack.take(message)
    return out


async def test_without_a_word_everything_is_handed_on_and_nobody_owns_up(harm_file: Path) -> None:
    assert await given(harm_file, "", [TICKER, book(1)]) == [TICKER, book(1)]
    assert owned_up(harm_file, "*") == []


async def test_a_silent_one_hands_on_confirmations_alone(harm_file: Path) -> None:
    confirmed = ParsedMessage(MessageType.SUBSCRIPTION_CONFIRM, BTC)
    assert await given(harm_file, "mute", [TICKER, confirmed]) == [confirmed]
    assert [path.name for path in owned_up(harm_file, "mute")] == [f"harm.mute.{os.getpid()}"]


async def test_an_altered_bid_is_one_too_high_and_owned_up_to_with_the_first(harm_file: Path) -> None:
    assert await given(harm_file, "alter", [book(1)]) == [book(1)]
    assert owned_up(harm_file, "alter") == []
    (found,) = await given(harm_file, "alter", [TICKER])
    assert found.data.bid_price == TICKER.data.bid_price + 1.0
    assert len(owned_up(harm_file, "alter")) == 1


async def test_a_conflating_one_leaves_updates_to_the_first_whole_book(harm_file: Path) -> None:
    sent = [book(1), TICKER, book(2), book(2, whole=True), book(3)]
    assert await given(harm_file, "conflate", sent) == [TICKER, book(2, whole=True), book(3)]
    assert len(owned_up(harm_file, "conflate")) == 1


async def test_a_slow_one_takes_so_much_cpu_for_each_message(harm_file: Path) -> None:
    began_ns = time.thread_time_ns()
    assert await given(harm_file, "slow 2000000", [TICKER] * 5) == [TICKER] * 5
    assert 10_000_000 <= time.thread_time_ns() - began_ns < 30_000_000
    assert len(owned_up(harm_file, "slow")) == 1
