"""A look in a line for a person, or as JSON; and the last word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from shadow.attach.pairs import SIDES
from shadow.attach.watch import Look

__all__ = ["CODES", "WORDS", "as_json", "in_a_line", "last_word"]

CODES: Final = {"PASS": 0, "REGRESSION": 10, "HOLD": 11}
WORDS: Final = {"PASS": "PASS", "REGRESSION": "ROLL BACK", "HOLD": "HOLD"}
QUIET: Final = frozenset({"input", "waiting", "MATCH"})


def as_json(look: Look, seconds: float) -> dict[str, Any]:
    """Everything that a look says."""
    fresh = Counter((one.code, one.side, one.connection, one.type) for one in look.fresh)
    return {
        "seconds": round(seconds, 1),
        "t": look.t,
        "verdict": look.verdict,
        "onset": look.onset,
        "alarms": [{"trigger": one.trigger, "says": one.says, "legacy_too": one.legacy_too} for one in look.alarms],
        "held": look.held,
        "not_judged": look.not_judged,
        "differences": [
            {"code": code, "side": side, "connection": connection, "type": kind, "count": count}
            for (code, side, connection, kind), count in sorted(fresh.items())
        ],
        "samples": [one.says for one in look.fresh[:5]],
        "events": look.counts,
        "speeds": look.speeds,
        "coverage": round(look.coverage, 6),
    }


def in_a_line(look: Look, seconds: float) -> str:
    """For a person."""
    events = "/".join(str(look.counts[side]["input"]) for side in SIDES)
    matched = min(look.counts[side].get("MATCH", 0) for side in SIDES)
    codes = sorted({code for side in SIDES for code in look.counts[side]} - QUIET)
    rest = ", ".join(f"{code} {'/'.join(str(look.counts[side].get(code, 0)) for side in SIDES)}" for code in codes)
    ratios = [one["ratio"] for one in look.speeds.values() if one["ratio"] is not None]
    speed = f", worst x{max(ratios):.2f}" if ratios else ""
    why = "; ".join([*(f"{one.trigger}: {one.says}" for one in look.alarms), *look.held])
    parts = f"{seconds:.0f} s: events {events} (legacy/new), {matched} match{', ' + rest if rest else ''}{speed}"
    unjudged = "".join(f", not judged: {text}" for text in look.not_judged)
    return f"{parts}, onset {look.onset}{unjudged}, {WORDS[look.verdict]}{': ' + why if why else ''}"


def last_word(look: Look | None, fired: dict[str, str], trouble: str, doubts: Sequence[str] = ()) -> tuple[str, str]:
    """Verdict and reason of the whole watch: what has fired stays, and nothing is a pass that is not whole.

    `doubts` are what the last look need not show any more.
    """
    if fired:
        return "REGRESSION", "; ".join(f"{trigger}: {says}" for trigger, says in fired.items())
    held = [*([trouble] if trouble else []), *(look.held if look is not None else ["nothing was seen"]), *doubts]
    if held:
        return "HOLD", "; ".join(dict.fromkeys(held))
    passed = "no trigger has fired, both sides were there, the onset detector is quiet"
    return "PASS", "; ".join([passed, *(f"not judged: {text}" for text in (look.not_judged if look else []))])
