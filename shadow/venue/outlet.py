"""Where the frames of one connection leave for one role: its links by subscription, and the faults in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from shadow.venue.client_link import ClientLink
from shadow.venue.outgoing import Frame
from shadow.venue.wire import PersonaBase, PersonaSession, Reply, RestAnswer

__all__ = ["BookFault", "Deliver", "FrameFault", "Outlet", "SubscribeFault"]

Deliver = Callable[[Frame, str, bool], None]


class FrameFault(Protocol):
    """A fault that stands between the source and the links of an outlet."""

    def pass_on(self, frame: Frame, key: str, first: bool, deliver: Deliver) -> None:
        """Call `deliver` with what is to leave instead, now or later, or not at all."""


class SubscribeFault(Protocol):
    """A fault that refuses subscriptions."""

    kind: str

    def refusals(self, session: PersonaSession, data: str | bytes) -> list[Reply] | None:
        """The replies to a client frame, None to leave it to others."""


class BookFault(Protocol):
    """A fault that changes what a REST call is answered."""

    kind: str

    def revise(self, answer: RestAnswer) -> RestAnswer:
        """The answer to give instead, or the same."""


class Outlet:
    """One role's side of one connection.

    `on_change(outlet, what)` hears of every confirmed subscription ("subscribed") and every end ("closed").
    """

    def __init__(self, role: str, persona: PersonaBase, on_change: Callable[[Outlet, str], None]) -> None:
        self.role = role
        self.connection = persona.id
        self.persona = persona
        self.links: list[ClientLink] = []
        self.faults: list[FrameFault] = []
        self.subscribe_faults: list[SubscribeFault] = []
        self.book_faults: list[BookFault] = []
        self.conn_no = 0
        self.books_asked: set[str] = set()
        """Symbols (exchange's spelling) whose REST book this side has asked for."""
        self.changed = asyncio.Event()
        """Set at every change; whoever waits clears it first."""
        self._on_change = on_change
        self._by_key: dict[str, list[ClientLink]] = {}
        self._by_topic: dict[tuple[str, str], list[str]] = {}

    def keys(self, channel: str, symbol: str) -> list[str]:
        """Subscription keys of an event type and Gate.io-spelt symbol that somebody here has."""
        return self._by_topic.get((channel, symbol), [])

    def has(self, key: str) -> bool:
        """Whether somebody here has the key."""
        return key in self._by_key

    def topics(self) -> set[tuple[str, str]]:
        """All (event type, Gate.io-spelt symbol) that are subscribed."""
        return set(self._by_topic)

    def deliver(self, frame: Frame, key: str, first: bool) -> None:
        """Send a frame to the links that have the key, through the faults in force."""
        if self.faults:
            self._through(len(self.faults) - 1)(frame, key, first)
        else:
            self.write(frame, key, first)

    def write(self, frame: Frame, key: str, first: bool) -> None:
        """Send a frame past the faults."""
        for link in self._by_key.get(key, ()):
            link.write(frame, first)

    def _through(self, place: int) -> Deliver:
        """The way through the fault at `place` and those before it; a fault added later sees the frames first."""
        if place < 0:
            return self.write
        fault, rest = self.faults[place], self._through(place - 1)

        def step(frame: Frame, key: str, first: bool) -> None:
            fault.pass_on(frame, key, first, rest)

        return step

    # Owner of links

    def opened(self, link: ClientLink) -> None:
        """A new connection."""
        self.links.append(link)

    def joined(self, link: ClientLink, key: str) -> None:
        """A link's subscription is confirmed."""
        links = self._by_key.setdefault(key, [])
        if link not in links:
            self._by_key[key] = [*links, link]
        topic = self.persona.variant(key)
        keys = self._by_topic.setdefault(topic, [])
        if key not in keys:
            self._by_topic[topic] = [*keys, key]
        self._tell("subscribed")

    def left(self, link: ClientLink, key: str) -> None:
        """A link's subscription ended."""
        links = [other for other in self._by_key.get(key, ()) if other is not link]
        if links:
            self._by_key[key] = links
            return
        self._by_key.pop(key, None)
        topic = self.persona.variant(key)
        keys = [other for other in self._by_topic.get(topic, ()) if other != key]
        if keys:
            self._by_topic[topic] = keys
        else:
            self._by_topic.pop(topic, None)

    def gone(self, link: ClientLink) -> None:
        """A link closes."""
        for key in tuple(link.keys):
            self.left(link, key)
        link.keys.clear()
        if link in self.links:
            self.links.remove(link)
            self._tell("closed")

    def refusals(self, session: PersonaSession, data: str | bytes) -> tuple[list[Reply], str] | None:
        """The replies of a fault that refuses subscriptions and the cause to note; None: answer as usual."""
        for fault in self.subscribe_faults:
            if (replies := fault.refusals(session, data)) is not None:
                return replies, f"fault:{fault.kind}"
        return None

    def revise_book(self, answer: RestAnswer) -> tuple[RestAnswer, str]:
        """What a REST call is answered while a fault asks for something else, and the fault's kind or ""."""
        for fault in self.book_faults:
            revised = fault.revise(answer)
            if revised is not answer:
                return revised, fault.kind
        return answer, ""

    def _tell(self, what: str) -> None:
        self.changed.set()
        self._on_change(self, what)
