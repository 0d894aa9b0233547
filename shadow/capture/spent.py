"""CPU that a family of processes has spent: the living, the ended and the never seen, each once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shadow.capture.resources import Identity

__all__ = ["Reading", "Spent"]


class Reading(NamedTuple):
    """A living process: its parent's pid, its own CPU in ns, and the CPU of the children that it has waited for."""

    parent: int
    own_ns: int
    reaped_ns: int


class Spent:
    """Adds up a family's CPU, look by look.

    The kernel adds what an ended child has spent, with what that had waited for, to the parent that waits for it: so
    a child is known that began and ended between two looks. One that was seen is in that sum as well, unless its
    parent lets the kernel discard it. So of a parent's two sums, of what the kernel added and of the last readings of
    its ended children, the larger one counts.
    """

    def __init__(self) -> None:
        self._last: dict[Identity, Reading] = {}
        self._ended: dict[Identity | None, int] = {}
        self._total_ns = 0

    def total_ns(self, living: Mapping[Identity, Reading]) -> int:
        """What all have spent, from what lives now, each process read after the sums of its parent; never less than
        before."""
        by_pid = {known.pid: known for known in (*self._last, *living)}
        # A child began after its parent, so that it is handed on first where both have ended.
        for known in sorted(self._last.keys() - living.keys(), key=lambda one: (one.start, one.pid), reverse=True):
            parent = by_pid.get(self._last[known].parent)
            self._ended[parent] = self._ended.get(parent, 0) + self._of(known, self._last[known])
            self._ended.pop(known, None)
        orphaned = sum(ns for known, ns in self._ended.items() if known is None or known not in living)
        total = orphaned + sum(self._of(known, reading) for known, reading in living.items())
        self._last = dict(living)
        self._total_ns = max(self._total_ns, total)
        return self._total_ns

    def _of(self, known: Identity, reading: Reading) -> int:
        return reading.own_ns + max(reading.reaped_ns, self._ended.get(known, 0))
