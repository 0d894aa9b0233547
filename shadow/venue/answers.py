"""Faults in what the venue answers: refused subscriptions and old REST books."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from shadow.venue.faults import Fault
from shadow.venue.wire import PersonaBase, PersonaSession, Reply, RestAnswer

__all__ = ["BOOK_CALLS", "RefuseSubscribe", "StaleBooks", "book_query"]

BOOK_CALLS: Final[Mapping[str, tuple[str, dict[str, str]]]] = {
    "gateio.spot": ("/api/v4/spot/order_book", {"currency_pair": "{}", "limit": "100", "with_id": "true"}),
    "gateio.futures": ("/api/v4/futures/usdt/order_book", {"contract": "{}", "limit": "100", "with_id": "true"}),
    "mexc.spot": ("/api/v3/depth", {"symbol": "{}", "limit": "1000"}),
}
"""How a book is asked for, by `<exchange>.<market>`: the path and the query with {} for the symbol."""


class RefuseSubscribe:
    """Refuses the next `count` subscribe requests, of one event type only when the fault names it."""

    def __init__(self, fault: Fault, persona: PersonaBase, note: Callable[[tuple[str, ...]], None]) -> None:
        self.kind = fault.kind
        self._left = fault.count or 1
        self._type = fault.type
        self._persona = persona
        self._note = note

    def refusals(self, session: PersonaSession, data: str | bytes) -> list[Reply] | None:
        """The refusal of a subscribe that the fault is for, else None."""
        if not self._left or not _is_subscribe(data):
            return None
        replies = session.refuse(data, time.time())
        keys = tuple(key for reply in replies if reply.kind == "refused" for key in reply.variants)
        if not keys or not self._concerns(keys):
            return None
        self._left -= 1
        self._note(keys)
        return replies

    def _concerns(self, keys: tuple[str, ...]) -> bool:
        return self._type is None or any(self._persona.variant(key)[0] == self._type for key in keys)


class StaleBooks:
    """Answers the next `count` calls for each symbol's book with the book as it was when the fault was made."""

    def __init__(self, fault: Fault, persona: PersonaBase, symbols: list[str]) -> None:
        self.kind = fault.kind
        self._answers: dict[str, RestAnswer] = {}
        self._left: dict[str, int] = {}
        for symbol in symbols:
            answer = book_query(persona, symbol)
            if answer is not None and answer.version is not None:
                self._answers[answer.symbol] = answer
                self._left[answer.symbol] = fault.count or 1

    def revise(self, answer: RestAnswer) -> RestAnswer:
        """The old book while there are calls left to be answered so."""
        old = self._answers.get(answer.symbol)
        if old is None or answer.version is None or not self._left[answer.symbol] or answer.version == old.version:
            return answer
        self._left[answer.symbol] -= 1
        return old


def book_query(persona: PersonaBase, symbol: str) -> RestAnswer | None:
    """Ask the persona for a Gate.io-spelt symbol's book as clients do."""
    path, query = BOOK_CALLS[f"{persona.exchange}.{persona.market}"]
    spelt = {name: value.format(persona.spell(symbol)) for name, value in query.items()}
    return persona.rest("GET", path, spelt, {}, b"", time.time())


def _is_subscribe(data: str | bytes) -> bool:
    text = data if isinstance(data, str) else data.decode(errors="replace")
    return ('"subscribe"' in text or '"SUBSCRIPTION"' in text) and "unsubscribe" not in text
