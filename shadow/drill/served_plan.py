"""What is done to a rollout while new serves, in each stage, and what has to come of it.

A consumer, a controller and a small judge run as they do in a rollout; whatever harm is done, legacy has to serve again
by itself, and the consumer may not have lost, doubled or reordered an event. What may not fire may not move anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from shadow.drill.plan import AT_ONCE_S, MEMORY_S, SILENCE_S, UPTIME_S, Drill, Trigger
from shadow.rehearsal.cost import BLOCK_S, USUAL_BLOCKS
from shadow.rollout.stages import Rule, Rules, parse_position
from shadow.rollout.units import EVERYTHING, parse_unit

__all__ = ["STAGES", "Act", "Served", "rules_of", "served_drills"]

STAGES: Final = ("canary", "live")
"""Stages in which new serves that a drill is asked for or made in before one goes on."""
ROLLBACK_S: Final = 3.0
"""From an open trigger until every unit is with legacy and the flag says so; a rehearsal's own bound."""
DEARER_BLOCKS: Final = 24
"""At most; how many of them it may take follows from the noise of the blocks before, see `Cost.seconds_to_see`."""
SETTLED_S: Final = 3.5
USUAL_S: Final = (USUAL_BLOCKS + 2) * BLOCK_S
Act = Literal["harm", "flip", "orphan", "nonsense", "quiet", "burst", "outage", "judge", "controller", "flag"]


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One drill beside a running consumer.

    `act` is who does it: new itself (`harm`; `flip`: in the midst of a flip; `orphan`: while no controller lives;
    `nonsense`: with a flag file that is none), the feed, or the death of a part. `word` is what new is told, with
    `share` of its CPU per message. `before_s` is how long new serves undisturbed before, `lasts_s` how long it is
    watched that nothing fires.
    """

    drill: Drill
    act: Act = "harm"
    word: str = ""
    share: float = 0.0
    before_s: float = 1.0
    lasts_s: float = 3.0


def rules_of(stage: str) -> Rules:
    """Where the units stand in a stage's drill: a canary has half of the public units, and the accounts."""
    if stage == "live":
        return (Rule(EVERYTHING, parse_position("live")),)
    private = Rule(parse_unit("*.*.private"), parse_position("canary"))
    return (private, Rule(EVERYTHING, parse_position("canary:50")))


def served_drills(connections: Sequence[str]) -> list[Served]:
    """All drills of one stage: what may not fire first, since a stack that was not harmed goes on."""
    return [*_harmless(connections), *_deaths(), *_harms(connections)]


def _fires(what: str, trigger: Trigger, bound_s: float) -> Drill:
    return Drill(what, "", trigger, (), bound_s + ROLLBACK_S)


def _harms(connections: Sequence[str]) -> list[Served]:
    dearer = _fires("dearer by half", "performance", DEARER_BLOCKS * BLOCK_S)
    mute, die = _fires("mute", "functionality", SILENCE_S), _fires("die", "stability", UPTIME_S)
    found = [
        Served(drill=mute, word="mute"),
        Served(drill=die, word="die"),
        Served(drill=_fires("leak", "memory", MEMORY_S), word="leak", before_s=SETTLED_S),
        Served(drill=dearer, word="slow", share=0.50, before_s=USUAL_S),
        Served(drill=msgspec.structs.replace(mute, what="mute in a flip"), act="flip", word="mute"),
        Served(drill=msgspec.structs.replace(die, what="die in a flip"), act="flip", word="die"),
        Served(drill=msgspec.structs.replace(die, what="die without a controller"), act="orphan", word="die"),
    ]
    if any(one.endswith(".public") for one in connections):
        alter = _fires("alter", "functionality", AT_ONCE_S)
        found.insert(0, Served(drill=alter, word="alter"))
        nonsense = msgspec.structs.replace(alter, what="alter, flag file unreadable")
        found.append(Served(drill=nonsense, act="nonsense", word="alter"))
    return found


def _harmless(connections: Sequence[str]) -> list[Served]:
    hardly = Served(drill=Drill("dearer by 5 %", ""), word="slow", share=0.05, before_s=USUAL_S, lasts_s=6.0)
    found = [
        hardly,
        Served(drill=Drill("quiet", ""), act="quiet"),
        Served(drill=Drill("burst", ""), act="burst"),
        Served(drill=Drill("outage", ""), act="outage", lasts_s=5.0),
    ]
    if any(one.endswith(".public") for one in connections):
        found.append(Served(drill=Drill("conflate", ""), word="conflate"))
    return found


def _deaths() -> list[Served]:
    """Of parts beside the stacks: stages stay, nothing advances, nobody loses an event."""
    return [
        Served(drill=Drill("the controller dies", ""), act="controller"),
        Served(drill=Drill("the flag file is unreadable", ""), act="flag"),
        Served(drill=Drill("the judge dies", ""), act="judge"),
    ]
