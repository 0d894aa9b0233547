"""Signs that the recorder could not keep up: `harness-bound` marks, or `subject-loud` ones of the subject behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from shadow.capture.tables import COLUMNS
from shadow.capture.writer import Row

__all__ = ["LOUD_BYTES", "SLOW_TURN_NS", "Strain"]

SLOW_TURN_NS: Final = 50_000_000
EVERY_NS: Final = 1_000_000_000
LOUD_BYTES: Final = 1 << 16
"""What no stack writes beside its events between two turns, at most 250 ms, unless it floods its log."""
LINE_BYTES: Final = 64
"""What a line costs the recorder however short it is, in bytes of a long one."""
KIND: Final = COLUMNS["events"].index("k")
BODY: Final = COLUMNS["events"].index("body")


class Strain:
    """Counts full ledger pipes, slow turns of the loop and floods of log between two marks of a kind.

    The ledger's pipe counts as full when half of its bytes are waiting: a pipe holds pages, and writes of a little over
    half a page fill one each. A turn that is slow over a subject's log is the subject's: else who floods it could
    choose which blocks are judged.
    """

    def __init__(self) -> None:
        self._due = 0
        self._full: int
        self._slow: int
        self._slowest: int
        self._fullest: float
        self._said: dict[tuple[str, str], int] = {}
        self._loud: dict[tuple[str, str], int] = {}
        self._loud_due: dict[tuple[str, str], int] = {}
        self._reset()

    def ledger(self, size: int, capacity: int) -> None:
        """Note the bytes found waiting in the ledger's pipe."""
        if 2 * size >= capacity:
            self._full += 1
            self._fullest = max(self._fullest, size / capacity)

    def said(self, leg: str, role: str, size: int, rows: Sequence[Row]) -> None:
        """Note what a subject wrote since the turn before: `size` bytes, which made `rows`."""
        if size + LINE_BYTES * len(rows) < LOUD_BYTES:
            return
        lines = [row[BODY] for row in rows if row[KIND] != "event"]
        beside = sum(LINE_BYTES + len(line) for line in lines if isinstance(line, bytes))
        if beside >= LOUD_BYTES:
            self._said[leg, role] = self._said.get((leg, role), 0) + beside

    def marks(self, began: int, ended: int, leg: str) -> list[Row]:
        """Note a turn from `began` to `ended` (ns); returns the marks that are due, if any."""
        loud, self._said = self._said, {}
        if ended - began > SLOW_TURN_NS and not loud:
            self._slow += 1
            self._slowest = max(self._slowest, ended - began)
        return [*self._floods(loud, ended), *self._bound(ended, leg)]

    def _floods(self, loud: dict[tuple[str, str], int], ended: int) -> list[Row]:
        found: list[Row] = []
        for subject, size in loud.items():
            self._loud[subject] = self._loud.get(subject, 0) + size
            if ended >= self._loud_due.get(subject, 0):
                detail = orjson.dumps({"log_bytes": self._loud.pop(subject)}).decode()
                found.append((ended, *subject, "subject-loud", detail))
                self._loud_due[subject] = ended + EVERY_NS
        return found

    def _bound(self, ended: int, leg: str) -> list[Row]:
        if not (self._full or self._slow) or ended < self._due:
            return []
        detail = {
            "full_pipes": self._full,
            "fullest": round(self._fullest, 3),
            "slow_turns": self._slow,
            "slowest_ms": round(self._slowest / 1e6, 1),
        }
        self._reset()
        self._due = ended + EVERY_NS
        return [(ended, leg, "", "harness-bound", orjson.dumps(detail).decode())]

    def _reset(self) -> None:
        self._full = 0
        self._slow = 0
        self._slowest = 0
        self._fullest = 0.0
