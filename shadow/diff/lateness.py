"""Silence that ended: nothing came for T while the venue sent, and what it had sent was handed on later.

A backlog is no silence. A side that works one off goes on delivering what it was sent earlier, on the stream or
elsewhere on the connection, as every side does behind a burst; and while a whole machine stands still the venue sends
nothing either. A book may be held back until the side has rebuilt it, so a silence that ends with a whole book is none.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shadow.diff.allowance import MIN_SILENCE_NS, silence_ns
from shadow.diff.expected import Owed

__all__ = ["late_silences"]

Stream = tuple[str, str, str]
"""Connection, event type, symbol."""
Wholes = Mapping[tuple[str, str], Sequence[tuple[int, int]]]
"""(version, t) of the whole books that a side delivered, by (connection, symbol)."""


def late_silences(streams: Mapping[Stream, list[Owed]], wholes: Wholes) -> dict[Stream, Owed]:
    """The first event of each stream's first silence that ended; T as for one without end.

    A connection whose streams are each too thin for that counts as one stream, of no type and no symbol.
    """
    found: dict[Stream, Owed] = {}
    late = {stream[0] for stream, owed in streams.items() if any(lag(item) >= MIN_SILENCE_NS for item in owed)}
    for connection in sorted(late):
        mine = {stream: owed for stream, owed in streams.items() if stream[0] == connection}
        whole = sorted((item for owed in mine.values() for item in owed), key=lambda item: item.t_sent)
        progress = Progress(whole)
        here = {
            stream: start
            for stream, owed in mine.items()
            if (start := late_start(owed, progress, {t for _, t in rebuilt(stream, wholes)})) is not None
        }
        books = {t for stream in mine for _, t in rebuilt(stream, wholes)}
        if not here and (start := late_start(whole, progress, books)) is not None:
            here[connection, "", ""] = start
        found |= here
    return found


def rebuilt(stream: Stream, wholes: Wholes) -> Sequence[tuple[int, int]]:
    return wholes.get((stream[0], stream[2]), ()) if stream[1] == "book" else ()


def came(item: Owed) -> int:
    """When an event was delivered, ns."""
    delivered: Any = item.delivered
    return int(delivered.t_read if delivered.t is None else delivered.t)


def lag(item: Owed) -> int:
    """How long after its sending an event was delivered, ns; 0 for one that was not, or that nobody counts on."""
    return 0 if item.delivered is None or item.edge else came(item) - item.t_sent


class Progress:
    """What a connection delivered, in order of delivery."""

    def __init__(self, owed: Sequence[Owed]) -> None:
        pairs = np.array([(came(item), item.t_sent) for item in owed if item.delivered is not None], np.int64)
        pairs = pairs.reshape(-1, 2)
        self._came, self._sent = pairs[np.argsort(pairs[:, 0], kind="stable")].T

    def last(self, sent: int, end: int) -> int:
        """The last time before `end` at which something came that was sent before `sent`, or `sent` itself."""
        low, high = np.searchsorted(self._came, (sent, end))
        older = self._came[low:high][self._sent[low:high] < sent]
        return int(older[-1]) if len(older) else sent


def late_start(owed: Sequence[Owed], progress: Progress, wholes: set[int]) -> Owed | None:
    """The event that waited first in a silence of T, or None; `wholes` are when whole books came."""
    limit = silence_ns(item.t_sent for item in owed)
    if limit is None:
        return None
    heard = sorted({came(item) for item in owed if item.delivered is not None} | wholes)
    sent = [item.t_sent for item in owed if not item.edge and (item.delivered is not None or item.code == "MISSING")]
    for item in owed:
        if lag(item) < limit:
            continue
        end = heard[bisect_left(heard, item.t_sent)]
        last = sent[bisect_right(sent, end) - 1]
        is_silent = last - item.t_sent >= limit and last - progress.last(item.t_sent, end) >= limit
        if is_silent and end not in wholes:
            return item
    return None
