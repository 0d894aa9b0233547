"""Where a person sees a long run: on a terminal a picture drawn anew four times a second, elsewhere lines. Stderr."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Any, Self

__all__ = ["LiveScreen"]


class LiveScreen(ABC):
    """A context in which `picture` is shown live, if stderr is a terminal or `terminal` says so."""

    def __init__(self, *, terminal: bool | None = None) -> None:
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._live: Any = None

    def __enter__(self) -> Self:
        if self._terminal:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), refresh_per_second=4, get_renderable=self.picture)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def is_live(self) -> bool:
        """Whether the picture is on a terminal now."""
        return self._live is not None

    @abstractmethod
    def picture(self) -> Any:
        """What to draw now: anything that `rich` renders."""

    def write(self, text: str) -> None:
        """A line on stderr, where no picture is shown."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
