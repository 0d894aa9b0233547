"""Keeps the stages of a manager's units read, away from the event loop: per message a stage is one look into a dict.

One thread asks the provider, one looks at the kill file; a provider that hangs, fails or raises stops the first alone,
and the last good stages stay: of the unit that it was asked for and of those behind it, while those before have theirs.
OpenFeature's handlers come on threads of its own in no promised order, so they carry no news: whatever comes, the flag
is read again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from openfeature import api
from openfeature.event import ProviderEvent

from infrastructure.networking.websocket.migration.kill_switch import is_killed
from infrastructure.networking.websocket.migration.stage import DOMAIN, Stage, ask
from infrastructure.networking.websocket.migration.unit import Unit

__all__ = ["FlagReader"]

POLL_S = 0.25
KILL_POLL_S = 0.05
STALE_AFTER_S = 5.0
STOP_WITHIN_S = 1.0

Ask = Callable[[Unit], tuple[Stage | None, str]]


class FlagReader:
    """Last good stage of each unit. `on_change` is called on a thread, without arguments, behind every change."""

    def __init__(self, on_change: Callable[[], None], *, first: Stage = Stage.OFF, read: Ask = ask) -> None:
        self.generation = 0
        self.errors = 0
        self.is_killed = is_killed()
        self._on_change = on_change
        self._first = first
        self._read = read
        self._stages: dict[Unit, Stage] = {}
        self._changing = threading.Lock()
        self._has_news = False
        self._read_at = time.monotonic()
        self._client = api.get_client(DOMAIN)
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch_flag, name="flag-reader", daemon=True),
            threading.Thread(target=self._watch_kill_file, name="kill-file", daemon=True),
        ]

    def start(self) -> None:
        """Start reading; the provider's events lead to an early look."""
        self._listen(True)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads; one that hangs in a provider is left behind."""
        self._stopped.set()
        self._wake.set()
        self._listen(False)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(STOP_WITHIN_S)

    def add(self, units: Iterable[Unit]) -> None:
        """Units to read from now on; until the provider has said more they have the last good stage of their scope."""
        with self._changing:
            fresh = {unit: self._stage_of_scope(unit) for unit in units if unit not in self._stages}
            self._stages = self._stages | fresh
        if fresh:
            self._wake.set()

    def stage(self, unit: Unit) -> Stage:
        """The unit's stage now; `off` while the kill file exists."""
        if self.is_killed:
            return Stage.OFF
        known = self._stages.get(unit)
        return self._stage_of_scope(unit) if known is None else known

    def _stage_of_scope(self, unit: Unit) -> Stage:
        """Of the manager as a whole, which may have been taken back since it was made at the first stage."""
        return self._stages.get(Unit(unit.exchange, unit.market), self._first)

    def stages(self) -> dict[Unit, Stage]:
        """The stage of every unit that is read now; all `off` while the kill file exists."""
        return dict.fromkeys(self._stages, Stage.OFF) if self.is_killed else dict(self._stages)

    @property
    def age_s(self) -> float:
        """Seconds since every unit was last answered for."""
        return time.monotonic() - self._read_at

    @property
    def is_stale(self) -> bool:
        """Whether the stages are older than 5 s."""
        return self.age_s > STALE_AFTER_S

    def read_once(self) -> None:
        """Ask for every unit now; each has its answer at once, and what is not answered stays as it was."""
        failed = 0
        for unit, known in self._stages.items():
            stage, _ = self._read(unit)
            if stage is None:
                failed += 1
            elif stage is not known:
                with self._changing:
                    self._stages = self._stages | {unit: stage}
                    self._has_news = True
        self.errors += failed
        if not failed:
            self._read_at = time.monotonic()
        self._tell()

    def _tell(self) -> None:
        """Tell of what was read since the last time, once for many units: each time every stream is looked at."""
        with self._changing:
            has_news, self._has_news = self._has_news, False
            self.generation += has_news
        if has_news:
            self._on_change()

    def _watch_flag(self) -> None:
        while not self._stopped.is_set():
            self.read_once()
            self._wake.wait(POLL_S)
            self._wake.clear()

    def _watch_kill_file(self) -> None:
        while not self._stopped.wait(KILL_POLL_S):
            killed = is_killed()
            if killed is not self.is_killed:
                self.is_killed = killed
                self._on_change()
            # The other thread may hang over its next unit.
            self._tell()

    def _listen(self, wanted: bool) -> None:
        change = self._client.add_handler if wanted else self._client.remove_handler
        for event in ProviderEvent:
            # An application may have taken all handlers away itself.
            with suppress(ValueError):
                change(event, self._on_event)

    def _on_event(self, _: Any) -> None:
        self._wake.set()
