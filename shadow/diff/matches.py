"""Matched frames of several diffs as those of one, whatever places their own lists give connections and symbols."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shadow.diff.codes import Matches

__all__ = ["Numbered", "in_order", "joined"]

Numbered = tuple[Matches, list[str], list[str]]
"""Matches, with the connections and the symbols that their numbers stand for."""


def joined(parts: Sequence[Numbered], connections: list[str], symbols: list[str]) -> Matches:
    """The rows of all parts, one part after another, with the numbers that these lists give."""
    sides = [
        msgspec.structs.replace(
            side,
            connection=_renumbered(side.connection, own_connections, connections),
            symbol=_renumbered(side.symbol, own_symbols, symbols),
        )
        for side, own_connections, own_symbols in parts
    ]
    return Matches(
        **{name: np.concatenate([getattr(side, name) for side in sides]) for name in Matches.__struct_fields__}
    )


def in_order(side: Matches) -> Matches:
    """All rows in order of sending."""
    return side.rows(np.argsort(side.t_sent, kind="stable"))


def _renumbered(numbers: NDArray[np.int16], names: list[str], into: list[str]) -> NDArray[np.int16]:
    if names == into or not len(numbers):
        return numbers
    return np.asarray(np.array([into.index(name) for name in names], np.int16)[numbers])
