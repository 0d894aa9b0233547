"""What a sampled profile says: the functions and stages in which new spends more time than legacy.

All shares are of the time sampled, waiting included, and both sides got the same bursts: a difference is time, so that
a function which costs more does not make all others look cheaper.
"""

from __future__ import annotations

from typing import Final

import msgspec

from reports.records import Profile, ProfiledFunction, ProfiledSide
from reports.text import percent

__all__ = ["Shares", "bottleneck", "busy", "by_function", "by_stage", "signed"]

STAGES: Final = (
    ("transport", ("websockets.", "picows", "asyncio.", "ssl", "aiohttp.", "httpx.")),
    ("decoding and routing", ("exchanges.integrations.", "legacy.gateio.", "legacy.mexc.", "google.protobuf")),
    ("connection and hand-over", ("infrastructure.", "legacy.websocket.")),
    ("books, accounts, events", ("exchanges.",)),
    ("consumer and its lines", ("shadow.", "__main__")),
)
"""Stages of the pipeline, in a message's order, by the modules that do them."""
OTHER: Final = "other"


class Shares(msgspec.Struct, frozen=True):
    """Shares of the time in one function or stage; None for a side without samples. `whole` counts callees as well."""

    name: str
    legacy: float | None
    new: float | None
    legacy_whole: float | None = None
    new_whole: float | None = None

    @property
    def more(self) -> float:
        """How much more of the time new spends."""
        return (self.new or 0.0) - (self.legacy or 0.0)


def busy(profile: Profile, role: str) -> float | None:
    """The share of the time in which a side did not wait."""
    side = profile.sides.get(role)
    return _share(side, side.busy if side else 0)


def by_function(profile: Profile) -> list[Shares]:
    """Every function, those with the largest difference new - legacy first."""
    legacy, new = (profile.sides.get(role) for role in ("legacy", "new"))
    of_legacy, of_new = _by_name(legacy), _by_name(new)
    rows = []
    for name in of_legacy.keys() | of_new.keys():
        before, since = (found.get(name, ProfiledFunction(name)) for found in (of_legacy, of_new))
        rows.append(
            Shares(
                name,
                _share(legacy, before.self),
                _share(new, since.self),
                _share(legacy, before.cumulative),
                _share(new, since.cumulative),
            )
        )
    return sorted(rows, key=lambda row: (-row.more, -(row.new_whole or 0.0), row.name))


def by_stage(profile: Profile) -> list[Shares]:
    """The stages in a message's order, by the innermost function of a module that belongs to one: a library's function
    belongs to who called it. Counted are the stacks that were kept, which are nearly all."""
    sides = [profile.sides.get(role) for role in ("legacy", "new")]
    counts = [_stage_counts(side) for side in sides]
    return [
        Shares(name, *(_share(side, found.get(name, 0)) for side, found in zip(sides, counts, strict=True)))
        for name in (*(name for name, _ in STAGES), OTHER)
    ]


def bottleneck(profile: Profile | None) -> str:
    """The function and the stage in which new spends most more than legacy; empty without both sides' samples."""
    if profile is None or not {"legacy", "new"} <= profile.sides.keys():
        return ""
    functions = by_function(profile)
    if not functions:
        return ""
    first, stage = functions[0], max(by_stage(profile), key=lambda row: row.more)
    return (
        f"new spends most more in {first.name} ({percent(first.legacy, 1)} of the time in legacy, "
        f"{percent(first.new, 1)} in new); by stage in {stage.name} ({signed(stage.more)})"
    )


def signed(share: float) -> str:
    """A difference of shares with its sign."""
    return ("+" if share >= 0 else "-") + percent(abs(share), 1)


def _by_name(side: ProfiledSide | None) -> dict[str, ProfiledFunction]:
    return {one.name: one for one in side.functions} if side is not None else {}


def _share(side: ProfiledSide | None, samples: int) -> float | None:
    return samples / side.taken if side is not None and side.taken > 0 else None


def _stage_counts(side: ProfiledSide | None) -> dict[str, int]:
    found: dict[str, int] = {}
    for stack, seen in side.stacks if side is not None else ():
        stage = _stage_of(stack)
        found[stage] = found.get(stage, 0) + seen
    return found


def _stage_of(stack: list[str]) -> str:
    for function in reversed(stack):
        for name, modules in STAGES:
            if function.startswith(modules):
                return name
    return OTHER
