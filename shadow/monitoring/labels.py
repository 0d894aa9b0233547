"""What may stand in a label: few values, no secret, nothing that a status file can make grow without end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from shadow.errors import UsageError
from shadow.rollout.units import ANY, PRIVATE, parse_unit

__all__ = ["MOST_NAMES", "MOST_UNITS", "bounded", "name_label", "one_of", "unit_label"]

MOST_UNITS: Final = 500
MOST_NAMES: Final = 50
OTHER: Final = "other"
_PLAIN: Final = re.compile(r"[\w.:@*-]{1,40}", re.ASCII)


def name_label(text: str) -> str:
    """The name of a consumer, judge or unit; one that is long or strange is cut, and told apart by a digest."""
    if _PLAIN.fullmatch(text):
        return text
    return f"{re.sub(r'[^A-Za-z0-9_.:@*-]', '_', text)[:30]}-{_digest(text)}"


def unit_label(text: str) -> str:
    """A unit or pattern; of a named account a digest stands in its place, of one that is no unit too."""
    try:
        unit = parse_unit(text)
    except UsageError:
        return f"{OTHER}-{_digest(text)}"
    if unit.scope == PRIVATE and unit.name != ANY:
        return f"{unit.exchange}.{unit.market}.{PRIVATE}.{_digest(unit.name)}"
    return name_label(str(unit))


def one_of(text: str, known: Iterable[str]) -> str:
    """The text if it is known, else `other`."""
    return text if text in known else OTHER


def bounded(names: Iterable[str], most: int) -> list[str]:
    """The first of the names in their order, no more than `most`."""
    return sorted(set(names))[:most]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
