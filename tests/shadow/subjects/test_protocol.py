from __future__ import annotations

import msgspec
import pytest

from shadow.subjects.protocol import Command, ConnectionSpec, StartLine, line, read_command, read_start

# The example line of the interface page, to the letter.
EXAMPLE = (
    b'{"protocol":1,"run":"<id>","role":"new","connections":[{"id":"gateio.spot.public","exchange":"gateio",'
    b'"market":"spot","scope":"public","ws_url":"ws://x","rest_url":"http://x","symbols":["BTC_USDT"],'
    b'"channels":["book","trade","book_ticker","ticker"],"credentials":null}],"options":{}}'
)


def test_the_documented_start_line_is_read() -> None:
    start = read_start(EXAMPLE)
    assert start.role == "new"
    assert start.connections[0].symbols == ("BTC_USDT",)
    assert start.connections[0].credentials is None


def test_the_start_line_we_write_is_the_documented_one() -> None:
    spec = ConnectionSpec(
        id="gateio.spot.public",
        exchange="gateio",
        market="spot",
        scope="public",
        ws_url="ws://x",
        rest_url="http://x",
        symbols=("BTC_USDT",),
        channels=("book", "trade", "book_ticker", "ticker"),
    )
    assert line(StartLine(1, "<id>", "new", (spec,))) == EXAMPLE + b"\n"


def test_unknown_fields_and_options_are_ignored() -> None:
    start = read_start(EXAMPLE.replace(b'"options":{}', b'"options":{"later":1},"extra":[1]'))
    assert start.options == {"later": 1}


def test_later_lines_are_read() -> None:
    assert read_command(b'{"cmd":"stop"}').cmd == "stop"
    assert read_command(b'{"cmd":"subscribe","c":"x","symbols":["A"]}') == Command("subscribe", "x", ("A",))
    with pytest.raises(msgspec.DecodeError):
        read_command(b"nonsense")
