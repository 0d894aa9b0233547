"""Noise of a growing series of correlated values: what one more of them adds to the noise of the sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LARGEST_PHI", "SMALLEST_SCALE", "RunningNoise", "predictable_noise"]

Floats = npt.NDArray[np.float64]

LARGEST_PHI = 0.95
"""Correlation from one block to the next is not believed to be stronger; a series that drifts is not a noisy one."""

SMALLEST_SCALE = 1e-3
"""ln units. Blocks that agree better than 0.1 % are rounded counters, not a quiet machine."""


@dataclass
class RunningNoise:
    """`predictable_noise` value by value: the sums from which it follows."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    products: float = 0.0
    first: float = 0.0
    last: float = 0.0

    def add(self, y: float) -> None:
        """One more value, in order of time."""
        if self.n:
            self.products += y * self.last
        else:
            self.first = y
        self.n += 1
        self.total += y
        self.squares += y * y
        self.last = y

    def now(self) -> tuple[float, float]:
        """Scale and correlation time of the values added so far; NaN below three."""
        if self.n < 3:
            return float("nan"), float("nan")
        scale, time = _noise(self.n, self.total, self.squares, self.products, self.first + self.last)
        return float(scale), float(time)


def predictable_noise(y: Floats) -> tuple[Floats, Floats]:
    """Before each value of y [..., block], from the values before it alone: scale and correlation time.

    The scale is the long-run standard deviation of an AR(1) model, s sqrt((1 + phi)/(1 - phi)); phi is corrected for
    the bias of a short series (Kendall 1954), s^2 for the mean that was taken from the same correlated values
    (Anderson 1971: n - (1 + phi)/(1 - phi) in place of n - 1). The correlation time (1 + phi)/(1 - phi) says how many
    values are worth one independent value. NaN for the first three.
    """
    scale, time = np.full(y.shape, np.nan), np.full(y.shape, np.nan)
    if y.shape[-1] > 3:
        n = np.arange(3, y.shape[-1])
        products = np.cumsum(y[..., 1:] * y[..., :-1], axis=-1)[..., 1:-1]
        total, squares = (np.cumsum(part, axis=-1)[..., 2:-1] for part in (y, y * y))
        scale[..., 3:], time[..., 3:] = _noise(n, total, squares, products, y[..., :1] + y[..., 2:-1])
    return scale, time


def _noise(n: Any, total: Any, squares: Any, products: Any, ends: Any) -> tuple[Any, Any]:
    """`products` of neighbours, `ends` the sum of the first and the last value."""
    mean = total / n
    around = np.maximum(squares - total * mean, n * 1e-12)
    phi = (products - mean * (2 * total - ends) + (n - 1) * mean**2) / around
    phi = np.minimum(np.maximum(phi + (1 + 3 * phi) / n, 0.0), LARGEST_PHI)
    time = (1 + phi) / (1 - phi)
    freedom = np.maximum(n - time, n / 4)
    return np.maximum(np.sqrt(around / freedom * time), SMALLEST_SCALE), time
