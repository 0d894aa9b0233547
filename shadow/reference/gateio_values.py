"""Gate.io's values as the reference keeps them: times in ms, numbers as their own text."""

from __future__ import annotations

from typing import Any, TypeAlias

from shadow.reference.numbers import LARGEST_EXPONENT, exact, number

__all__ = ["Frame", "decimal", "millis"]

Frame: TypeAlias = dict[str, Any]
"""A JSON object, fractions as Decimal."""
BEYOND = 10**LARGEST_EXPONENT


def millis(value: Any) -> int | None:
    """A ms time that may be text with a fraction, which is cut."""
    if value is None or value == "":
        return None
    return value if type(value) is int and abs(value) < BEYOND else int(exact(str(value)))


def decimal(value: Any) -> str | None:
    """A number's text; empty text (an empty side of the book) is None. ValueError for what is no number."""
    return None if value is None or value == "" else number(str(value))
