"""Fixtures that every test may use."""

from __future__ import annotations

import base64
import binascii
import html
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from urllib.parse import unquote_to_bytes

import pytest

DEFAULT_CAPTURES = Path(__file__).parents[2] / "shared" / "captures"


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
