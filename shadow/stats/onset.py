"""Since when is it worse? A detector that may run for months beside a live stage.

Shiryaev-Roberts e-detector (Shin, Ramdas & Rinaldo 2023): a bet starts at every block, and their sum is watched.
M_n = L_n (M_(n-1) + 1) with L = exp(lambda z - lambda^2 / 2); while z keeps a mean of at most 0 and a variance of at
most 1, M_n - n falls on average, so the first time M reaches c comes after c blocks or more on average.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, logsumexp, ndtri

from shadow.stats.scale import RunningNoise

__all__ = [
    *("ALARM", "Onset", "OnsetDetector", "block_scale", "find_onset", "independent_blocks", "onset_blocks"),
    *("onset_evidence", "standing_theta"),
]

Floats = npt.NDArray[np.float64]

LAMBDAS = np.array([0.1, 0.25, 0.5, 1.0, 2.0, 4.0])
"""Bets, one share each: from slight and lasting to large and sudden."""

ALARM = math.log(1e8)
"""ln M at which it alarms: no sooner than once in 1e8 blocks on average where nothing is worse."""

INFLATION = 1.2
LARGEST_Z = 4.0
NEWEST = 10
"""Blocks whose mean must still lie above theta: what is over is no reason to roll back."""


@dataclass(frozen=True)
class Onset:
    """M first reached the alarm after block `at` (from 0); `since` is the likeliest first worse block."""

    at: int
    since: int


def block_scale(calibration: Floats) -> float:
    """s_b from the A/A blocks, three at least: their long-run standard deviation, inflated by 1.2.

    By more where they are worth fewer than about 55 independent blocks: up to the upper 95 % bound of the deviation.
    """
    scale, time = _noise_of(calibration)
    freedom = max(len(calibration) / time - 1, 1.0)
    return scale * max(INFLATION, math.sqrt(freedom / float(chdtri(freedom, 0.95))))


def independent_blocks(calibration: Floats) -> float:
    """How many independent blocks these are worth, three at least: their number by their correlation time."""
    return len(calibration) / _noise_of(calibration)[1]


def _noise_of(calibration: Floats) -> tuple[float, float]:
    noise = RunningNoise()
    for y in calibration:
        noise.add(float(y))
    return noise.now()


def standing_theta(calibration: Floats, theta: float) -> float:
    """The margin above where a watch began, where that is above 0; else theta itself.

    For a watch without A/A blocks: whatever makes the two sides unequal from its first block on is not what it looks
    for. The level is taken two standard errors high, so that its own error does not look like a rise.
    """
    error = block_scale(calibration) / math.sqrt(len(calibration))
    return theta + max(0.0, float(np.mean(calibration)) + 2 * error)


def onset_evidence(y: Floats, theta: float, scale: float) -> Floats:
    """ln M after each block of y [..., block]."""
    sums = _log_bets(_capped(y, theta, scale))
    return np.asarray(logsumexp(sums + np.logaddexp.accumulate(-_before(sums), axis=-1), axis=0) - _SHARES)


def find_onset(y: Floats, theta: float, scale: float) -> Onset | None:
    """As of the last block of y [block]: what M tells of, if M is above the alarm and the newest blocks are worse."""
    z = _capped(y, theta, scale)
    log_m = onset_evidence(y, theta, scale)
    if len(z) < NEWEST or log_m[-1] < ALARM or z[-NEWEST:].sum() <= 0:
        return None
    sums = _log_bets(z)
    from_each = sums[:, -1:] - _before(sums)
    return Onset(int(np.argmax(log_m >= ALARM)), int(np.unravel_index(np.argmax(from_each), from_each.shape)[1]))


def onset_blocks(z: float, power: float) -> int:
    """Worse blocks, independent with mean z > 0 and variance 1, after which it has alarmed with that probability.

    Of each bet: its share of M is a product whose logarithm is normal, with mean n (lambda z - lambda^2 / 2) and
    deviation lambda sqrt(n); the bet that comes first counts. ValueError where no bet gains.
    """
    z = min(z, LARGEST_Z)
    quantile = -float(ndtri(1.0 - power))
    gains = [(bet, bet * z - bet**2 / 2) for bet in LAMBDAS if bet * z > bet**2 / 2]
    if not gains:
        raise ValueError("work that is no worse is never told")
    goal = ALARM + _SHARES
    roots = [(quantile * bet + math.sqrt((quantile * bet) ** 2 + 4 * gain * goal)) / (2 * gain) for bet, gain in gains]
    return max(NEWEST, math.ceil(float(min(roots)) ** 2))


class OnsetDetector:
    """`onset_evidence` and `find_onset` block by block."""

    def __init__(self, theta: float, scale: float) -> None:
        self._theta = theta
        self._scale = scale
        self._n = 0
        self._at: int | None = None
        self._log_m = np.full(len(LAMBDAS), -math.inf)
        self._best = np.zeros(len(LAMBDAS))
        self._since = np.zeros(len(LAMBDAS), np.int64)
        self._newest: deque[float] = deque(maxlen=NEWEST)

    def update(self, y: float) -> float:
        """ln M with the next block's value."""
        z = min((y - self._theta) / self._scale, LARGEST_Z)
        step = LAMBDAS * z - LAMBDAS**2 / 2
        self._log_m = np.logaddexp(self._log_m, 0.0) + step
        self._since[self._best <= 0] = self._n
        self._best = np.maximum(self._best, 0.0) + step
        self._newest.append(z)
        if self._at is None and self.log_m >= ALARM:
            self._at = self._n
        self._n += 1
        return self.log_m

    @property
    def log_m(self) -> float:
        """ln M now."""
        return float(logsumexp(self._log_m)) - _SHARES

    @property
    def onset(self) -> Onset | None:
        """What M tells of now."""
        if self._at is None or self.log_m < ALARM or len(self._newest) < NEWEST or sum(self._newest) <= 0:
            return None
        return Onset(self._at, int(self._since[np.argmax(self._best)]))


_SHARES = math.log(len(LAMBDAS))


def _capped(y: Floats, theta: float, scale: float) -> Floats:
    """z of each block; the cap keeps one disturbed block from alarming and can only lower M."""
    return np.minimum((y - theta) / scale, LARGEST_Z)


def _log_bets(z: Floats) -> Floats:
    """[lambda, ..., block]: ln of the product of all L up to each block."""
    bets = LAMBDAS.reshape(-1, *[1] * z.ndim)
    return np.cumsum(bets * z - bets**2 / 2, axis=-1)


def _before(sums: Floats) -> Floats:
    """The sums before each block."""
    return np.concatenate([np.zeros_like(sums[..., :1]), sums[..., :-1]], axis=-1)
