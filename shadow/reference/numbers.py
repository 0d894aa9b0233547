"""Numbers out of frames, exact and of a size that can be worked with."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

__all__ = ["exact", "read_json"]

LARGEST_EXPONENT = 400


def read_json(payload: bytes) -> Any:
    """JSON with fractions as exact decimals. ValueError or RecursionError for what is none."""
    return json.loads(payload, parse_float=exact, parse_constant=_refuse)


def exact(text: str) -> Decimal:
    """A number. ValueError for what is none, and beyond any float64: written out it could fill the memory."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"no number: {text[:40]}") from None
    if not number.is_finite() or abs(number.adjusted()) > LARGEST_EXPONENT:
        raise ValueError(f"no number of this world: {text[:40]}")
    return number


def _refuse(constant: str) -> NoReturn:
    """NaN and the infinities, which Python's library would take for JSON."""
    raise ValueError(f"{constant} is no JSON")
