"""Two sides' findings as differences with a side, and the samples kept as evidence."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from shadow.diff.codes import Difference, Finding, severity_of
from shadow.diff.frames import Frame

__all__ = ["chosen", "differences_of", "merge", "samples_of"]

SAMPLES: Final = 20

Item = TypeVar("Item")
Kind = tuple[str, str, str, str, str]


def kind_of(finding: Finding) -> Kind:
    return finding.code, finding.connection, finding.type, finding.symbol, finding.field


def merge(findings: dict[str, list[Finding]]) -> dict[tuple[str, Kind], list[Finding]]:
    """Group findings by (side, kind); one that both sides have at the same place is one of side `both`."""
    (first, ours), (second, theirs) = findings.items()
    places = Counter((kind_of(item), item.ref) for item in theirs)
    groups: dict[tuple[str, Kind], list[Finding]] = {}
    for item in ours:
        place = kind_of(item), item.ref
        side = first
        if places[place] > 0:
            places[place] -= 1
            side = "both"
        groups.setdefault((side, kind_of(item)), []).append(item)
    for item in theirs:
        place = kind_of(item), item.ref
        if places[place] > 0:
            places[place] -= 1
            groups.setdefault((second, kind_of(item)), []).append(item)
    return dict(sorted(groups.items()))


def differences_of(groups: dict[tuple[str, Kind], list[Finding]]) -> list[Difference]:
    """One row per group."""
    return [
        Difference(code, side, severity_of(code, event_type, field), connection, event_type, symbol, field, len(items))
        for (side, (code, connection, event_type, symbol, field)), items in groups.items()
    ]


def samples_of(
    groups: dict[tuple[str, Kind], list[Finding]], leg: str, frames: Mapping[int, Frame]
) -> list[dict[str, Any]]:
    """At most SAMPLES per (code, side, type, field): first, last and random ones, whole frames and whole events."""
    pools: dict[tuple[str, str, str, str], list[Finding]] = {}
    for (side, kind), items in groups.items():
        pools.setdefault((kind[0], side, kind[2], kind[4]), []).extend(items)
    return [
        sample_row(side, item, leg, frames)
        for (_, side, _, _), items in pools.items()
        for item in chosen(sorted(items, key=lambda item: item.frame_no))
    ]


def chosen(items: list[Item]) -> list[Item]:
    """First, last and random items in order; the same choice for the same items."""
    if len(items) <= SAMPLES:
        return items
    edge = SAMPLES // 3
    middle = range(edge, len(items) - edge)
    picked = random.Random(len(items)).sample(middle, SAMPLES - 2 * edge)
    return items[:edge] + [items[i] for i in sorted(picked)] + items[-edge:]


def sample_row(side: str, item: Finding, leg: str, frames: Mapping[int, Frame]) -> dict[str, Any]:
    """A finding in the form of analysis.json; a frame is text, or hex where it is binary."""
    frame = frames.get(item.frame_no)
    text = None
    if frame is not None:
        text = frame.payload.decode(errors="replace") if frame.is_text else frame.payload.hex()
    return {
        "code": item.code,
        "side": side,
        "connection": item.connection,
        "type": item.type,
        "symbol": item.symbol,
        "field": item.field,
        "leg": leg,
        "frame_no": item.frame_no,
        "expected": plain(item.expected),
        "delivered": plain(item.delivered),
        "frame": text,
    }


def plain(value: Any) -> Any:
    """Structs as dicts, without the reference's own helpers."""
    built = msgspec.to_builtins(value)
    if isinstance(built, dict):
        built = {key: item for key, item in built.items() if key not in ("nearest", "times")}
    return storable(built)


def storable(value: Any) -> Any:
    """The same, with whole numbers that are too large for a file as texts."""
    if isinstance(value, dict):
        return {key: storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value
