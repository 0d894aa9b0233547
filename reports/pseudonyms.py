"""Stable pseudonyms: the same value is the same word within one rendering, and nobody can go back from it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from decimal import Decimal
from typing import Final

__all__ = ["Pseudonyms"]

# No digits and no vowels, so that no pseudonym holds a number or a word by chance.
ALPHABET: Final = "bcdfghjklmnpqrstvwxz"
LETTERS: Final = 12
NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?")


class Pseudonyms:
    """Words keyed with a random key that dies with this object; one object for each rendering."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, value: str | float) -> str:
        """The pseudonym of a value; spellings of one number (`"1.50"`, `1.5`) have one pseudonym."""
        digest = hmac.digest(self._key, _canonical(value).encode("utf-8", "surrogatepass"), hashlib.sha256)
        number = int.from_bytes(digest)
        letters = []
        for _ in range(LETTERS):
            number, letter = divmod(number, len(ALPHABET))
            letters.append(ALPHABET[letter])
        return f"‹{''.join(letters)}›"


def _canonical(value: str | float) -> str:
    text = f"{Decimal(repr(value)):f}" if isinstance(value, float) else str(value)
    if NUMBER.fullmatch(text) is None:
        return text
    whole, point, fraction = text.partition(".")
    short = f"{whole}{point}{fraction}".rstrip("0").rstrip(".") if point else whole
    return "0" if short == "-0" else short
