"""Whether a rollback has reached those whom it is about: what their status files say of it, and no more than that."""

from __future__ import annotations

from dataclasses import dataclass

from shadow.rollout.consumers import ConsumerStatus
from shadow.rollout.gates import Scene
from shadow.rollout.units import Unit, parse_unit

__all__ = ["Arrival", "arrival"]


@dataclass(frozen=True)
class Arrival:
    """Who has not applied the flag's generation: `behind` by name with a unit that new serves, `unknown` without one.

    A process without a heartbeat is unknown, and so are all where no status file is about the units.
    """

    behind: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What a person has to be told, each line with the way out; none where all have applied it."""
        return [
            *(f"{one} by its status file; touch websocket.kill, then look at `shadow status`" for one in self.behind),
            *(f"whether {one} has applied it is not known; look at `shadow status`" for one in self.unknown),
        ]


def arrival(scene: Scene, unit: Unit, generation: int) -> Arrival:
    """How far a generation of the flag has come with the consumers that hold units of the pattern."""
    behind, unknown = [], [name for name in scene.stale if name.startswith("consumers/")]
    holders = {consumer.name: consumer for _, consumer in scene.held(unit)}
    for name, consumer in sorted(holders.items()):
        if consumer.generation >= generation:
            continue
        if served := _served_by_new(consumer, unit):
            behind.append(f"{name} has applied generation {consumer.generation} alone and new serves {served[0]}")
        else:
            unknown.append(name)
    if not holders and not unknown:
        unknown.append("any consumer")
    return Arrival(tuple(behind), tuple(unknown))


def _served_by_new(consumer: ConsumerStatus, unit: Unit) -> list[str]:
    return [name for name, one in consumer.units.items() if one.serving == "new" and unit.covers(parse_unit(name))]
