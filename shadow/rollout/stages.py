"""Where a unit stands in its rollout, which moves there are, and what a move asks of people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from infrastructure.networking.websocket.migration.stage import Stage
from shadow.errors import UsageError
from shadow.rollout.units import Unit, representatives

__all__ = [
    "OFF",
    "ORDER",
    "SHADOW",
    "Position",
    "Rule",
    "Rules",
    "approvals_needed",
    "farther",
    "is_irreversible",
    "is_revocable",
    "lowered",
    "parse_position",
    "placed",
    "position_of",
    "serving",
    "taken_back",
]

ORDER: Final = tuple(Stage)
TWO_PEOPLE: Final = frozenset({Stage.LIVE, Stage.COMPLETE})


@dataclass(frozen=True)
class Position:
    """A stage and, for a canary of part of the units, its share in percent."""

    stage: Stage
    share: int | None = None

    def __str__(self) -> str:
        return self.stage.value if self.share is None else f"{self.stage.value}:{self.share}"

    @property
    def rank(self) -> int:
        """Steps away from `off`."""
        return ORDER.index(self.stage)


OFF: Final = Position(Stage.OFF)
SHADOW: Final = Position(Stage.SHADOW)


@dataclass(frozen=True)
class Rule:
    """Units and where they stand. In a list of rules the first that covers a unit holds for it."""

    unit: Unit
    position: Position

    def __str__(self) -> str:
        return f"{self.unit} {self.position}"


Rules = tuple[Rule, ...]


def parse_position(text: str) -> Position:
    """STAGE as typed; UsageError names the stages."""
    name, colon, share = text.partition(":")
    if name not in {stage.value for stage in Stage} or (colon and name != Stage.CANARY.value):
        raise UsageError(f"{text!r} is no stage; write {', '.join(stage.value for stage in Stage)}, or canary:10")
    if not colon:
        return Position(Stage(name))
    if not share.isdecimal() or not 1 <= int(share) <= 100:
        raise UsageError(f"{text!r}: the share of a canary is a whole number from 1 to 100, as in canary:10")
    return Position(Stage.CANARY, int(share) if int(share) < 100 else None)


def approvals_needed(position: Position, *, rehearsal: bool) -> int:
    """How many people have to put their name to a move there."""
    return 2 if position.stage in TWO_PEOPLE and not rehearsal else 0


def is_irreversible(position: Position) -> bool:
    """Whether the flag cannot lead back from there."""
    return position.stage is Stage.COMPLETE


def is_revocable(position: Position) -> bool:
    """Whether new serves there, or part of it, and the flag leads back."""
    return serving(position) == "new" and not is_irreversible(position)


def serving(position: Position) -> str:
    """Which side the consumer gets, of a canary its chosen units: `legacy` or `new`."""
    return "legacy" if position.stage in (Stage.OFF, Stage.SHADOW) else "new"


def position_of(rules: Rules, unit: Unit) -> Position:
    """Where a single unit stands; `off` where no rule covers it."""
    return next((rule.position for rule in rules if rule.unit.covers(unit)), OFF)


def placed(rules: Rules, rule: Rule) -> Rules:
    """The rules with one more in front, less those that it hides."""
    return (rule, *(old for old in rules if not rule.unit.covers(old.unit)))


def lowered(rules: Rules, unit: Unit, limit: Position) -> Rules:
    """The rules with no unit of the pattern farther from legacy than the limit; complete ones stay."""
    out: list[Rule] = []
    for rule in rules:
        common = rule.unit.common(unit)
        if common is None or rule.position.rank <= limit.rank or is_irreversible(rule.position):
            out.append(rule)
        elif common == rule.unit:
            out.append(Rule(rule.unit, limit))
        else:
            out += [Rule(common, limit), rule]
    return tuple(out)


def taken_back(before: Rules, after: Rules) -> list[Unit]:
    """Units, as the rules before name them, of which new served some and legacy serves all or some again."""
    served = [rule.unit for rule in before if serving(rule.position) == "new"]
    back = [unit for unit in farther(before, after) if serving(position_of(after, unit)) == "legacy"]
    return [unit for unit in dict.fromkeys(served) if any(unit.covers(one) for one in back)]


def farther(found: Rules, known: Rules) -> list[Unit]:
    """Representative units that stand farther from legacy by the first rules than by the second."""
    units = representatives([rule.unit for rule in (*found, *known)])
    return [unit for unit in units if _is_farther(position_of(found, unit), position_of(known, unit))]


def _is_farther(one: Position, other: Position) -> bool:
    return (one.rank, one.share or 100) > (other.rank, other.share or 100)
