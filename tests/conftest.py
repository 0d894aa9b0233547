"""Fixtures that every test may use."""

from __future__ import annotations

import base64
import binascii
import gc
import html
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import perf_counter_ns
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import strategies as st

# Where the tests run in the background or under nohup, these are ignored by all that they start.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

DEFAULT_CAPTURES = Path(__file__).parents[2] / "shared" / "captures"


def pytest_collection_finish() -> None:
    """What was collected stays to the end: who looks for garbage later need not go over it, 0.2 s each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of recorded frames, from $WS_SHADOW_CAPTURES; the test is skipped where it is missing."""
    folder = Path(os.environ.get("WS_SHADOW_CAPTURES", str(DEFAULT_CAPTURES)))
    if not folder.is_dir():
        pytest.skip(f"no captures at {folder}; set WS_SHADOW_CAPTURES to a folder of recorded frames")
    return folder


class Stopwatch:
    """The best of several rounds: the code's own time, without coverage's tracer and without a neighbour's turn."""

    def __init__(self) -> None:
        self.best_ns = sys.maxsize

    @contextmanager
    def round(self) -> Iterator[None]:
        """Time what stands inside."""
        tracer = sys.gettrace()
        sys.settrace(None)
        started = perf_counter_ns()
        try:
            yield
        finally:
            self.best_ns = min(self.best_ns, perf_counter_ns() - started)
            sys.settrace(tracer)


@pytest.fixture
def stopwatch() -> type[Stopwatch]:
    """Makes stopwatches for the checklist's absolute targets."""
    return Stopwatch


CODED = re.compile(rb"[A-Za-z0-9+/_-]{10,}")


@pytest.fixture(scope="session")
def unfolded() -> Callable[[bytes], bytes]:
    """A file's bytes and behind them all that may be coded in them: escapes of HTML, JSON and URLs, base64, hex."""
    return unfold


def unfold(data: bytes) -> bytes:
    plain = unquote_to_bytes(html.unescape(data.decode(errors="replace")))
    plain = re.sub(rb"\\+u00([0-9a-fA-F]{2})", lambda found: bytes.fromhex(found[1].decode()), plain).replace(
        b"\\", b""
    )
    runs = {run for part in (data, plain) for run in CODED.findall(part)}
    return b"\n".join([data, plain, *(piece for run in runs for piece in decoded(run))])


def decoded(run: bytes) -> Iterator[bytes]:
    """What a run of letters may stand for, wherever in it the code begins."""
    for at in range(4):
        rest = run[at:].replace(b"-", b"+").replace(b"_", b"/")
        whole = rest[: len(rest) - (len(rest) % 4 == 1)]
        yield base64.b64decode(whole + b"=" * (-len(whole) % 4))
    for found in re.findall(rb"[0-9a-fA-F]{8,}", run):
        for at in range(2):
            yield binascii.unhexlify(found[at : at + (len(found) - at) // 2 * 2])


# Texts that are legal in their place and fit no field: numbers beyond any type, nesting without end, half characters.
ODD_VALUES = (
    *("null", "true", "{}", "[]", "[[]]", "[null]", '""', "-1", "0", "1e400", "1e999999999", "-1e-999999999", "NaN"),
    *("Infinity", '"Infinity"', '"1e999999999"', '"nan"', '"\\u00e9"', '"\\ud800"', '"x"', "[" * 3000, "9" * 5000),
    *(str(1 << 70), '"' + "9" * 5000 + '"', "[" * 500 + "]" * 500, '{"a":' * 500 + "1" + "}" * 500),
)
ODD_PIECES = [b"", b"\x00", b"\xff" * 9, b'"', b"-", b"\r\n", b"\x80" * 12, *(value.encode() for value in ODD_VALUES)]
VALUE = re.compile(rb'"(?:[^"\\\\]|\\\\.)*"(?!\s*:)|-?\d[\d.eE+-]*|true|false|null')


def hostile_bytes(good: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    @st.composite
    def spliced(draw: st.DrawFn) -> bytes:
        frame = draw(st.sampled_from(good))
        first, last = sorted(draw(st.tuples(st.integers(0, len(frame)), st.integers(0, len(frame)))))
        return frame[:first] + draw(st.sampled_from([frame[first:last] * 2, *ODD_PIECES])) + frame[last:]

    @st.composite
    def with_an_odd_value(draw: st.DrawFn) -> bytes:
        frame = draw(st.sampled_from(good))
        values = list(VALUE.finditer(frame))
        if not values:
            return frame
        found = draw(st.sampled_from(values))
        return frame[: found.start()] + draw(st.sampled_from(ODD_VALUES)).encode() + frame[found.end() :]

    texts = st.sampled_from(["", "PONG", "Invalid listen key", *ODD_VALUES]).map(str.encode)
    return st.one_of(st.binary(max_size=200), spliced(), with_an_odd_value(), with_an_odd_value(), texts)


@pytest.fixture(scope="session")
def hostile() -> Callable[[Sequence[bytes]], st.SearchStrategy[bytes]]:
    """Random bytes, odd texts, and good frames with a piece cut out, doubled, overwritten or given an odd value."""
    return hostile_bytes


@pytest.fixture(scope="session")
def good_frames() -> Callable[[str], list[bytes]]:
    """Frames of each type of a connection, as the venue's persona writes them."""
    return frames_of


@cache
def frames_of(connection: str) -> list[bytes]:
    from shadow.venue.account import Account
    from shadow.venue.market import market_for
    from shadow.venue.personas.registry import PERSONAS, PRIVATE

    exchange, market, scope = connection.split(".")
    now_ms = 1_790_000_000_000
    view = market_for(exchange, market, ["BTC_USDT"], 1, now_ms)
    persona: Any = (PERSONAS | PRIVATE)[connection](view)
    if scope == "public":
        types = ("book", "trade", "book_ticker", "ticker")
        events: list[Any] = [view.step(types[at % 4], "BTC_USDT", now_ms + 20 * at) for at in range(12)]
    else:
        account = Account(view, market, ["BTC_USDT"], 1, now_ms)
        events = [event for at in range(12) for event in account.step("BTC_USDT", now_ms + 20 * at)]
    pushes = [persona.encode(event, persona.default_variant(event.type, "BTC_USDT")) for event in events]
    return [push.payload for push in pushes]
