"""What a frame of a log is: by the reference, the same as by whoever made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.importing.meaning import CHANNELS, CONTROL, EMPTY, NO_BOOK, BadFrame, book_of, frame_of
from shadow.venue.sources.imported import BookLine, FrameLine

SPOT, FUTURES, MEXC = CHANNELS
TYPES = ["book", "trade", "book_ticker", "ticker"]
Hostile = Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BIG_VERSION = b'{"channel":"spot.order_book_update","event":"update","result":{"s":"A_B","U":1,"u":1e30}}'
ACK = b'{"time":1,"channel":"spot.trades","event":"subscribe","error":null,"result":{"status":"success"}}'


@pytest.mark.parametrize("connection", CHANNELS)
def test_each_frame_of_the_venue_is_told_by_channel_symbol_and_versions(
    connection: str, good_frames: Callable[[str], list[bytes]]
) -> None:
    from shadow.venue.market import market_for
    from shadow.venue.personas.registry import PERSONAS

    persona = PERSONAS[connection](market_for(*connection.split(".")[:2], ["BTC_USDT"], 1, 0))
    books = []
    for place, payload in enumerate(good_frames(connection)):
        line = frame_of(connection, payload, not connection.startswith("mexc"))
        assert isinstance(line, FrameLine)
        assert (line.channel, line.symbol) == (TYPES[place % 4], "BTC_USDT")
        assert persona.default_variant(line.channel, line.symbol).startswith(line.wire_channel)
        assert (line.text or "").encode() == payload or line.base64 == payload
        if line.channel == "book":
            books.append((line.first, line.last))
    assert all(first is not None and last is not None and first <= last for first, last in books)
    assert [first for first, _ in books[1:]] == [last + 1 for _, last in books[:-1] if last is not None]


def test_a_channel_with_the_body_of_another_is_refused(good_frames: Callable[[str], list[bytes]]) -> None:
    trade = good_frames(MEXC)[1]
    with pytest.raises(BadFrame, match="with a body of type trade"):
        frame_of(MEXC, trade.replace(b"aggre.deals", b"aggre.depth"), False)


def test_several_trades_in_a_frame_are_counted(good_frames: Callable[[str], list[bytes]]) -> None:
    trade = orjson.loads(good_frames(FUTURES)[1])
    trade["result"] *= 3
    line = frame_of(FUTURES, orjson.dumps(trade), True)
    assert isinstance(line, FrameLine)
    assert line.events == len(trade["result"])


@pytest.mark.parametrize(
    ("connection", "payload", "is_text", "reason"),
    [
        (SPOT, ACK, True, CONTROL),
        (SPOT, b'{"time":1,"channel":"spot.pong","event":"","result":null}', True, CONTROL),
        (SPOT, b'{"channel":"spot.candlesticks","event":"update","result":{}}', True, "channel spot.candlesticks"),
        (SPOT, b'{"channel":"spot.orders","event":"update","result":[{}]}', True, "channel spot.orders"),
        (SPOT, b'{"channel":"spot.trades","event":"update","result":[]}', True, EMPTY),
        (FUTURES, b'{"channel":"futures.tickers","event":"update","result":[{"contract":"A_B"}]}', True, EMPTY),
        (MEXC, b'{"id":0,"code":0,"msg":"PONG"}', True, CONTROL),
        (MEXC, b"", False, "channel (none)"),
        (MEXC, b"\x0a\x22spot@public.aggre.deals.v3.api.pb@", False, EMPTY),
        (MEXC, b"\x0a\x17spot@private.deals.v3.x", False, "channel spot@private.deals.v3.x"),
    ],
)
def test_what_is_no_event_is_left_out_with_its_reason(
    connection: str, payload: bytes, is_text: bool, reason: str
) -> None:
    assert frame_of(connection, payload, is_text) == reason


@pytest.mark.parametrize(
    ("connection", "payload", "is_text", "says", "way_out"),
    [
        (SPOT, b"{}", False, "binary", "text"),
        (SPOT, b"no", True, "no JSON", "exactly as it was received"),
        (SPOT, b'{"channel":"futures.trades","event":"update"}', True, "futures frame", FUTURES),
        (FUTURES, b'{"channel":"spot.trades","event":"subscribe"}', True, "spot frame", SPOT),
        (SPOT, b'{"channel":"spot.trades","event":"update","result":{}}', True, "spot.trades", "exactly"),
        (SPOT, BIG_VERSION, True, "64 bits", "exactly"),
        (SPOT, b'{"channel":"spot.book_ticker","event":"update","result":{"s":""}}', True, "no symbol", "exactly"),
        (SPOT, b'{"channel":"spot.book_ticker","event":"update","result":{"s":"\\u001b"}}', True, "no symbol", ""),
        (MEXC, b"\x0a\xff", False, "cut off", "exactly"),
        (MEXC, b"\x0a\x16spot", True, "no JSON object", "base64"),
    ],
)
def test_what_cannot_have_come_so_is_refused(
    connection: str, payload: bytes, is_text: bool, says: str, way_out: str
) -> None:
    with pytest.raises(BadFrame) as caught:
        frame_of(connection, payload, is_text)
    assert says in str(caught.value)
    assert way_out in caught.value.way_out


GATEIO_BOOK = b'{"id":7,"current":1,"update":1,"asks":[["2","1"]],"bids":[["1","3"]]}'
FUTURES_BOOK = b'{"id":7,"current":1.5,"asks":[{"p":"2","s":1}],"bids":[{"p":"1","s":3}]}'
MEXC_BOOK = b'{"lastUpdateId":7,"bids":[["1","3"]],"asks":[["2","1"]],"timestamp":1}'


@pytest.mark.parametrize(
    ("connection", "url", "payload"),
    [
        (SPOT, "https://x/api/v4/spot/order_book?currency_pair=BTC_USDT&with_id=true", GATEIO_BOOK),
        (FUTURES, "https://x/api/v4/futures/usdt/order_book?contract=BTC_USDT&with_id=true", FUTURES_BOOK),
        (MEXC, "https://x/api/v3/depth?symbol=BTCUSDT", MEXC_BOOK),
    ],
)
def test_a_rest_book_is_told_by_its_address(connection: str, url: str, payload: bytes) -> None:
    assert book_of(connection, url, payload) == BookLine("BTC_USDT", 7, [("1", "3")], [("2", "1")])


@pytest.mark.parametrize(
    ("url", "payload"),
    [
        ("https://x/?currency_pair=BTC_USDT", GATEIO_BOOK.replace(b'"id":7,', b"")),
        ("https://x/?currency_pair=BTC_USDT", GATEIO_BOOK.replace(b'"id":7', b'"id":' + b"9" * 30)),
        ("https://x/?currency_pair=BTC_USDT", b"<html>"),
        ("https://x/spot/time", b'{"server_time":1}'),
        ("https://[", GATEIO_BOOK),
    ],
)
def test_another_rest_answer_is_left_out(url: str, payload: bytes) -> None:
    assert book_of(SPOT, url, payload) == NO_BOOK


def test_a_mexc_name_with_an_unknown_quote_stays(good_frames: Callable[[str], list[bytes]]) -> None:
    payload = good_frames(MEXC)[0].replace(b"BTCUSDT", b"BTCXXXX")
    line = frame_of(MEXC, payload, False)
    assert isinstance(line, FrameLine)
    assert line.symbol == "BTCXXXX"


@pytest.mark.parametrize("connection", CHANNELS)
@FUZZ
@given(data=st.data())
def test_any_frame_is_read_left_out_or_refused(
    connection: str, hostile: Hostile, good_frames: Callable[[str], list[bytes]], data: st.DataObject
) -> None:
    payload, is_text = data.draw(hostile(good_frames(connection))), data.draw(st.booleans())
    if is_text:
        payload = payload.decode(errors="replace").encode()
    try:
        found = frame_of(connection, payload, is_text)
    except BadFrame:
        return
    if isinstance(found, FrameLine):
        again = msgspec.json.decode(msgspec.json.encode(found), type=FrameLine)
        assert again == found
        assert (again.text or "").encode() == payload or again.base64 == payload
    else:
        assert found.isprintable()


@pytest.mark.parametrize(("connection", "book"), [(SPOT, GATEIO_BOOK), (FUTURES, FUTURES_BOOK), (MEXC, MEXC_BOOK)])
@FUZZ
@given(data=st.data())
def test_any_rest_answer_is_a_book_or_left_out(
    connection: str, book: bytes, hostile: Hostile, data: st.DataObject
) -> None:
    url = "https://x/?currency_pair=BTC_USDT&contract=BTC_USDT&symbol=BTCUSDT"
    found = book_of(connection, url, data.draw(hostile([book])).decode(errors="replace").encode())
    if isinstance(found, BookLine):
        assert msgspec.json.decode(msgspec.json.encode(found), type=BookLine) == found
    else:
        assert found == NO_BOOK
