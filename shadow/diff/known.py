"""The list of known differences: a TOML file of `[[known]]` entries, each owned, reasoned and with an end."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path

import msgspec

from shadow.diff.codes import EVENT_CODES, INCIDENT_CODES, Difference
from shadow.errors import UsageError

__all__ = ["Known", "apply_known", "load_known"]

NO_DIFFERENCE = ("MATCH", "KNOWN", "UNJUDGED")
CODES = tuple(code for code in (*EVENT_CODES, *INCIDENT_CODES) if code not in NO_DIFFERENCE)
SIDES = ("", "new", "legacy", "legacy2", "both")


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One accepted difference; empty `side`, `channel` or `field` means any. It ends after the day `expires`."""

    id: str
    code: str
    owner: str
    reason: str
    expires: date
    max_count: int
    side: str = ""
    channel: str = ""
    field: str = ""


def load_known(path: Path) -> list[Known]:
    """Read the list; UsageError naming the file when it is unreadable or an entry is incomplete."""
    try:
        content = tomllib.loads(path.read_text())
        found = msgspec.convert(content.pop("known", []), type=list[Known])
    except (OSError, ValueError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"known differences {path}: {error}") from error
    if content:
        raise UsageError(f"known differences {path}: entries begin with [[known]], it holds {', '.join(content)}")
    for entry in found:
        if why := _odd(entry):
            raise UsageError(f"known differences {path}: entry {entry.id!r} {why}")
    ids = [entry.id for entry in found]
    if len(set(ids)) != len(ids):
        raise UsageError(f"known differences {path}: an id stands twice")
    return found


def _odd(entry: Known) -> str:
    """Why an entry could cover nothing, or is nobody's; empty where it is sound."""
    if entry.code not in CODES:
        return f"has code {entry.code!r}; known are {', '.join(CODES)}"
    if entry.side not in SIDES:
        return f"has side {entry.side!r}; it is new, legacy, both, or left out for any"
    if not (entry.id.strip() and entry.owner.strip() and entry.reason.strip()):
        return "needs an id, an owner and a reason"
    return "" if entry.max_count > 0 else f"has max_count {entry.max_count}; it covers nothing below 1"


def apply_known(
    differences: list[Difference], known: list[Known], today: date, *, strict: bool = False
) -> list[Difference]:
    """Set `known` on the differences that an entry covers: not expired, and all of its matches within max_count.

    `strict` (grade release): no entry covers what is critical on the new side.
    """
    free = [item for item in differences if not (strict and is_grave(item))]
    for entry in known:
        if entry.expires < today:
            continue
        covered = [item for item in free if item.known is None and covers(entry, item)]
        if covered and sum(item.count for item in covered) <= entry.max_count:
            for item in covered:
                item.known = entry.id
    return differences


def is_grave(item: Difference) -> bool:
    """Whether a difference is critical and the new side's, alone or with the other."""
    return item.severity == "critical" and item.side in ("new", "both")


def covers(entry: Known, item: Difference) -> bool:
    """Whether an entry speaks of this difference; its field is a path, or a path and kind."""
    fields = ("", item.field, item.field.partition(":")[0])
    sides = ("", item.side)
    return (
        entry.code == item.code and entry.side in sides and entry.channel in ("", item.type) and entry.field in fields
    )
