"""One value against the wire's: None when it stands for the same, else the kind of mismatch.

Kinds are value, precision, unit, sign, side and type; null and time source are told from outside a value.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

import numpy as np

__all__ = [
    "EXACT_DIGITS",
    "Kind",
    "asset_kind",
    "bool_kind",
    "int_kind",
    "number_kind",
    "side_kind",
    "text_kind",
    "time_kind",
]

Kind = Callable[[Any, Any], str | None]

EXACT_DIGITS: Final = 15
"""Decimals of up to 15 significant digits survive a float64; a longer one may not."""


def number_kind(wire: str, given: object) -> str | None:
    """None when `given` stands for the wire's decimal, else the kind of mismatch."""
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        if given == float(wire):
            return None
    elif not isinstance(given, str):
        return "type"
    elif given == wire:
        return None
    try:
        left, right = Decimal(wire), Decimal(str(given))
    except InvalidOperation:
        return "type"
    if not right.is_finite():
        return "type"
    if left == right:
        return None
    try:
        return mismatch(left, right)
    except ArithmeticError:  # an exponent beyond what decimals or floats can work with
        return "value"


def mismatch(wire: Decimal, given: Decimal) -> str:
    """sign, unit (a power of ten), precision (cut or rounded to fewer digits, or to a float32) or value."""
    if given == -wire:
        return "sign"
    if wire and given:
        ratio = (given / wire).normalize()
        if ratio.copy_abs().as_tuple().digits == (1,):
            return "unit"
    more = places(given) - places(wire)
    if more < 0:
        step = Decimal(1).scaleb(-places(given))
        if given in (wire.quantize(step, ROUND_DOWN), wire.quantize(step, ROUND_HALF_UP)):
            return "precision"
    elif more > 0 and float(given) == float(np.float32(float(wire))):
        return "precision"
    return "value"


def places(value: Decimal) -> int:
    """Digits behind the point, trailing zeros left out; below 0 for round tens."""
    exponent = value.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def int_kind(wire: int, given: object) -> str | None:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return "type"
    return None if given == wire else "value"


def bool_kind(wire: bool, given: object) -> str | None:
    if not isinstance(given, bool):
        return "type"
    return None if given == wire else "value"


def text_kind(wire: str, given: object) -> str | None:
    if given == wire:
        return None
    return "value" if isinstance(given, str) else "type"


def side_kind(wire: str, given: object) -> str | None:
    if given == wire:
        return None
    if given in ("buy", "sell"):
        return "side"
    return "value" if isinstance(given, str) else "type"


def asset_kind(wire: str, given: object) -> str | None:
    """An asset's name, in any case."""
    return text_kind(wire.upper(), given.upper() if isinstance(given, str) else given)


def time_kind(wire: int, given: object) -> str | None:
    """As int_kind, but a time cut to or stated in another unit is named."""
    kind = int_kind(wire, given)
    if kind != "value" or not isinstance(given, (int, float)):
        return kind
    if given in (wire * 1000, wire * 1_000_000, wire // 1000, wire / 1000):
        return "unit"
    return "precision" if given == wire // 1000 * 1000 else "value"
