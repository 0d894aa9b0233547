"""An application as the rollout sees one: `python -m shadow.subjects.consumer`.

It speaks the subject protocol, but which stack serves is not its own choice: flag file and kill file decide, while it
runs. What it delivers is what an application would have got. Beside that it writes its status file for the controller,
and lines of its own kind: `beat` ten times a second, behind all that was delivered before it; `serving` where a unit
changes sides; at the end `flip` for each change with its audit, and
`gaps` where a unit has marked some.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from time import perf_counter_ns
from typing import Any, Final

import msgspec

from infrastructure.networking.websocket.migration.dual_run import DualRunManager
from infrastructure.networking.websocket.migration.lane import FlipRecord
from infrastructure.networking.websocket.migration.stage import Stage, serving_architecture
from shadow.errors import ShadowError
from shadow.rollout.consumers import Alarm, ConsumerStatus, UnitStatus, write_status
from shadow.rollout.flag_file import evaluated, read_flag_file
from shadow.rollout.places import Places, places
from shadow.rollout.units import Unit, parse_unit
from shadow.subjects.emit import Emitter
from shadow.subjects.harmed import take_the_place
from shadow.subjects.protocol import ConnectionSpec, StartLine
from shadow.subjects.stack import StackSubject, architecture_of, speak

__all__ = ["Consumer", "main"]

LOOK_S: Final = 0.1
BEAT_S: Final = 1.0


class Consumer(StackSubject):
    """Holds a manager for each connection, through the callers' door, and says who serves what.

    Options of the start line: `placement` as the factory takes it, `name` of the status file, `harm_file` (see
    `harmed.py`).
    """

    def __init__(self, start: StartLine, emitter: Emitter, where: Places) -> None:
        super().__init__("dual", start, emitter)
        self._places = where
        self._name = str(start.options.get("name", "consumer"))
        self._generation = 0
        self._serving: dict[str, str] = {}
        self._written: ConsumerStatus | None = None
        self._beating: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open every connection, and tell of oneself from now on."""
        await super().open()
        self._beating = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """Tell of every flip and gap, then close every manager."""
        if self._beating is not None:
            self._beating.cancel()
        for manager in self._managers.values():
            if isinstance(manager, DualRunManager):
                for record in manager.flip_records():
                    self._emitter.put(_flip_line(record))
                for unit, count in manager.get_performance_metrics()["migration"]["gaps"].items():
                    self._emitter.put({"k": "gaps", "unit": unit, "count": count})
        await super().close()

    def placing(self) -> dict[str, str]:
        """Where the stack runs that does not serve at the start."""
        return {"placement": str(self._start.options.get("placement", "inline"))}

    def accept(self, manager: Any) -> None:
        """Whatever the flag gives is right."""

    async def _beat(self) -> None:
        while True:
            status = self.status()
            self._tell(status.units)
            self._emitter.put({"k": "beat", "t": perf_counter_ns()})
            last = self._written
            if last is None or status.at - last.at >= BEAT_S or msgspec.structs.replace(status, at=last.at) != last:
                self._written = status
                # A disk that cannot be written is the controller's affair, who misses the heartbeat.
                with suppress(ShadowError):
                    await asyncio.to_thread(write_status, self._places.folder, status)
            await asyncio.sleep(LOOK_S)

    def status(self) -> ConsumerStatus:
        """Who serves each unit now, and which generation of the flag that is."""
        units: dict[str, UnitStatus] = {}
        stages: dict[str, Stage] = {}
        alarms: list[Alarm] = []
        for spec in self._start.connections:
            manager = self._managers[spec.id]
            if isinstance(manager, DualRunManager):
                units |= _dual_units(spec, manager, stages)
                alarms += _alarms(spec, manager)
            else:
                given = architecture_of(manager)
                stages |= dict.fromkeys(_unit_names(spec), Stage.COMPLETE if given == "new" else Stage.OFF)
                units |= {name: UnitStatus("new" if given == "new" else "legacy") for name in _unit_names(spec)}
        urls = [url for spec in self._start.connections for url in (spec.ws_url, spec.rest_url)]
        return ConsumerStatus(
            self._name, os.getpid(), time.time(), self._applied(units, stages), units, urls, self._is_clean(), alarms
        )

    def _applied(self, units: dict[str, UnitStatus], stages: dict[str, Stage]) -> int:
        """The flag's generation once every unit has the stage that it gives and the side that follows from it."""
        try:
            generation = read_flag_file(self._places.flags).mark.generation
            if generation != self._generation:
                wanted = evaluated(self._places.flags, [self._asked(parse_unit(name)) for name in units])
                got = [(stages[name], unit.serving) for name, unit in units.items()]
                if got == [(stage, serving_architecture(stage)) for stage in wanted]:
                    self._generation = generation
        except ShadowError:
            pass  # a flag file that is not understood is applied by nobody
        return self._generation

    def _asked(self, unit: Unit) -> Unit:
        """The unit as its manager asks for it: a private one with its account."""
        manager = self._managers.get(f"{unit.exchange}.{unit.market}.private")
        if unit.scope != "private" or not isinstance(manager, DualRunManager):
            return unit
        return Unit(unit.exchange, unit.market, "private", name=manager.scope.account)

    def _is_clean(self) -> bool:
        """Whether the last flip of each unit lost, doubled and reordered nothing."""
        managers = [manager for manager in self._managers.values() if isinstance(manager, DualRunManager)]
        last = {record.unit: record for manager in managers for record in manager.flip_records()}
        return all(record.audit is None or record.audit.is_clean for record in last.values())

    def _tell(self, units: dict[str, UnitStatus]) -> None:
        for name, unit in units.items():
            if self._serving.get(name) != unit.serving:
                self._serving[name] = unit.serving
                self._emitter.put({"k": "serving", "t": perf_counter_ns(), "unit": name, "side": unit.serving})


