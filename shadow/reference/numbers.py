"""Numbers out of frames, exact and of a size that can be worked with."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

__all__ = ["LARGEST_EXPONENT", "exact", "number", "probe", "read_json"]

LARGEST_EXPONENT = 400
PLAIN = 1e-300, 1e300
SURROGATE = re.compile(rb"\\[uU][dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""Where half of a character may be, which is no text: nobody could write it down."""


def read_json(payload: bytes) -> Any:
    """JSON with fractions as exact decimals. ValueError or RecursionError for none, or half a character in it."""
    found = JSON.decode(payload.decode(json.detect_encoding(payload), "surrogatepass"))
    if SURROGATE.search(payload):
        json.dumps(found, ensure_ascii=False, default=str).encode()
    return found


def exact(text: str) -> Decimal:
    """A number. ValueError for what is none, and beyond any float64: written out it could fill the memory."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"no number: {text[:40]}") from None
    if not number.is_finite() or abs(number.adjusted()) > LARGEST_EXPONENT:
        raise ValueError(f"no number of this world: {text[:40]}")
    return number


def number(text: str | None) -> str | None:
    """The text of a number, None for none at all. ValueError as from `exact`."""
    if not text:
        return None
    probe(text)
    return text


def probe(text: str) -> None:
    """Raises what `exact` would; a float64 between PLAIN's bounds shows it without the work of a Decimal."""
    try:
        is_plain = PLAIN[0] < abs(float(text)) < PLAIN[1]
    except ValueError:
        is_plain = False
    if not is_plain:
        exact(text)


def _refuse(constant: str) -> NoReturn:
    """NaN and the infinities, which Python's library would take for JSON."""
    raise ValueError(f"{constant} is no JSON")


JSON = json.JSONDecoder(parse_float=exact, parse_constant=_refuse)
