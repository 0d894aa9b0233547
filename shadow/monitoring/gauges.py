"""A gauge under construction: each set of labels once, whatever the files say, and never a value that is not known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["PREFIX", "gauge"]

PREFIX: Final = "ws_shadow_"
Labels = TypeVar("Labels", bound=tuple[str, ...])


def gauge(
    name: str, what: str, values: Mapping[Labels, float | None] | float | None, labels: tuple[str, ...] = ()
) -> GaugeMetricFamily:
    """A family; a value None or NaN is left out, so that no data shows as no data."""
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(PREFIX + name, what, labels=labels)
    plain: Mapping[tuple[()], float | None] | Mapping[Labels, float | None]
    plain = values if isinstance(values, Mapping) else {(): values}
    for key, value in plain.items():
        if value is not None and not math.isnan(value):
            family.add_metric(key, value)
    return family
