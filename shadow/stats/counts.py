"""Counts of incidents: whose is the next one? Incidents are counted, never messages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc

from shadow.stats.eprocess import log_binomial_mixture

__all__ = ["IncidentTest", "incident_evidence", "incident_probability", "incidents_p_value"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def incident_probability(margin: float, exposure_ratio: float) -> float:
    """Largest chance that the next incident is new's while its rate is at most `margin` times legacy's.

    exposure_ratio is new's exposure over legacy's (Lindon & Malek 2022): margin w / (1 + margin w).
    """
    odds = margin * exposure_ratio
    return odds / (1 + odds)


def incidents_p_value(new: int, legacy: int, margin: float, exposure_ratio: float = 1.0) -> float:
    """Chance of `new` or more of the new + legacy incidents, at a rate `margin` times legacy's (binomial)."""
    if new == 0:
        return 1.0
    return float(bdtrc(new - 1, new + legacy, incident_probability(margin, exposure_ratio)))


def incident_evidence(is_new: Bools, margin: float, exposure_ratio: float = 1.0) -> Floats:
    """ln E after each incident [..., incident] that new's rate is more than `margin` times legacy's.

    Incidents in order of time, True where new's. Given that one happens it is new's with a chance of at most
    `incident_probability`, whatever the common rate does (Lindon & Malek 2022); mixed over all larger chances alike.
    """
    new = np.cumsum(is_new, axis=-1)
    legacy = np.arange(1, is_new.shape[-1] + 1) - new
    return np.asarray(log_binomial_mixture(new, legacy, incident_probability(margin, exposure_ratio), 1.0, 1.0))


class IncidentTest:
    """`incident_evidence` incident by incident."""

    def __init__(self, margin: float, exposure_ratio: float = 1.0) -> None:
        self._chance = incident_probability(margin, exposure_ratio)
        self._new = 0
        self._legacy = 0

    def update(self, is_new: bool) -> float:
        """ln E with the next incident."""
        self._new += is_new
        self._legacy += not is_new
        return float(log_binomial_mixture(self._new, self._legacy, self._chance, 1.0, 1.0))
