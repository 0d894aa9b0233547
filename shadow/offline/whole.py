"""The diff of a whole leg: what the database settled, and the ordinary diff of the rest, as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from shadow.diff.codes import TYPES, FirstArrival, LegDiff, Matches
from shadow.diff.leg import is_conserved
from shadow.offline.join import quoted
from shadow.offline.settle import Settled
from shadow.offline.streams import Role, Streams

if TYPE_CHECKING:
    import duckdb

__all__ = ["whole_leg"]

Columns = dict[str, npt.NDArray[Any]]


def whole_leg(
    db: duckdb.DuckDBPyConnection, rest: LegDiff, settled: Settled, streams: Streams, sides: Mapping[str, Role],
    folder: Path,
) -> LegDiff:  # fmt: skip
    """Add what was settled to the ordinary diff of the rest; `rounded` and `seeded` are counted in the rest alone."""
    if not settled.streams:
        return rest
    names = [streams.names[number] for number in settled.streams]
    connections = sorted({*rest.connections, *(name[0] for name in names)})
    symbols = sorted({*rest.symbols, *(name[2] for name in names)})
    totals = {role: _totals(rest.totals[role], settled, role, side) for role, side in sides.items()}
    sent = sum(side.frames[number] for side in sides.values() for number in settled.streams)
    columns = {role: _columns(db, folder, role, settled.streams) for role in sides}
    leads = _leads(db, folder, rest.roles, settled.streams)
    return msgspec.structs.replace(
        rest,
        matches={role: _matches(rest, role, columns[role], streams, connections, symbols) for role in sides},
        connections=connections,
        symbols=symbols,
        totals=totals,
        conserved=all(is_conserved(side) for side in totals.values()),
        first_arrival=[_arrival(name, rest, leads, streams) for name in connections],
        frames_sent=rest.frames_sent + sent,
        frames_accounted=rest.frames_accounted + sent,
    )


def _totals(rest: dict[str, Any], settled: Settled, role: str, side: Role) -> dict[str, Any]:
    counts = [settled.counts[role][number] for number in settled.streams]
    pairs, edges = sum(one.equal for one in counts), sum(one.edges for one in counts)
    books = sum(len(side.wholes.get(number, ())) for number in settled.streams)
    expected = Counter(MATCH=pairs, EDGE=edges)
    delivered = Counter(MATCH=pairs + books)
    more = {
        "codes": delivered + expected - Counter(MATCH=pairs),
        "delivered_codes": +delivered,
        "expected_codes": +expected,
    }
    numbers = {"input": pairs + books, "expected": pairs + edges, "pairs": pairs}
    return (
        rest
        | {name: dict(sorted((Counter(rest[name]) + codes).items())) for name, codes in more.items()}
        | {name: rest[name] + number for name, number in numbers.items()}
    )


def _of(settled: Sequence[int]) -> str:
    return f"stream IN ({', '.join(map(str, settled)) or 'NULL'})"


def _columns(db: duckdb.DuckDBPyConnection, folder: Path, role: str, settled: Sequence[int]) -> Columns:
    """One row per settled frame of a side."""
    query = (
        "SELECT p.frame_no, p.stream, any_value(s.t_sent) AS t_sent, max(p.t) AS t_callback,"
        " any_value(s.first_written) AS first_written, any_value(s.queued) AS queued, any_value(s.burst) AS burst"
        f" FROM (SELECT * FROM {_pairs(folder, role)} WHERE {_of(settled)}) AS p"
        f" JOIN {_sends(folder, role)} AS s ON s.frame_no = p.frame_no GROUP BY p.frame_no, p.stream"
    )
    return {name: np.asarray(values) for name, values in db.execute(query).fetchnumpy().items()}


def _pairs(folder: Path, role: str) -> str:
    return f"read_parquet({quoted(folder / role / '*.pairs.parquet')})"


def _sends(folder: Path, role: str) -> str:
    return f"read_parquet({quoted(folder / f'sends-{role}.parquet')})"


def _leads(
    db: duckdb.DuckDBPyConnection, folder: Path, roles: tuple[str, str], settled: Sequence[int]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Stream and lead in ns of each paced event that both sides have, above 0 = candidate first."""
    sides = [
        f"(SELECT p.stream, p.frame_no, p.place, p.t FROM {_pairs(folder, role)} AS p JOIN {_sends(folder, role)} AS s"
        f" ON s.frame_no = p.frame_no WHERE s.burst < 0 AND p.{_of(settled)})"
        for role in roles
    ]
    query = (
        f"SELECT a.stream, a.t - b.t AS lead FROM {sides[0]} AS a JOIN {sides[1]} AS b"
        " ON a.frame_no = b.frame_no AND a.place = b.place"
    )
    found = db.execute(query).fetchnumpy()
    return np.asarray(found["stream"]), np.asarray(found["lead"])


def _matches(
    rest: LegDiff, role: str, columns: Columns, streams: Streams, connections: list[str], symbols: list[str]
) -> Matches:
    """Both parts' frames in order of sending, numbered by the leg's own lists."""
    other = rest.matches[role]
    place = np.array([_place(name, connections, symbols) for name in streams.names], np.int64).reshape(-1, 3)
    place = place[columns["stream"].astype(np.int64)]
    again = [np.array([after.index(name) for name in before], np.int16) for before, after in
             ((rest.connections, connections), (rest.symbols, symbols))]  # fmt: skip
    parts: dict[str, tuple[Any, Any]] = {
        "connection": (again[0][other.connection], place[:, 0]),
        "type": (other.type, place[:, 1]),
        "symbol": (again[1][other.symbol], place[:, 2]),
    }
    for name in ("frame_no", "t_sent", "t_callback", "first_written", "queued", "burst"):
        parts[name] = getattr(other, name), columns[name]
    order = np.lexsort((np.concatenate(parts["frame_no"]), np.concatenate(parts["t_sent"])))
    joined = {name: np.concatenate(pair)[order].astype(getattr(other, name).dtype) for name, pair in parts.items()}
    return Matches(**joined)


def _place(stream: tuple[str, str, str], connections: list[str], symbols: list[str]) -> tuple[int, int, int]:
    """The stream's numbers in the leg's lists; -1 for what no settled frame has."""
    lists = connections, TYPES, symbols
    first, second, third = (
        where.index(name) if name in where else -1 for name, where in zip(stream, lists, strict=True)
    )
    return first, second, third


def _arrival(
    name: str, rest: LegDiff, leads: tuple[npt.NDArray[Any], npt.NDArray[Any]], streams: Streams
) -> FirstArrival:
    mine = [number for number, stream in enumerate(streams.names) if stream[0] == name]
    before = next((one.lead_ns for one in rest.first_arrival if one.connection == name), np.empty(0, np.int64))
    lead = np.concatenate([before, leads[1][np.isin(leads[0], mine)].astype(np.int64)])
    return FirstArrival(name, len(lead), int((lead > 0).sum()), int((lead < 0).sum()), lead)