def _unit_names(spec: ConnectionSpec) -> Iterator[str]:
    market = f"{spec.exchange}.{spec.market}"
    if spec.scope == "private":
        yield f"{market}.private"
        return
    for symbol in spec.symbols:
        for channel in spec.channels:
            yield f"{market}.{channel}.{_spelt(spec, symbol)}"


def _spelt(spec: ConnectionSpec, symbol: str) -> str:
    from exchanges.structs.symbols import from_gateio, from_mexc

    read = from_mexc(symbol) if spec.exchange == "mexc" else from_gateio(symbol, spec.market == "futures")
    return f"{read.base}_{read.quote}"


def _dual_units(spec: ConnectionSpec, manager: DualRunManager, stages: dict[str, Stage]) -> dict[str, UnitStatus]:
    told = {str(unit): stage for unit, stage in manager.stages().items()}
    serving = {str(unit): side.value for unit, side in manager.serving().items()}
    connected = manager.get_performance_metrics()["migration"]["connected"]
    found = {}
    for name in _unit_names(spec):
        stages[name] = told[name]
        side = serving.get(name, serving_architecture(told[name]))
        is_new = side == "new"
        found[name] = UnitStatus("new" if is_new else "legacy", connected["legacy" if is_new else "new"])
    return found


def _alarms(spec: ConnectionSpec, manager: DualRunManager) -> list[Alarm]:
    """A new stack that is gone, or fell silent on a unit: what it served is with legacy already, and the flag has to
    follow."""
    migration = manager.get_performance_metrics()["migration"]
    legacy_too = not migration["connected"]["legacy"]
    if "new" not in migration["shed"]:
        latched = sorted(migration["latched"].items())
        return [Alarm("functionality", unit, why, legacy_too=legacy_too) for unit, why in latched]
    market = f"{spec.exchange}.{spec.market}"
    unit = f"{market}.private" if spec.scope == "private" else f"{market}.*.*"
    return [Alarm("stability", unit, f"the new stack is gone: {migration['shed']['new']}", legacy_too=legacy_too)]


def _flip_line(record: FlipRecord) -> dict[str, Any]:
    """Times in ns of the clock that all lines have."""
    audit = record.audit
    return {
        "k": "flip",
        "unit": str(record.unit),
        "to": record.to.value,
        "rollback": record.is_rollback,
        "cut": record.cut,
        "decided": round(record.decided_at * 1e9),
        "first": None if record.first_at is None else round(record.first_at * 1e9),
        "audited": audit is not None,
        "lost": 0 if audit is None else len(audit.lost),
        "duplicated": 0 if audit is None else len(audit.duplicated),
        "reordered": 0 if audit is None else audit.reordered,
        "given_up": 0 if audit is None else len(audit.given_up),
    }


def main() -> int:
    """Speak until stop; 1 when no stack could be started."""
    emitter = Emitter(sys.stdout.fileno())

    def make(start: StartLine) -> Consumer:
        if "harm_file" in start.options:
            take_the_place(start.options["harm_file"])
        return Consumer(start, emitter, places())

    return asyncio.run(speak("consumer", emitter, make))


if __name__ == "__main__":
    sys.exit(main())
