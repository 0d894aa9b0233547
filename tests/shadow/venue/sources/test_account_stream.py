"""The private feed: one frame a turn, the frames of an action in order, to those who have the keys."""

from __future__ import annotations

import json
import time
from collections import Counter
from itertools import pairwise

import pytest

from shadow.venue.account import Account
from shadow.venue.market import market_for
from shadow.venue.personas.gateio_private import GateioSpotPrivate
from shadow.venue.sources.account import AccountStream

SYMBOLS = ("BTC_USDT", "ETH_USDT")
NOW_MS = 1_790_000_000_000


class Side:
    """Somebody with these keys."""

    def __init__(self, *keys: str) -> None:
        self._keys = keys

    def keys(self, channel: str, symbol: str) -> list[str]:
        assert symbol == ""
        names = {"order": "spot.orders", "fill": "spot.usertrades", "balance": "spot.balances"}
        return [key for key in self._keys if key.startswith(f"{names[channel]}|")]


EVERYTHING = Side("spot.orders|!all", "spot.usertrades|!all", "spot.balances|")


def stream(alone: bool = True) -> AccountStream:
    market = market_for("gateio", "spot", SYMBOLS, 1, NOW_MS)
    persona = GateioSpotPrivate(market, 1.0, {"key": "k", "secret": "s", "uid": "1"})
    account = Account(market, "spot", SYMBOLS, 1, NOW_MS)
    return AccountStream(persona, account, ("balance", "order", "fill"), market if alone else None)


def test_one_frame_a_turn() -> None:
    one = stream()
    assert [len(one.make(*one.draw(), [EVERYTHING, EVERYTHING])) for _ in range(1000)] == [1] * 1000
    assert one.channels == ("order", "fill", "balance")
    assert one.draw() == ("order", "")


def test_each_frame_once_whoever_listens_and_both_symbols() -> None:
    one, seen, symbols = stream(), Counter[bytes](), set()
    for _ in range(400):
        for frame, key in one.make("order", "", [EVERYTHING, Side("spot.orders|!all")]):
            seen[frame.payload] += 1
            if key.startswith("spot.orders"):
                symbols.add(json.loads(frame.payload)["result"][0]["currency_pair"])
    assert set(seen.values()) == {1}
    assert symbols == set(SYMBOLS)


def test_nobody_listening_is_no_frame_and_no_debt() -> None:
    one = stream()
    assert [one.make("order", "", [Side()]) for _ in range(5)] == [[]] * 5
    assert one.make("order", "", [EVERYTHING])


def test_fills_may_come_before_their_orders() -> None:
    def early_fills(fills_first: int) -> int:
        one = stream()
        one.fills_first = fills_first
        sent = [frame for _ in range(600) for frame, _ in one.make("order", "", [EVERYTHING])]
        told = [(frame.channel, json.loads(frame.payload)["result"][0]) for frame in sent]
        pairs = [(fill, order) for (kind, fill), (_, order) in pairwise(told) if kind == "fill"]
        assert len(pairs) > 20
        return sum(order.get("id") == fill["order_id"] for fill, order in pairs)

    assert early_fills(0) == 0
    assert early_fills(3) == 3


def test_the_market_moves_along_only_where_nobody_else_moves_it() -> None:
    for alone in (True, False):
        one = stream(alone)
        before = one._account._market.live_top("BTC_USDT")[0]
        for _ in range(50):
            one.make("order", "", [EVERYTHING])
        assert (one._account._market.live_top("BTC_USDT")[0] > before) is alone


def test_exchange_time_stands_still_while_the_wall_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an hour in the middle, and then forward by two."""
    one, sent = stream(), []
    for hours in (0, -1, 2):
        monkeypatch.setattr(time, "time_ns", lambda hours=hours: (NOW_MS + 5 + hours * 3_600_000) * 1_000_000)
        sent += [frame for _ in range(40) for frame, _ in one.make("order", "", [EVERYTHING])]
    orders = [json.loads(frame.payload)["result"][0] for frame in sent if frame.channel == "order"]
    updated = [float(order["update_time_ms"]) for order in orders]
    assert updated == sorted(updated)
    assert updated[-1] - updated[0] >= 2 * 3_600_000
