"""Texts and numbers as the report writes them; strings from outside are hostile input and are cleaned here."""

from __future__ import annotations

import math
import unicodedata
from typing import Final

__all__ = ["GROUP", "NO_DATA", "clean", "count", "percent", "plain", "quantity", "ratio", "seconds", "shorten"]

NO_DATA: Final = "no data"
GROUP: Final = "\u202f"
REPLACEMENT: Final = "\ufffd"
# Control, format (bidirectional overrides among them), surrogate, private and unassigned characters.
HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
NS_STEPS: Final = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (0.0, "ns"))
BYTE_STEPS: Final = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (0.0, "B"))


def clean(text: str) -> str:
    """`text` with every character that is invisible, reorders others or is illegal in XML replaced by U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(REPLACEMENT if c not in "\n\t" and unicodedata.category(c) in HIDDEN else c for c in text)


def shorten(text: str, length: int) -> str:
    """`text` cut to `length` characters, with an ellipsis in place of what was cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


def count(value: float | None) -> str:
    """A count with groups of three digits; `no data` for None."""
    return NO_DATA if value is None else f"{value:,.0f}".replace(",", GROUP)


def plain(value: float | None, digits: int = 4) -> str:
    """A number with `digits` significant digits, without an exponent where it can be read without one."""
    if value is None:
        return NO_DATA
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        decimals = 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:,.{decimals}f}".replace(",", GROUP)
    return f"{value:.{digits - 1}e}"


def ratio(value: float | None) -> str:
    """A ratio with three decimals; `no data` for None, a bound where there is too little to tell."""
    if value is None:
        return NO_DATA
    return "> 100" if value > 100 else "< 0.01" if value < 0.01 else f"{value:.3f}"


def percent(share: float | None, digits: int = 2) -> str:
    """A share between 0 and 1 as a percentage; never rounded up to 100 %."""
    if share is None:
        return NO_DATA
    scaled = share * 100
    if scaled < 100:
        scaled = min(scaled, 100 - 10.0**-digits)
    return f"{scaled:.{digits}f}{GROUP}%"


def seconds(value: float | None) -> str:
    """A duration in seconds with one decimal."""
    return NO_DATA if value is None else f"{value:.1f}{GROUP}s"


def quantity(value: float | None, unit: str) -> str:
    """A number with its unit, nanoseconds and bytes brought to the prefix in which they read best."""
    if value is None:
        return NO_DATA
    if unit == "ns":
        return _stepped(value, NS_STEPS)
    if unit in ("bytes", "B"):
        return _stepped(value, BYTE_STEPS)
    if unit == "share":
        return percent(value, 3)
    return f"{plain(value)}{GROUP}{unit}" if unit else plain(value)


def _stepped(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    size, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    return f"{plain(value / (size or 1.0))}{GROUP}{name}"
