"""Counts of incidents: whose is the next one? Incidents are counted, never messages."""

from __future__ import annotations

from scipy.special import bdtrc

__all__ = ["incident_probability", "incidents_p_value"]


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
