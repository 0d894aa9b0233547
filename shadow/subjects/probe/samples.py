"""Where measured times go: by role and name of the figure, in ns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter_ns
from typing import Any

__all__ = ["Roles", "Samples", "in_turn", "timed"]

Roles = dict[str, str]
"""Role (legacy, new) to architecture (legacy, new)."""


class Samples:
    """Figures by role; a figure that an architecture does not have is simply not there."""

    def __init__(self) -> None:
        self.by_role: dict[str, dict[str, list[int]]] = {}

    def add(self, role: str, figure: str, values: Iterable[int]) -> None:
        """More values of a figure."""
        self.by_role.setdefault(role, {}).setdefault(figure, []).extend(values)


def in_turn(roles: Iterable[str], number: int) -> list[str]:
    """The roles, in the other order each time: who is second finds caches warm."""
    ordered = list(roles)
    return ordered[::-1] if number % 2 else ordered


def timed(call: Callable[[Any], Any], arguments: Iterable[Any]) -> list[int]:
    """How long each call took, in ns, the two clock readings included (about 0.05 us)."""
    out = []
    for argument in arguments:
        began = perf_counter_ns()
        call(argument)
        out.append(perf_counter_ns() - began)
    return out
