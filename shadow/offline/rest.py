"""What the database did not settle: the rows of those streams, and all that is no event, for the ordinary diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shadow.capture.tables import columns as columns_of
from shadow.diff.leg import Held, diff_streams, table_of
from shadow.offline.prepare import Frames

if TYPE_CHECKING:
    from shadow.capture.reader import RunData
    from shadow.diff.codes import LegDiff
    from shadow.diff.known import Known

__all__ = ["diff_rest"]

Lines = list[tuple[int, bytes]]
Bools = npt.NDArray[np.bool_]


def diff_rest(
    run: RunData, leg: str, settled: Sequence[int], frames: Frames, line_streams: Mapping[str, npt.NDArray[np.int32]],
    held: Mapping[str, Held], known: Sequence[Known],
) -> LegDiff:  # fmt: skip
    """The ordinary diff of a leg without the settled streams."""
    done = np.sort(frames.number[np.isin(frames.stream, settled)])
    small: dict[str, Any] = {name: table_of(run, name, leg) for name in ("connections", "marks", "requests")}
    return diff_streams(
        frames=_rows(run, "frames", leg, done),
        sends=_rows(run, "sends", leg, done),
        **small,
        lines={role: _lines(run, leg, role, np.isin(streams, settled)) for role, streams in line_streams.items()},
        session=run.session,
        leg=leg,
        known=known,
        held=held,
    )


def _rows(run: RunData, table: str, leg: str, done: npt.NDArray[np.int64]) -> dict[str, list[Any]]:
    names = list(columns_of(table))
    found: dict[str, list[Any]] = {name: [] for name in names}
    for batch in run.batches(table, leg, names):
        for name, values in batch.filter(_mask(~np.isin(batch["frame_no"].to_numpy(), done))).to_pydict().items():
            found[name] += values
    return found


def _lines(run: RunData, leg: str, role: str, done: Bools) -> Lines:
    """The lines of events that are not settled, and those that are no event."""
    found: Lines = []
    at = 0
    for batch in run.batches(f"events/{role}", leg, ["t_read", "body"]):
        kept = batch.filter(_mask(~done[at : at + batch.num_rows])).to_pydict()
        found += zip(kept["t_read"], kept["body"], strict=True)
        at += batch.num_rows
    return found


def _mask(kept: Bools) -> Any:
    import pyarrow as pa

    return pa.array(kept)
