"""Counters and a latency histogram: one bucket per message on the hot path, figures only when somebody asks."""

from __future__ import annotations

from typing import Any

__all__ = ["BUCKETS", "LatencyHistogram"]

BUCKETS = 48


class LatencyHistogram:
    """Counts by power of two of nanoseconds: bucket b holds 2**(b-1) <= t < 2**b.

    A hot path may write `buckets[ns.bit_length()] += 1` itself and leaves mean and maximum to the buckets; `record`
    keeps both exactly. 2**47 ns are 39 hours, so the last bucket cannot run over.
    """

    __slots__ = ("_max_ns", "_total_ns", "buckets")

    def __init__(self) -> None:
        self.buckets = [0] * BUCKETS
        self._total_ns = 0
        self._max_ns = 0

    def record(self, ns: int) -> None:
        """Count one duration."""
        self.buckets[ns.bit_length()] += 1
        self._total_ns += ns
        if ns > self._max_ns:
            self._max_ns = ns

    @property
    def count(self) -> int:
        """How many were recorded."""
        return sum(self.buckets)

    @property
    def mean_ns(self) -> float:
        """The mean; from the buckets' middles, within a factor of 1.5, where only they were written."""
        count = self.count
        if self._total_ns:
            return self._total_ns / count
        return sum(n * _middle(b) for b, n in enumerate(self.buckets)) / count if count else 0.0

    @property
    def max_ns(self) -> int:
        """The maximum; the upper bound of the highest bucket in use where only the buckets were written."""
        return self._max_ns or max((1 << b for b, n in enumerate(self.buckets) if n), default=0)

    def quantile_ns(self, q: float) -> int:
        """Upper bound of the bucket that holds quantile `q`."""
        rank, seen = q * self.count, 0
        for bucket, n in enumerate(self.buckets):
            seen += n
            if n and seen >= rank:
                return 1 << bucket
        return 0

    def count_below(self, bound_ns: int) -> int:
        """How many took less than the largest power of two not above `bound_ns`."""
        return sum(self.buckets[: bound_ns.bit_length()])

    def summary(self) -> dict[str, Any]:
        """Count, and microseconds: mean, p50, p99, max."""
        return {
            "count": self.count,
            "mean_us": self.mean_ns / 1000,
            "p50_us": self.quantile_ns(0.5) / 1000,
            "p99_us": self.quantile_ns(0.99) / 1000,
            "max_us": self.max_ns / 1000,
        }


def _middle(bucket: int) -> float:
    return 0.75 * (1 << bucket) if bucket else 0.0
