"""What a run's raw tables say of load and cost: the messages that each side was sent, and samples of its resources."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from shadow.diff.codes import TYPES
from shadow.diff.frames import first_sends
from shadow.verdict.resources import Messages, Samples

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from shadow.capture.reader import RunData

__all__ = ["read_messages", "read_samples"]


def read_messages(run: RunData) -> dict[tuple[str, str], Messages]:
    """When (ns) each data frame was first sent to a side, by (leg, role).

    What a side delivers is its own word: one that writes an event twice, or adds events, would seem to have done more.
    """
    data = _data_frames(run)
    sends = run.part("sends", ("frame_no", "leg", "subject", "t_sent"))
    numbers, t_sent = sends["frame_no"].to_numpy(), sends["t_sent"].to_numpy()
    is_data = np.isin(numbers, data)
    out = {}
    for leg in sends["leg"].unique().to_pylist():
        in_leg = is_data & _is(sends["leg"], leg)
        for role in sends["subject"].unique().to_pylist():
            mine = in_leg & _is(sends["subject"], role)
            if mine.any():
                t = first_sends(numbers[mine], t_sent[mine])
                out[leg, role] = t, np.ones(len(t), np.int64)
    return out


def _data_frames(run: RunData) -> npt.NDArray[np.int64]:
    """Numbers of the frames that hold events."""
    import pyarrow as pa
    import pyarrow.compute as pc

    frames = run.part("frames", ("frame_no", "kind", "channel"))
    is_event = pc.is_in(frames["channel"], value_set=pa.array(TYPES, pa.string()))
    found = frames.filter(pc.and_(pc.equal(frames["kind"], "ws"), is_event))["frame_no"]
    return np.asarray(found.to_numpy(), np.int64)


def _is(column: pa.ChunkedArray, value: str) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    return np.asarray(pc.equal(column, value).to_numpy(), np.bool_)


def read_samples(run: RunData) -> dict[tuple[str, str], Samples]:
    """Resource samples by (leg, role), whichever of the side's processes was the largest: a stack may end before what
    started it."""
    table = run.table("resources")
    columns = {name: table[name].to_numpy() for name in ("t", "cpu_ns", "uss")}
    keys = list(zip(table["leg"].to_pylist(), table["role"].to_pylist(), strict=True))
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        rows[key].append(number)
    out = {}
    for key, numbers in rows.items():
        mine = np.array(numbers)
        mine = mine[np.argsort(columns["t"][mine], kind="stable")]
        out[key] = Samples(*(columns[name][mine].astype(np.int64) for name in ("t", "cpu_ns", "uss")))
    return out
