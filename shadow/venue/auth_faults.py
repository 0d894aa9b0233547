"""Faults in who is let in: refused and late answers to a client's proof, and a fill told before its order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from shadow.venue.client_link import ClientLink
from shadow.venue.faults import Fault
from shadow.venue.wire import PersonaSession, Reply

__all__ = ["LateAuth", "PrivateSession", "RefuseAuth"]


class PrivateSession(PersonaSession, Protocol):
    """A session that somebody has to prove himself to."""

    def deny(self, data: str | bytes, now_s: float) -> list[Reply] | None:
        """What a client hears whose proof is not accepted; None when the frame proves nothing."""


class RefuseAuth:
    """Refuses the next `count` proofs: logins, signed subscribes, listen keys."""

    def __init__(self, fault: Fault, note: Callable[[], None]) -> None:
        self.kind = fault.kind
        self._left = fault.count or 1
        self._note = note

    def refusals(self, session: PersonaSession, data: str | bytes) -> list[Reply] | None:
        """The refusal of a proof while there are some left, else None."""
        if not self._left:
            return None
        replies = cast(PrivateSession, session).deny(data, time.time())
        if replies is None:
            return None
        self._left -= 1
        self._note()
        return replies


class LateAuth:
    """Answers the next `count` connections' first frame, which holds the proof, `by_s` later than it could."""

    def __init__(self, fault: Fault, links: Callable[[], Sequence[ClientLink]], note: Callable[[], None]) -> None:
        self.kind = fault.kind
        self._left = fault.count or 1
        self._by_s = fault.by_s
        self._links = links
        self._note = note
        self._met: set[PersonaSession] = set()

    def refusals(self, session: PersonaSession, data: str | bytes) -> list[Reply] | None:
        """Nothing now for a proof that is answered late, else None."""
        if not self._left or session in self._met:
            return None
        self._met.add(session)
        link = next((link for link in self._links() if link.holds(session)), None)
        if link is None:
            return None
        self._left -= 1
        self._note()
        replies = session.on_message(data, time.time())
        asyncio.get_running_loop().call_later(self._by_s, link.answer, replies, f"fault:{self.kind}")
        return []
