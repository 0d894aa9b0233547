"""Which cores a session's processes run on: both subjects on one, the harness on the others.

Left alone, the scheduler puts a subject now beside the venue, now beside the recorder, and keeps it there for tenths of
a second: legacy against itself then differed by 8 to 12 % from block to block of 0.5 s. On a core of their own, and a
gap apart, both subjects meet the same conditions in every block: 3 %.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from shadow.errors import UsageError

__all__ = ["SHARED_RATE", "VARIABLE", "Placement", "choose_placement"]

VARIABLE = "WS_SHADOW_CORES"
SHARED_RATE = 1000
"""Messages per second per subject up to which one core has room for both."""


@dataclass(frozen=True)
class Placement:
    """Cores by number; `subjects` None leaves all processes to the scheduler."""

    every: frozenset[int]
    subjects: int | None = None

    @property
    def name(self) -> str:
        """`shared` or `free`, as in session.json."""
        return "free" if self.subjects is None else "shared"

    @contextlib.contextmanager
    def harness(self) -> Iterator[None]:
        """Keep this process, and what it starts meanwhile, off the subjects' core."""
        if self.subjects is None:
            yield
            return
        os.sched_setaffinity(0, self.every - {self.subjects})
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.every)

    def lift(self) -> None:
        """Let this process, and what it starts from now on, use every core again: nothing is measured any more."""
        if self.subjects is not None:
            os.sched_setaffinity(0, self.every)

    def settle_subject(self) -> None:
        """Runs in a subject before its program."""
        if self.subjects is not None:
            os.sched_setaffinity(0, {self.subjects})


def choose_placement(
    rate: float, *, unpaced: bool, environment: Mapping[str, str] = os.environ, cores: Set[int] | None = None
) -> Placement:
    """The subjects share the last core that we may use, unless there is only one, the load would fill it, or
    $WS_SHADOW_CORES says `free`; UsageError for any other word there but `shared`."""
    wish = environment.get(VARIABLE, "shared")
    if wish not in ("shared", "free"):
        raise UsageError(f"{VARIABLE}={wish} is unknown; use shared (the default) or free")
    every = frozenset(os.sched_getaffinity(0) if cores is None else cores)
    if wish == "free" or len(every) < 2 or unpaced or rate > SHARED_RATE:
        return Placement(every)
    return Placement(every, max(every))
