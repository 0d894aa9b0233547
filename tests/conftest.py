"""Fixtures that every test may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns

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
