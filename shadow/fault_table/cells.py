"""What one side made of one fault on one connection, and the word for it. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = ["UNSETTLED", "Cell", "Observed", "holds", "verdict_of"]

DEMANDED: Final[Mapping[str, str]] = {"refuse-subscribe": "subscribe", "corrupt": "decode"}
"""Kinds of which a side has to tell, and the error that it has to tell of."""
ENDING: Final = frozenset({"close", "day-close", "reset", "burst-close", "halfopen", "expire-key"})
"""Kinds that end the connection: a change of state or an error of connecting has to tell of it."""
UNSETTLED: Final = frozenset({"reconnecting", "disconnected", "error", "connecting"})


class Observed(msgspec.Struct, kw_only=True):
    """One side of one cell, read from its session.

    `hits` is how often the venue says that the fault struck; `lost` counts grave differences (beyond the table of
    allowed ones) by `CODE type`; `silent` are streams that the venue fed in the last moments and the side did not
    deliver, of `streams` in all; `books` and `account` name what is not the venue's at the end; `errors` counts error
    lines by kind and `states` state lines by state, both from the first hit on; `refused` counts subscriptions that a
    fault refused and that were not accepted later; `unusable` says why the session proves nothing.
    """

    hits: int
    lost: dict[str, int] = {}
    streams: int = 0
    silent: list[str] = []
    refused: int = 0
    books: list[str] = []
    account: list[str] = []
    orders_behind: int = 0
    errors: dict[str, int] = {}
    states: dict[str, int] = {}
    unusable: str = ""


class Cell(msgspec.Struct, kw_only=True):
    """One fault kind on one connection: what each side made of it."""

    kind: str
    connection: str
    sides: dict[str, Observed]

    def verdicts(self) -> dict[str, str]:
        """The word for each side."""
        return {role: verdict_of(self.kind, side) for role, side in self.sides.items()}


def verdict_of(kind: str, side: Observed) -> str:
    """ok, lost N, did not recover, silent, untold, not fired or not measured; the gravest that is true."""
    if side.unusable:
        return "not measured"
    if not side.hits:
        return "not fired"
    if side.streams == len(side.silent) and (side.streams or not side.refused):
        return "silent"
    if side.silent or side.books or side.account:
        return "did not recover"
    if side.lost:
        return f"lost {sum(side.lost.values())}"
    return "ok" if is_told(kind, side) else "untold"


def is_told(kind: str, side: Observed) -> bool:
    """Whether the side told of the fault where a fault has to be told of."""
    if kind in DEMANDED:
        return DEMANDED[kind] in side.errors
    if kind == "refuse-auth":
        return "auth" in side.errors or "error" in side.states
    if kind in ENDING:
        return bool(UNSETTLED & side.states.keys()) or "connect" in side.errors
    return True


def holds(cells: list[Cell], role: str = "new") -> bool:
    """Whether a side is ok in every cell; no cell at all proves nothing."""
    return bool(cells) and all(cell.verdicts()[role] == "ok" for cell in cells)
