"""online.json: what is known of a running session, replaced as a whole at each look."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import orjson

from shadow.verdict.evidence import six_digits

if TYPE_CHECKING:
    from shadow.online.follow import Look

__all__ = ["NAME", "status_of", "write_status"]

NAME: Final = "online.json"


def status_of(look: Look, behind_s: Sequence[float], cpu_share: dict[str, float], stop: str | None) -> dict[str, Any]:
    """online.json, schema 1.

    `behind_s` is how much older than now the newest judged moment was when each look so far was done, this one last;
    `cpu_share` what part of a core comparing (`facts`) and testing (`statistics`) took so far.
    """
    worst, seen = look.worst, look.watch
    return {
        "schema": 1,
        "leg": look.leg,
        "t": look.end,
        "measured_s": six_digits(look.measured_s),
        "behind_s": six_digits(behind_s[-1]),
        "lag_s": {
            "median": six_digits(median(behind_s)),
            "worst": six_digits(max(behind_s)),
            "looks": len(behind_s),
            "statistics": six_digits((look.end - look.heard_to) / 1e9 + behind_s[-1]),
        },
        "events": look.events,
        "differences": _counted(look),
        "facts": [fact.text for fact in look.facts],
        "worst": None if worst is None else {"id": worst.id, "ratio": six_digits(worst.ratio), "blocks": worst.blocks},
        "sequential": {
            "fired": look.confirmed,
            "suspects": seen.suspects,
            "looks": seen.looks,
            "loudest": _loudest(look),
        },
        "cpu_share": {name: six_digits(share) for name, share in cpu_share.items()},
        "stop": stop,
    }


def _counted(look: Look) -> list[dict[str, Any]]:
    """Differences of the comparison so far, by code, side and severity."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in look.differences:
        counts[one.code, one.side, one.severity] += one.count
    names = ("code", "side", "severity")
    return [dict(zip(names, key, strict=True)) | {"count": count} for key, count in sorted(counts.items())]


def _loudest(look: Look) -> dict[str, Any] | None:
    """The test nearest to where it fires."""
    name = look.watch.worst
    if name is None:
        return None
    log_e, needs = look.watch.log_e[name], look.watch.needs[name]
    return {"id": name, "ln_e": six_digits(log_e), "fires_at": six_digits(needs)}


def write_status(folder: str | os.PathLike[str], status: dict[str, Any]) -> None:
    """Replace online.json, so that a reader never meets half of it."""
    path = Path(folder) / NAME
    part = path.with_name(f".{NAME}.part")
    part.write_bytes(orjson.dumps(status, option=orjson.OPT_INDENT_2) + b"\n")
    part.replace(path)
