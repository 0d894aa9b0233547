"""The checklist's absolute targets: shown, never decisive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from shadow.verdict.checklist import Target
from shadow.verdict.evidence import six_digits
from shadow.verdict.uptime import Recovery

__all__ = ["Stamped", "stamped_times", "target_lines"]

_NS = {"us": 1e3, "ms": 1e6, "s": 1e9}
Stamped = dict[tuple[str, str], list[int]]
"""(connection, type) to recv-to-callback times in ns."""


class _Stamps(msgspec.Struct):
    t: int | None = None
    recv: int | None = None


def stamped_times(rows: Iterable[tuple[str, str, bytes]]) -> Stamped:
    """Times from the optional stamp `recv` to `t` of events (connection, type, body); unreadable bodies are skipped."""
    decode = msgspec.json.Decoder(_Stamps).decode
    out: Stamped = {}
    for connection, kind, body in rows:
        try:
            stamps = decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if stamps.t is not None and stamps.recv is not None and stamps.t >= stamps.recv:
            out.setdefault((connection, kind), []).append(stamps.t - stamps.recv)
    return out


def target_lines(
    targets: Sequence[Target], stamped: Stamped, recovered: Mapping[str, Sequence[Recovery | None]]
) -> list[dict[str, Any]]:
    """One line per target with p50, p99 and `met`; null where this session has too few figures or none at all.

    Stamps give processing times of the new stack; its forced closes give connect and reconnect times.
    """
    lines = []
    for target in targets:
        values = np.array(_values(target, stamped, recovered), np.float64) / _NS[target.unit]
        enough = len(values) >= target.minimum
        p50, p99 = (six_digits(float(v)) for v in np.percentile(values, (50, 99))) if enough else (None, None)
        lines.append(
            {
                "id": target.id,
                "what": target.what,
                "unit": target.unit,
                "limit": target.limit,
                "p50": p50,
                "p99": p99,
                "met": None if p50 is None else p50 <= target.limit,
                "n": len(values),
                "source": target.source,
            }
        )
    return lines


def _values(target: Target, stamped: Stamped, recovered: Mapping[str, Sequence[Recovery | None]]) -> Sequence[int]:
    if target.source == "stamps":
        return stamped.get((target.connection, target.type), ())
    if target.source == "bench":
        return ()
    part = "connect" if target.source == "connect" else "gap"
    return [getattr(one, part) for one in recovered.get(target.connection, ()) if one is not None]
