"""What an exchange itself does to its stream: a frame sent twice, or a book update behind a later one.

The verdict has to know of it: what a fault of ours would excuse, the same from the exchange excuses as well.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from shadow.venue.relay.dialect import Data

__all__ = ["Oddities"]

REMEMBERED: Final = 64


class Oddities:
    """Looks at the pushes of one key in the order in which they come."""

    def __init__(self) -> None:
        self._recent: deque[bytes] = deque(maxlen=REMEMBERED)
        self._newest = 0

    def of(self, data: Data, payload: bytes) -> str:
        """`duplicate` for the same bytes again, `swap` for an older book update, else nothing."""
        is_copy = payload in self._recent
        self._recent.append(payload)
        if is_copy:
            return "duplicate"
        if data.first is None or data.last is None:
            return ""
        is_older = data.last < self._newest
        self._newest = max(self._newest, data.last)
        return "swap" if is_older else ""
