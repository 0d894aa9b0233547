"""What of a running leg needs no second look: pieces, cut where nothing was under way, in which nothing differed.

Each look compares what came behind them, so that an event is compared about once. Where something differs, the pieces
of that connection are given back and compared again with what followed: a copy, a late event, or a book that was
rebuilt from what came before is then seen together with its cause.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from shadow.diff.codes import LegDiff, Matches
from shadow.diff.matches import Numbered, in_order, joined
from shadow.online.quiet import Stretches, quiet_moments

__all__ = ["KEEP_NS", "Piece", "Settled"]

KEEP_NS: Final = 4_000_000_000
"""How long what matched on a public connection can be given back; of an account all history counts."""
FEW: Final = 32
"""Pieces of a connection that are kept apart at most, but for those that can be given back."""


@dataclass(frozen=True)
class Piece:
    """One connection from the piece before up to `end` (ns) and the frame `last`.

    `rows` are its matches by role, `lines` its delivered events.
    """

    end: int
    last: int
    rows: dict[str, Numbered]
    lines: dict[str, int]


@dataclass
class Settled:
    """The settled pieces of one leg by connection, from the leg's begin on without a hole."""

    pieces: dict[str, list[Piece]] = field(default_factory=dict)

    @property
    def upto(self) -> dict[str, int]:
        """By connection the moment (ns) up to which all is settled; those of which nothing is are left out."""
        return {name: pieces[-1].end for name, pieces in self.pieces.items() if pieces}

    def last_frame(self, connection: str) -> int:
        """The number of the newest settled frame; 0 when there is none."""
        return max((piece.last for piece in self.pieces.get(connection, ())), default=0)

    def take(
        self,
        diff: LegDiff,
        under_way: Mapping[str, Stretches],
        limit: int,
        lines: Mapping[str, Lines],
        disturbed: Collection[str] = (),
    ) -> None:
        """Settle of a diff what was over by `limit` (ns) on connections on which nothing differs.

        Neither are `disturbed` ones settled: what a fault allows depends on what came long before. `lines` tell by role
        what was delivered when.
        """
        differing = differing_of(diff) | set(disturbed)
        if "" in differing:
            return
        for number, connection in enumerate(diff.connections):
            if connection in differing or connection not in under_way:
                continue
            begin = self.upto.get(connection, 0)
            quiet = quiet_moments(under_way[connection])
            settled = quiet[(quiet > begin) & (quiet <= limit)]
            if len(settled):
                self._add(diff, number, begin, int(settled[-1]), lines)

    def give_back(self, connection: str, since: int) -> bool:
        """Drop the pieces that end behind `since` (ns), of an account all; whether there were any."""
        pieces = self.pieces.get(connection, [])
        kept = [piece for piece in pieces if piece.end <= since and connection.endswith(".public")]
        self.pieces[connection] = kept
        return len(kept) < len(pieces)

    def _add(self, diff: LegDiff, number: int, begin: int, end: int, lines: Mapping[str, Lines]) -> None:
        connection = diff.connections[number]
        rows = {}
        for role, side in diff.matches.items():
            mine = side.rows((side.connection == number) & (side.t_sent > begin) & (side.t_sent <= end))
            rows[role] = _as_first(mine), [connection], diff.symbols
        last = max((int(side.frame_no.max()) for side, _, _ in rows.values() if len(side.frame_no)), default=0)
        counted = {role: told.between(connection, begin, end) for role, told in lines.items()}
        pieces = self.pieces.setdefault(connection, [])
        pieces.append(Piece(end, max(last, self.last_frame(connection)), rows, counted))
        old = [piece for piece in pieces if piece.end <= end - KEEP_NS]
        if len(old) > FEW:
            self.pieces[connection] = [as_one(old, connection), *pieces[len(old) :]]

    def with_rest(self, rest: LegDiff) -> LegDiff:
        """The diff of the whole leg: of what is settled and of the rest."""
        names = sorted({*rest.connections, *(name for name, pieces in self.pieces.items() if pieces)})
        settled = [piece for pieces in self.pieces.values() for piece in pieces]
        symbols = sorted(
            {*rest.symbols, *(name for piece in settled for _, _, of in piece.rows.values() for name in of)}
        )
        matches, totals = {}, {}
        for role, side in rest.matches.items():
            found = [piece.rows[role] for piece in settled if role in piece.rows]
            found.append((side, rest.connections, rest.symbols))
            matches[role] = in_order(joined(found, names, symbols))
            lines = sum(piece.lines.get(role, 0) for piece in settled)
            totals[role] = _with_lines(rest.totals[role], lines)
        return msgspec.structs.replace(rest, matches=matches, connections=names, symbols=symbols, totals=totals)


class Lines:
    """When events were delivered to one side, by connection."""

    def __init__(self, connections: Iterable[str], times: Iterable[int | None]) -> None:
        self._times: dict[str, list[int]] = {}
        for name, t in zip(connections, times, strict=True):
            self._times.setdefault(name, []).append(t or 0)

    def between(self, connection: str, begin: int, end: int) -> int:
        """How many came behind `begin` and up to `end` (ns)."""
        return sum(begin < t <= end for t in self._times.get(connection, ()))


def differing_of(diff: LegDiff) -> set[str]:
    """Connections on which something differs, beyond what lies outside of the leg; empty for what concerns none."""
    return {one.connection for one in diff.differences if one.code != "EDGE"}


def as_one(pieces: Sequence[Piece], connection: str) -> Piece:
    """Neighbouring pieces of a connection in one."""
    symbols = sorted({name for piece in pieces for _, _, of in piece.rows.values() for name in of})
    rows, lines = {}, {}
    for role in {role for piece in pieces for role in piece.rows}:
        parts = [piece.rows[role] for piece in pieces if role in piece.rows]
        rows[role] = in_order(joined(parts, [connection], symbols)), [connection], symbols
        lines[role] = sum(piece.lines.get(role, 0) for piece in pieces)
    return Piece(pieces[-1].end, pieces[-1].last, rows, lines)


def _as_first(side: Matches) -> Matches:
    """Rows of one connection, as number 0."""
    return msgspec.structs.replace(side, connection=np.zeros(len(side.t_sent), np.int16))


def _with_lines(total: Mapping[str, Any], lines: int) -> dict[str, Any]:
    """A side's totals with so many settled events, each of which matched."""
    counted = {name: total[name] + lines for name in ("input", "expected", "pairs")}
    codes = {
        name: {**total[name], "MATCH": total[name].get("MATCH", 0) + lines}
        for name in ("codes", "delivered_codes", "expected_codes")
    }
    return {**total, **counted, **codes}
