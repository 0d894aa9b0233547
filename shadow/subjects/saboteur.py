"""Our new stack as a subject that damages itself: the proof that a judge sees what it should see.

`python -m shadow.subjects.saboteur [--seed N] DAMAGE...`, each `KIND@CONNECTION[:key=value,...]`. What was done, and
when, stands among the subject's log lines.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, Final

from shadow.errors import UsageError
from shadow.subjects.emit import Emitter
from shadow.subjects.sabotage import Damage, parse_damage
from shadow.subjects.spoil import Spoiler, note
from shadow.subjects.stack import StackSubject, main

__all__ = ["Saboteur"]

LEAK_EVERY_S: Final = 0.05
STATE_AWAY: Final = "disconnected"
"""What `closed` becomes while a connection is away: it comes back, and nothing may follow `closed`."""


class Saboteur(Emitter):
    """Writes what the stack says, but for what the damages do to it."""

    def __init__(self, fd: int, damages: Sequence[Damage], seed: int = 1) -> None:
        super().__init__(fd)
        self._seed = seed
        self._line_damages = [damage for damage in damages if damage.kind not in ACTS]
        self._acts = [damage for damage in damages if damage.kind in ACTS]
        self._spoilers: dict[str, list[Spoiler]] = {}
        self._subject: StackSubject | None = None
        self._away: set[str] = set()
        self._leaked: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def attend(self, subject: StackSubject) -> None:
        """Know the stack, which some damages act on."""
        self._subject = subject

    def put(self, fields: dict[str, Any]) -> None:
        """Write the lines that stand for this one."""
        connection = fields.get("c", "")
        if fields["k"] == "state" and fields["state"] == "closed" and connection in self._away:
            fields = fields | {"state": STATE_AWAY}
        lines = [fields]
        if fields["k"] == "event":
            self._begin(connection)
            for spoiler in self._spoilers_of(connection):
                lines = [new for line in lines for new in (spoiler.spoil(line) if line.get("k") == "event" else [line])]
        for line in lines:
            super().put(line)

    def _spoilers_of(self, connection: str) -> list[Spoiler]:
        found = self._spoilers.get(connection)
        if found is None:
            mine = (damage for damage in self._line_damages if damage.hits(connection))
            found = self._spoilers[connection] = [Spoiler(damage, connection, self._seed) for damage in mine]
        return found

    def _begin(self, connection: str) -> None:
        """Start the clock of the acts that wait for this connection's first event."""
        for damage in [damage for damage in self._acts if damage.hits(connection)]:
            self._acts.remove(damage)
            asyncio.get_running_loop().call_later(damage.at_s, ACTS[damage.kind], self, damage)

    def _own_up(self, damage: Damage) -> None:
        super().put(note(damage.kind, damage.connection, perf_counter_ns()))

    def die(self, damage: Damage) -> None:
        """Be gone, as after `kill -9`."""
        self._own_up(damage)
        self.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    def hang(self, damage: Damage) -> None:
        """Stand still for good, deaf to SIGTERM."""
        self._own_up(damage)
        self.flush()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)

    def leak(self, damage: Damage) -> None:
        """Take memory at a rate and keep it."""
        if not self._leaked:
            self._own_up(damage)
        # written to, or the kernel would never hand out the pages
        self._leaked.append(b"\x01" * int(damage.rate * LEAK_EVERY_S))
        asyncio.get_running_loop().call_later(LEAK_EVERY_S, self.leak, damage)

    def leave(self, damage: Damage) -> None:
        """Close a connection and stay away for a while."""
        assert self._subject is not None
        self._own_up(damage)
        self._away.add(damage.connection)
        task = asyncio.create_task(self._subject.reopen(damage.connection, damage.for_s))
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._away.discard(damage.connection))
        task.add_done_callback(self._tasks.discard)


ACTS: Final[dict[str, Callable[[Saboteur, Damage], None]]] = {
    "die": Saboteur.die,
    "hang": Saboteur.hang,
    "leak": Saboteur.leak,
    "away": Saboteur.leave,
}


def read_words(words: Sequence[str]) -> tuple[list[Damage], int]:
    """Damages and seed; UsageError for a mistake."""
    parser = argparse.ArgumentParser(prog="saboteur", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("damage", nargs="+")
    options = parser.parse_args(words)
    return [parse_damage(text) for text in options.damage], options.seed


if __name__ == "__main__":
    try:
        asked, chosen = read_words(sys.argv[1:])
    except UsageError as mistake:
        sys.stderr.write(f"saboteur: {mistake}\n")
        sys.exit(2)
    sys.exit(main("new", Saboteur(sys.stdout.fileno(), asked, chosen)))
