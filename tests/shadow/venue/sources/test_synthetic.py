"""The public feed's clock."""

from __future__ import annotations

import json
import time

import pytest

from shadow.venue.market import market_for
from shadow.venue.personas.registry import PERSONAS
from shadow.venue.sources.synthetic import Stream

NOW_MS = 1_790_000_000_000


class Anybody:
    """Who wants every book update."""

    def __init__(self, key: str) -> None:
        self._key = key

    def keys(self, channel: str, symbol: str) -> list[str]:
        assert (channel, symbol) == ("book", "BTC_USDT")
        return [self._key]


def test_exchange_time_stands_still_while_the_wall_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an hour in the middle, and then forward by two."""
    market = market_for("gateio", "spot", ["BTC_USDT"], 1, NOW_MS)
    persona = PERSONAS["gateio.spot.public"](market)
    one = Stream(persona, market, ["BTC_USDT"], ["book"], 1)
    sent = []
    for hours in (0, -1, 2):
        monkeypatch.setattr(time, "time_ns", lambda hours=hours: (NOW_MS + 5 + hours * 3_600_000) * 1_000_000)
        audience = [Anybody(persona.default_variant("book", "BTC_USDT"))]
        sent += [frame for _ in range(10) for frame, _ in one.make("book", "BTC_USDT", audience)]
    stamps = [float(json.loads(frame.payload)["result"]["t"]) for frame in sent]
    assert len(stamps) == 30
    assert stamps == sorted(stamps)
    assert stamps[-1] - stamps[0] >= 2 * 3_600_000
