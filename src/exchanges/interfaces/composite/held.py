"""What an exchange told last, by key, and whether the connection that told it still stands."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

__all__ = ["Held", "HeldTable"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """A state; `is_stale` when the connection was lost since, so that a change may have been missed."""

    value: T
    is_stale: bool


class HeldTable(Generic[K, T]):
    """The last state by key."""

    def __init__(self) -> None:
        self._by_key: dict[K, Held[T]] = {}

    def put(self, key: K, value: T, *, is_stale: bool) -> None:
        """Take a state in the place of the one before it."""
        self._by_key[key] = Held(value, is_stale)

    def get(self, key: K) -> Held[T] | None:
        """The last state; None when none was told."""
        return self._by_key.get(key)

    def pop(self, key: K) -> None:
        """Hold it no longer."""
        self._by_key.pop(key, None)

    def all(self) -> dict[K, Held[T]]:
        """Every state, as a dict of the caller's own."""
        return dict(self._by_key)

    def mark_stale(self) -> None:
        """The connection is lost: from now on nothing is certain."""
        self._by_key = {key: replace(held, is_stale=True) for key, held in self._by_key.items()}

    def forget_stale(self) -> int:
        """Hold only what is certain; gives how many were forgotten."""
        before = len(self._by_key)
        self._by_key = {key: held for key, held in self._by_key.items() if not held.is_stale}
        return before - len(self._by_key)
