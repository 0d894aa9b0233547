"""A reduced stretch on disk: `stretches/<leg>/<number>.json` with its counts, `.parquet` with its matched frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from shadow.diff.codes import Difference, FirstArrival, LegDiff, Matches
from shadow.errors import RunError

__all__ = ["FOLDER", "Reduced", "Stored", "read_stretches", "stretch_files", "write_stretch"]

FOLDER: Final = "stretches"
STEP: Final = np.uint64(0x9E3779B97F4A7C15)
LEADS: Final = 500
"""Leads of a connection that a stretch keeps, evenly over all; how often who was first is counted over all."""


class Reduced(msgspec.Struct, kw_only=True):
    """What the verdict needs of a stretch, its matched frames apart; schema 1.

    `begin` and `end` in ns; `arrivals` are (connection, n, candidate first, baseline first, leads in ns); `frames`
    rows of the frames table; `sent` how many frames of (connection, channel, symbol) each role was sent, and
    `matched` how many of them it delivered; `messages` the frames of each role, one sent twice once, by the second's
    begin (ns); `errors` are (role, connection, time of reading) of error lines.
    """

    schema: int = 1
    leg: str
    roles: tuple[str, str]
    begin: int
    end: int
    connections: list[str]
    symbols: list[str]
    differences: list[Difference]
    samples: list[dict[str, Any]]
    totals: dict[str, dict[str, Any]]
    conserved: bool
    arrivals: list[tuple[str, int, int, int, list[int]]]
    frames_sent: int
    frames_accounted: int
    requests: list[dict[str, Any]]
    frames: int
    sent: list[tuple[str, str, str, str, int]]
    matched: list[tuple[str, str, str, str, int]]
    messages: dict[str, list[tuple[int, int]]]
    errors: list[tuple[str, str, int]]


class Stored(msgspec.Struct):
    """A stretch as read again."""

    reduced: Reduced
    matches: dict[str, Matches]

    def diff(self) -> LegDiff:
        """As the leg's diff was."""
        one = self.reduced
        arrivals = [
            FirstArrival(name, n, new, old, np.array(lead, np.int64)) for name, n, new, old, lead in one.arrivals
        ]
        return LegDiff(
            leg=one.leg, roles=one.roles, matches=self.matches, connections=one.connections, symbols=one.symbols,
            differences=one.differences, samples=one.samples, totals=one.totals, conserved=one.conserved,
            first_arrival=arrivals, frames_sent=one.frames_sent, frames_accounted=one.frames_accounted,
            requests=one.requests,
        )  # fmt: skip


def stretch_files(run: Path) -> list[Path]:
    """All files of reduced stretches, in order."""
    return sorted(path for path in run.glob(f"{FOLDER}/*/*") if path.suffix in (".json", ".parquet"))


def arrivals_of(diff: LegDiff) -> list[tuple[str, int, int, int, list[int]]]:
    """First arrivals with at most LEADS leads."""
    return [
        (
            one.connection,
            one.n,
            one.candidate_first,
            one.baseline_first,
            np.asarray(one.lead_ns)[:: -(-max(one.n, 1) // LEADS)].tolist(),
        )
        for one in diff.first_arrival
    ]


def write_stretch(run: Path, number: int, reduced: Reduced, matches: dict[str, Matches]) -> None:
    """Write both files, the counts last: a stretch whose counts are there is whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = run / FOLDER / reduced.leg
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    base = folder / f"{number:06d}.json"
    tables = []
    for place, role in enumerate(reduced.roles):
        columns = {name: np.asarray(getattr(matches[role], name)) for name in Matches.__struct_fields__}
        side = np.full(len(columns["frame_no"]), place, np.int8)
        tables.append(pa.table({**columns, "side": side}))
    pq.write_table(pa.concat_tables(tables), base.with_suffix(".parquet"), compression="zstd")
    part = base.with_name(f".{base.name}.part")
    part.write_bytes(msgspec.json.encode(reduced))
    part.replace(base)


def read_stretches(run: Path) -> dict[str, list[Stored]]:
    """The stretches of each leg in order; RunError naming a file that cannot be read. Empty where there are none."""
    found: dict[str, list[Stored]] = {}
    for path in (path for path in stretch_files(run) if path.suffix == ".json"):
        stored = _read(path)
        found.setdefault(stored.reduced.leg, []).append(stored)
    return found


def _read(path: Path) -> Stored:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        reduced = msgspec.json.decode(path.read_bytes(), type=Reduced)
        table = pq.read_table(path.with_suffix(".parquet"), partitioning=None)
    except (OSError, msgspec.MsgspecError, pa.ArrowException) as fault:
        raise RunError(f"{path} is unreadable: {fault}") from None
    side = table["side"].to_numpy()
    both = Matches(**{name: table[name].to_numpy() for name in Matches.__struct_fields__})
    return Stored(reduced, {role: both.rows(side == place) for place, role in enumerate(reduced.roles)})


def thinned(matches: Matches, keep_one_in: int) -> Matches:
    """All frames of bursts, and of paced ones one in so many, by their numbers, which know nothing of latency.

    The venue takes connections in turn, so that every so many-eth number would leave whole connections out.
    """
    if keep_one_in == 1:
        return matches
    is_chosen = mixed(np.asarray(matches.frame_no)) % np.uint64(keep_one_in) == 0
    kept = is_chosen | (np.asarray(matches.burst) >= 0)
    return matches.rows(kept)


def mixed(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Each number as another one, always the same, with nothing left of any pattern: the finish of splitmix64."""
    found = numbers.astype(np.uint64) + STEP
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found = (found ^ (found >> np.uint64(shift))) * np.uint64(factor)
    return found ^ (found >> np.uint64(31))


def counted(rows: Sequence[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str, int]]:
    """Each row once, with how often it is there."""
    from collections import Counter

    return [(*row, n) for row, n in sorted(Counter(rows).items())]
