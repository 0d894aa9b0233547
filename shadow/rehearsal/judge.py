"""The small judge of a rehearsal: facts seen from outside, the venue's ledger against the consumer's lines.

It writes a judge's status file, as one would that is attached to the consumer; the controller does the rest.
"""

from __future__ import annotations

import time
from time import perf_counter_ns
from typing import Final, Literal

import msgspec

from shadow.rehearsal.cost import Cost
from shadow.rehearsal.ear import Ear, StreamKey
from shadow.rehearsal.memory import Memory
from shadow.rehearsal.parts import Parts
from shadow.rehearsal.served import Stream
from shadow.rollout.consumers import Alarm, JudgeStatus, read_statuses, write_status

__all__ = ["SILENCE_NS", "Judge"]

SILENCE_NS: Final = 2_000_000_000
HOLE_NS: Final = 1_000_000_000
CONFIRMED_NS: Final = 300_000_000
CLEAR_S: Final = 1.0
BEAT_S: Final = 1.0
EVERYTHING: Final = "*"
"""The candidate is one program: what it does to one unit is reason to take back all."""


class Judge:
    """Looks at every stream; an alarm stays open until its evidence is CLEAR_S old."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._ear: Ear = parts.ear
        self._wrong: dict[StreamKey, int] = {}
        self._missing: dict[StreamKey, int] = {}
        self._open: dict[str, tuple[float, Alarm]] = {}
        self._written: JudgeStatus | None = None
        self._memory = Memory()
        self._cost: Cost | None = None
        self.first_alarm_ns: int | None = None
        self.alarms: list[Alarm] = []

    def begin(self, cost: Cost | None = None) -> None:
        """Forget what was found: from here on it is another matter. With `cost` performance is judged as well."""
        self.first_alarm_ns = None
        self.alarms = []
        self._open = {}
        self._memory = Memory()
        self._cost = cost

    def look(self) -> None:
        """Judge what is new, and write it down where it matters."""
        now = perf_counter_ns()
        for alarm in self._of_consumer():
            self._note(alarm, now)
        for alarm in self._found():
            self._note(alarm, now)
            first = self._open.get(alarm.trigger, (0.0, alarm))[1]
            self._open[alarm.trigger] = (time.monotonic(), first)
        self._open = {key: one for key, one in self._open.items() if time.monotonic() - one[0] < CLEAR_S}
        self._write()

    def _note(self, alarm: Alarm, now: int) -> None:
        if self.first_alarm_ns is None:
            self.first_alarm_ns = now
        if (alarm.trigger, alarm.unit) not in {(known.trigger, known.unit) for known in self.alarms}:
            self.alarms.append(alarm)

    def _of_consumer(self) -> list[Alarm]:
        """What the consumer tells the controller itself: a stack that is gone."""
        told = read_statuses(self._parts.places.folder, time.time()).consumers
        return [alarm for consumer in told for alarm in consumer.alarms]

    def _found(self) -> list[Alarm]:
        """By what was heard: that this process, or a pipe, is late is nothing that new does."""
        now = self._ear.heard_ns
        found: list[Alarm] = []
        for key, stream in self._ear.streams.items():
            says = self._says(key, stream, now)
            if says and self._ear.serving.get(self._parts.units.get(key, "")) == "new":
                found.append(Alarm("functionality", EVERYTHING, says, self._is_shared(stream, now)))
        grown = self._memory.grown(self.sidecars()) if self._ear.streams else ""
        dearer = self._cost.dearer() if self._cost is not None else ""
        found += [Alarm("memory", EVERYTHING, grown)] if grown else []
        return [*found, *([Alarm("performance", EVERYTHING, dearer)] if dearer else [])]

    def _says(self, key: StreamKey, stream: Stream, now: int) -> str:
        """What is new and wrong in a stream, in a sentence; empty where nothing is."""
        stream.is_settled(self._ear.ledger_ns)
        before, self._wrong[key] = self._wrong.get(key, 0), stream.counts.wrong
        if stream.counts.wrong > before:
            kind, text = next(iter(stream.counts.first.items()))
            return f"{stream.counts.wrong - before} wrong events, first {kind} {text}"
        name = " ".join(part for part in key if part)
        silent_ns = stream.overdue_ns(now)
        if stream.hole_ns(now) <= HOLE_NS and silent_ns <= SILENCE_NS:
            self._missing.pop(key, None)
            return ""
        # Behind a pause of its own a consumer beats before it has read what came meanwhile.
        if now - self._missing.setdefault(key, now) < CONFIRMED_NS:
            return ""
        if stream.hole_ns(now) > HOLE_NS:
            return f"{name}: an event is missing behind later ones"
        return f"{name}: nothing for {silent_ns / 1e9:.1f} s"

    def _is_shared(self, stream: Stream, now: int) -> bool:
        """Whether what legacy serves is silent as well: then the way back leads nowhere."""
        if stream.overdue_ns(now) <= SILENCE_NS:
            return False
        legacy = [
            other
            for key, other in self._ear.streams.items()
            if self._ear.serving.get(self._parts.units.get(key, "")) == "legacy"
        ]
        return bool(legacy) and all(other.overdue_ns(now) > SILENCE_NS for other in legacy)

    def sidecars(self) -> list[int]:
        """Processes that the consumer started: each holds a new stack."""
        consumer = self._parts.consumer
        return [] if consumer is None else children(consumer.pid)

    def _write(self) -> None:
        alarms = [alarm for _, alarm in self._open.values()]
        verdict: Literal["PASS", "REGRESSION", "HOLD"] = "PASS" if self._ear.streams else "HOLD"
        verdict = "REGRESSION" if alarms else verdict
        status = JudgeStatus("rehearsal", time.time(), verdict, "alarm" if alarms else "quiet", alarms)
        last = self._written
        if last is None or status.at - last.at >= BEAT_S or msgspec.structs.replace(status, at=last.at) != last:
            self._written = status
            write_status(self._parts.places.folder, status)


def children(pid: int) -> list[int]:
    """Processes that a process started; none where it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(text) for text in file.read().split()]
    except OSError:
        return []
