"""What an exchange may send by mistake or malice: no number, half a character. It is unreadable, and no event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shadow.reference import gateio, mexc
from shadow.reference.events import DecodeError
from shadow.reference.mexc_wire import Push

TRADE = {
    "id": 7,
    "create_time_ms": "1700000000000.1",
    "side": "buy",
    "currency_pair": "A_B",
    "amount": "1",
    "price": "5",
}


def gateio_push(**changes: Any) -> bytes:
    return json.dumps({"channel": "spot.trades", "event": "update", "result": TRADE | changes}).encode()


@pytest.mark.parametrize("price", ["abc", "nan", "1e999999", "-", {}, [1]])
def test_a_price_that_is_no_number_makes_the_frame_unreadable(price: Any) -> None:
    assert gateio.decode(gateio_push())[0].symbol == "A_B"
    with pytest.raises(DecodeError):
        gateio.decode(gateio_push(price=price))


@pytest.mark.parametrize("symbol", ["\ud800", "A\udfffB"])
def test_half_a_character_makes_the_frame_unreadable(symbol: str) -> None:
    assert gateio.decode(gateio_push(currency_pair="\U0001f600"))[0].symbol == "\U0001f600"
    with pytest.raises(DecodeError):
        gateio.decode(gateio_push(currency_pair=symbol))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("publicAggreDepths", {"bids": [{"price": "abc", "quantity": "1"}]}),
        ("publicAggreDeals", {"deals": [{"price": "1", "quantity": "nan"}]}),
        ("publicAggreBookTicker", {"bidPrice": "x"}),
        ("publicMiniTicker", {"price": "1", "volume": "1e99999"}),
        ("privateAccount", {"vcoinName": "A", "balanceAmount": "much"}),
    ],
)
def test_a_text_that_is_no_number_makes_a_mexc_push_unreadable(
    name: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mexc, "decode_push", lambda _: Push("c", "AB", None, 1, name, body))
    with pytest.raises(DecodeError, match=name):
        mexc.decode(b"")


def test_a_mexc_rest_book_has_numbers() -> None:
    with pytest.raises(DecodeError):
        mexc.rest_book(b'{"lastUpdateId":1,"bids":[["x","1"]],"asks":[]}', "AB")
