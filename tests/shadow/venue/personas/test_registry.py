"""Every registered persona serves the four public channels of its own market by one set of rules."""

from __future__ import annotations

import pytest

from shadow.venue.market import market_for
from shadow.venue.personas.registry import PERSONAS
from shadow.venue.wire import Persona

NOW_MS = 1_790_281_243_450
SYMBOLS = ("BTC_USDT", "ETH_USDT")
TYPES = ("book", "trade", "book_ticker", "ticker")


@pytest.mark.parametrize("connection", PERSONAS)
@pytest.mark.parametrize("type_", TYPES)
def test_the_default_variant_leads_back_to_its_type_and_gets_every_event(connection: str, type_: str) -> None:
    exchange, kind, scope = connection.split(".")
    market = market_for(exchange, kind, SYMBOLS, 1, NOW_MS)
    persona: Persona = PERSONAS[connection](market)
    assert (persona.id, persona.exchange, persona.market) == (connection, exchange, kind)
    assert scope == "public"
    key = persona.default_variant(type_, "ETH_USDT")
    assert persona.variant(key) == (type_, "ETH_USDT")
    payloads = set()
    for place in range(50):
        event = market.step(type_, "ETH_USDT", NOW_MS)
        push = persona.encode(event, key)
        assert push is not None, place
        assert (push.channel, push.symbol) == (type_, persona.spell("ETH_USDT"))
        assert persona.encode(event, key) == push
        payloads.add(push.payload)
    assert len(payloads) == 50


@pytest.mark.parametrize("connection", PERSONAS)
@pytest.mark.parametrize("key", ["", "nonsense", "spot.trades", "spot@public.deals.v3.api.pb@BTCUSDT"])
def test_a_key_that_is_not_offered_is_a_value_error(connection: str, key: str) -> None:
    exchange, kind, _ = connection.split(".")
    persona = PERSONAS[connection](market_for(exchange, kind, SYMBOLS, 1, NOW_MS))
    with pytest.raises(ValueError, match="not a"):
        persona.variant(key)
