"""Many metrics, one alpha: SHIP is an intersection and needs no correction, "any REGRESSION" is a union and does."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["weighted_bonferroni"]


def weighted_bonferroni(weights: Mapping[str, float], alpha: float) -> dict[str, float]:
    """Each hypothesis's share of alpha, in proportion to its weight fixed before the data (Rosenthal & Rubin 1983)."""
    total = sum(weights.values())
    if any(weight <= 0 for weight in weights.values()):
        raise ValueError("weights must be positive")
    return {name: alpha * weight / total for name, weight in weights.items()}
