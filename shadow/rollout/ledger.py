"""Journal and flag file as one: what is changed is in the journal first, and a kill between the two is made good.

After a restart the journal's state holds. A flag file that a person edited is adopted where it lies nearer to legacy.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from shadow.errors import RunError, ShadowError, UsageError
from shadow.rollout.flag_file import OVERTAKEN, FlagFile, Mark, read_flag_file, salvage, write_flag_file
from shadow.rollout.journal import Entry, Head, Journal, Reading, read_journal
from shadow.rollout.places import Places
from shadow.rollout.stages import OFF, SHADOW, Rules, farther, lowered, taken_back
from shadow.rollout.state import State, flag_fields, state_of
from shadow.rollout.units import EVERYTHING

__all__ = ["Base", "Books", "Ledger"]

LOCK_S: Final = 3.0


@dataclass(frozen=True)
class Books:
    """What the journal and the flag file say now."""

    reading: Reading
    state: State
    flag: FlagFile


@dataclass(frozen=True)
class Base:
    """What a rollback starts from: rules, file, the highest generation seen, and what is wrong (empty: nothing).

    `served` are the rules that consumers may still go by: more than `rules` where the flag file is not understood.
    """

    rules: Rules
    flag: FlagFile
    generation: int
    trouble: str
    served: Rules


class Ledger:
    """Reads and changes both; every change happens under `locked`."""

    def __init__(self, places: Places, label: Mapping[str, Any] | None = None) -> None:
        """`label`: fields that each line of this process carries."""
        self.places = places
        self.label = dict(label or {})
        self.journal = Journal(places.journal)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """The lock between processes; False where it cannot be had in time, or at all: only a rollback goes on then."""
        with ExitStack() as stack:
            try:
                self.places.folder.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self.places.lock, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError:
                alone = False
            else:
                stack.callback(os.close, descriptor)
                alone = _try_lock(descriptor)
            yield alone

    def read(self) -> Books:
        """Both as they are; RunError for a journal that was tampered with, UsageError for a flag not understood."""
        flag = read_flag_file(self.places.flags)
        reading = read_journal(self.places.journal, flag.mark)
        if reading.finding is not None:
            finding = reading.finding
            raise RunError(f"{self.places.journal} line {finding.line}: {finding.says}; see docs/runbook.md")
        return Books(reading, state_of(reading.entries), flag)

    def settled(self, now_s: float) -> Books:
        """Both, after a change that a kill cut short was finished and a person's edit was taken up."""
        books = self.read()
        state, flag = books.state, books.flag
        if _is_pending(books.reading.head, state, flag):
            self._write_flag(flag, state.rules, state.generation)
        elif flag.rules != state.rules:
            self._adopt(books, now_s)
        elif books.reading.head.generation < state.generation:
            self.journal.write_head(replace(books.reading.head, generation=state.generation))
        else:
            return books
        return self.read()

    def _adopt(self, books: Books, now_s: float) -> None:
        state, flag = books.state, books.flag
        away = farther(flag.rules, state.rules) if state.generation else []
        if away:
            raise UsageError(
                f"{self.places.flags} was edited by hand and takes {away[0]} farther from legacy than the journal does;"
                " undo the edit, or `shadow rollout rollback '*'`"
            )
        back = [str(unit) for unit in taken_back(state.rules, flag.rules)]
        self.change(now_s, state, flag.rules, why="a person edited the flag file", rolled_back=back)

    def change(self, now_s: float, seen: State, rules: Rules, **more: Any) -> Entry:
        """Write new rules: journal, flag file, head; UsageError where the state is not the one that was seen."""
        books = self.read()
        if books.state.generation != seen.generation:
            raise UsageError(OVERTAKEN)
        generation = max(books.state.generation, books.flag.mark.generation) + 1
        entry = self.journal.append("flag", now_s, **flag_fields(rules, generation, **more), **self.label)
        self._write_flag(books.flag, rules, generation)
        return entry

    def _write_flag(self, flag: FlagFile, rules: Rules, generation: int, *, is_rollback: bool = False) -> None:
        entries = read_journal(self.places.journal).entries
        mark = Mark(generation, entries[-1].number, entries[-1].hash)
        write_flag_file(self.places.flags, flag, rules, mark, is_rollback=is_rollback)
        self.journal.write_head(Head(mark.count, mark.head, generation))

    def note(self, kind: str, now_s: float, **fields: Any) -> Entry:
        """Write a line that leaves the flag alone."""
        return self.journal.append(kind, now_s, **fields, **self.label)

    def wreck(self) -> Base:
        """What a rollback starts from, whatever is broken.

        Where the flag file is not understood everything goes to legacy: what it held others to is not known.
        """
        trouble: list[str] = []
        flag, understood = self._salvaged(trouble)
        state, pending = self._remembered(flag, trouble)
        known = state if state is not None else State(rules=flag.rules)
        generation = max(known.generation, flag.mark.generation)
        served = known.rules if pending or not understood else _nearer_of(flag.rules, known.rules)
        rules = served if understood else lowered(served, EVERYTHING, OFF)
        return Base(rules, flag, generation, "; ".join(trouble), served)

    def _salvaged(self, trouble: list[str]) -> tuple[FlagFile, bool]:
        try:
            return read_flag_file(self.places.flags), True
        except ShadowError as error:
            trouble.append(str(error).partition(";")[0])
            return salvage(self.places.flags), False

    def _remembered(self, flag: FlagFile, trouble: list[str]) -> tuple[State | None, bool]:
        """The journal's state, None where it cannot be trusted; whether its last change never reached the flag."""
        try:
            reading = read_journal(self.places.journal, flag.mark)
        except RunError as error:
            trouble.append(str(error))
            return None, False
        if reading.finding is not None:
            trouble.append(f"the journal was tampered with, line {reading.finding.line}: {reading.finding.says}")
            return None, False
        state = state_of(reading.entries)
        return state, _is_pending(reading.head, state, flag)

    def change_anyhow(self, now_s: float, base: Base, rules: Rules, **more: Any) -> str:
        """Write rules nearer to legacy even where the journal cannot be written; says what was wrong, else empty."""
        generation = base.generation + 1
        try:
            self.journal.append("flag", now_s, **flag_fields(rules, generation, **more), **self.label)
            self._write_flag(base.flag, rules, generation, is_rollback=True)
        except ShadowError as error:
            mark = Mark(generation, base.flag.mark.count, base.flag.mark.head)
            write_flag_file(self.places.flags, base.flag, rules, mark, is_rollback=True)
            return str(error)
        return ""


def _is_pending(head: Head, state: State, flag: FlagFile) -> bool:
    """Whether the journal's last change never reached the flag file.

    A backup that a person put back has an old number, too; but then the second file knows that the newer one stood.
    """
    return max(head.generation, flag.mark.generation) < state.generation


def _nearer_of(found: Rules, known: Rules) -> Rules:
    """Which of flag file and journal is nearer to legacy; where each is for some units, nothing beyond `shadow`."""
    if not farther(found, known):
        return found
    return known if not farther(known, found) else lowered(found, EVERYTHING, SHADOW)


def _try_lock(descriptor: int) -> bool:
    ends_s = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > ends_s:
                return False
            time.sleep(0.02)
        except OSError:  # such as of a network's file system without locks
            return False
