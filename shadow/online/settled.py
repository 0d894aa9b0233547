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
import numpy.typing as npt

from shadow.diff.codes import LegDiff, Matches
from shadow.online.quiet import Stretches, quiet_moments

__all__ = ["KEEP_NS", "Piece", "Settled", "join_matches"]

KEEP_NS: Final = 4_000_000_000
"""How long what matched on a public connection can be given back; of an account all history counts."""
FEW: Final = 32
"""Pieces of a connection that are kept apart at most, but for those that can be given back."""
Rows = tuple[list[str], Matches]
"""Matches of one connection, with the symbols that their numbers stand for."""


@dataclass(frozen=True)
class Piece:
    """One connection from the piece before up to `end` (ns) and the frame `last`.

    `rows` are its matches by role, `lines` its delivered events.
    """

    end: int
    last: int
    rows: dict[str, Rows]
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
            kept = (side.connection == number) & (side.t_sent > begin) & (side.t_sent <= end)
            rows[role] = diff.symbols, rows_of(side, kept)
        last = max((int(side.frame_no.max()) for _, side in rows.values() if len(side.frame_no)), default=0)
        counted = {role: told.between(connection, begin, end) for role, told in lines.items()}
        pieces = self.pieces.setdefault(connection, [])
        pieces.append(Piece(end, max(last, self.last_frame(connection)), rows, counted))
        old = [piece for piece in pieces if piece.end <= end - KEEP_NS]
        if len(old) > FEW:
            self.pieces[connection] = [as_one(old, connection), *pieces[len(old) :]]

    def with_rest(self, rest: LegDiff) -> LegDiff:
        """The diff of the whole leg: of what is settled and of the rest."""
        names = sorted({*rest.connections, *(name for name, pieces in self.pieces.items() if pieces)})
        parts = [(name, piece) for name, pieces in self.pieces.items() for piece in pieces]
        symbols = sorted({*rest.symbols, *(s for _, piece in parts for of, _ in piece.rows.values() for s in of)})
        matches, totals = {}, {}
        for role, side in rest.matches.items():
            mine = [(name, *piece.rows[role]) for name, piece in parts if role in piece.rows]
            found = [renamed(rows, [name], of, names, symbols) for name, of, rows in mine]
            found.append(renamed(side, rest.connections, rest.symbols, names, symbols))
            matches[role] = join_matches(found)
            lines = sum(piece.lines.get(role, 0) for _, piece in parts)
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
    symbols = sorted({name for piece in pieces for of, _ in piece.rows.values() for name in of})
    rows, lines = {}, {}
    for role in {role for piece in pieces for role in piece.rows}:
        parts = [piece.rows[role] for piece in pieces if role in piece.rows]
        found = [renamed(side, [connection], of, [connection], symbols) for of, side in parts]
        rows[role] = symbols, join_matches(found)
        lines[role] = sum(piece.lines.get(role, 0) for piece in pieces)
    return Piece(pieces[-1].end, pieces[-1].last, rows, lines)


def rows_of(side: Matches, kept: npt.NDArray[np.bool_]) -> Matches:
    """The rows that `kept` marks, all of one connection, as number 0."""
    found = Matches(**{name: getattr(side, name)[kept] for name in Matches.__struct_fields__})
    return msgspec.structs.replace(found, connection=np.zeros(len(found.t_sent), np.int16))


def renamed(
    side: Matches, connections: list[str], symbols: list[str], new_connections: list[str], new_symbols: list[str]
) -> Matches:
    """Matches with the numbers that other lists of names give."""
    return msgspec.structs.replace(
        side,
        connection=_renumber(side.connection, connections, new_connections),
        symbol=_renumber(side.symbol, symbols, new_symbols),
    )


def _renumber(numbers: npt.NDArray[np.int16], old: list[str], new: list[str]) -> npt.NDArray[np.int16]:
    if old == new or not len(numbers):
        return numbers
    return np.asarray(np.array([new.index(name) for name in old], np.int16)[numbers])


def join_matches(parts: Sequence[Matches]) -> Matches:
    """All rows in order of sending."""
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in Matches.__struct_fields__}
    order = np.argsort(columns["t_sent"], kind="stable")
    return Matches(**{name: column[order] for name, column in columns.items()})


def _with_lines(total: Mapping[str, Any], lines: int) -> dict[str, Any]:
    """A side's totals with so many settled events, each of which matched."""
    counted = {name: total[name] + lines for name in ("input", "expected", "pairs")}
    codes = {
        name: {**total[name], "MATCH": total[name].get("MATCH", 0) + lines}
        for name in ("codes", "delivered_codes", "expected_codes")
    }
    return {**total, **counted, **codes}
