"""The event diffs of a run's legs, side by side in two processes that are done at about the same time."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

from shadow.errors import RunError, UsageError

if TYPE_CHECKING:
    from shadow.capture.reader import RunData
    from shadow.diff.codes import LegDiff
    from shadow.diff.known import Known

__all__ = ["DiffLegs", "KnownList", "SideBySide", "diff_legs", "read_known", "side_by_side"]

WORKERS = 2
START = "spawn"
"""How a worker begins: Arrow's threads do not survive a fork."""
KnownList: TypeAlias = "tuple[Known, ...]"
Half: TypeAlias = tuple[tuple[str, ...], bool]
"""Some connections, and whether it is all the others that are meant."""


class DiffLegs(Protocol):
    """What compares the legs of a run: leg to its diff, in the order given."""

    def __call__(
        self, run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList, /
    ) -> dict[str, LegDiff]:
        """`legs` are (leg, (baseline, candidate))."""


def _nothing() -> None: ...


class SideBySide:
    """Compares the legs of one run in worker processes, which load what they need from `with` on.

    `meanwhile` is called once while they compare: for what this process is going to need. When all is compared they
    begin to end, which takes them a second or two: so long was what they read; only the end of `with` waits for it.
    """

    def __init__(self, meanwhile: Callable[[], None] = _nothing) -> None:
        self._meanwhile = meanwhile
        self._ending: Thread | None = None

    def __enter__(self) -> Self:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        self._pool = ProcessPoolExecutor(WORKERS, mp_context=get_context(START), initializer=_rarely_collect)
        for _ in range(WORKERS):
            self._pool.submit(_load)
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        assert self._ending is not None
        self._ending.join()

    def _end(self) -> None:
        # By a thread, not by `wait=False`: then the end of a process that is itself a worker may wait for ever.
        if self._ending is None:
            self._ending = Thread(target=self._pool.shutdown, kwargs={"cancel_futures": True})
            self._ending.start()

    def __call__(self, run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList) -> dict[str, LegDiff]:
        """Leg to its diff, in the order given; the longest leg goes first."""
        from shadow.verdict.halves import joined

        order = sorted(legs, key=lambda item: not item[0].startswith("main"))
        halved = _last_long(run, order)
        running = {
            leg: [self._pool.submit(_diff, run, leg, roles, known, half) for half in (halved.get(leg) or (None,))]
            for leg, roles in order
        }
        self._meanwhile()
        found: dict[str, LegDiff | None] = {}
        for leg, roles in legs:
            parts = [part.result() for part in running[leg]]
            found[leg] = parts[0] if len(parts) == 1 else joined(parts)
            if found[leg] is None:
                running[leg] = [self._pool.submit(_diff, run, leg, roles, known, None)]
        whole = {leg: found[leg] or running[leg][0].result() for leg, _ in legs}
        self._end()
        return whole


def _last_long(run: Path, order: Sequence[tuple[str, tuple[str, str]]]) -> dict[str, tuple[Half, Half]]:
    """Of an odd number of long legs the last one, with the two halves of the connections; else none."""
    from shadow.capture.reader import RunData

    session = RunData(run).session
    connections, plan = sorted(session.get("connections", ())), session.get("plan", {}).get("legs", ())
    lengths = {leg["leg"]: sum(phase["seconds"] for phase in leg["phases"]) for leg in plan}
    long = [leg for leg, _ in order if 2 * lengths.get(leg, 0.0) >= max(lengths.values(), default=0.0)]
    if len(connections) < WORKERS or len(long) % WORKERS == 0 or session.get("direct"):
        return {}
    chosen = tuple(connections[::2])
    return {long[-1]: ((chosen, False), (chosen, True))}


def side_by_side(run: RunData, meanwhile: Callable[[], None]) -> AbstractContextManager[DiffLegs]:
    """What compares the legs of this run: workers that start at once where it has several legs."""
    return SideBySide(meanwhile) if len(run.session.get("plan", {}).get("legs", ())) > 1 else nullcontext(diff_legs)


def diff_legs(run: Path, legs: Sequence[tuple[str, tuple[str, str]]], known: KnownList) -> dict[str, LegDiff]:
    """Leg to its diff, in the order given; `legs` are (leg, (baseline, candidate))."""
    if len(legs) < 2:
        return {leg: _diff(run, leg, roles, known) for leg, roles in legs}
    with SideBySide() as differ:
        return differ(run, legs, known)


def _load() -> None:
    """What a worker needs, while the parent loads what it needs itself."""
    import shadow.capture.reader
    import shadow.diff.leg  # noqa: F401


def _rarely_collect() -> None:
    """A diff holds millions of objects without cycles; looking for some takes a tenth of its time."""
    gc.set_threshold(200_000, 50, 1000)


def _diff(run: Path, leg: str, roles: tuple[str, str], known: KnownList, half: Half | None = None) -> LegDiff:
    from shadow.capture.reader import RunData
    from shadow.diff.leg import diff_leg

    data = RunData(run)
    if half is not None:
        from shadow.verdict import halves

        data = halves.Half(run, half[0], is_rest=half[1])
    diff: LegDiff = diff_leg(data, leg, roles, known=known)
    return diff


def read_known(run: Path, session: dict[str, Any]) -> KnownList:
    """Entries of the known-differences list that the session named; expired ones are left to the diff.

    The copy in the run directory comes first, so that a verdict can be derived again elsewhere. RunError when the
    session names a file that is not there or cannot be read.
    """
    from shadow.diff.known import load_known

    name = session.get("known")
    if not name:
        return ()
    copy = run / Path(name).name
    try:
        return tuple(load_known(copy if copy.is_file() else Path(name)))
    except UsageError as fault:
        raise RunError(str(fault)) from None
