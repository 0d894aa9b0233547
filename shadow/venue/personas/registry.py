"""Which connections the venue can play: connection id to persona class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from shadow.venue.account_events import AccountEvent
from shadow.venue.personas.gateio import GateioFuturesPublic, GateioSpotPublic
from shadow.venue.personas.gateio_private import GateioFuturesPrivate, GateioSpotPrivate
from shadow.venue.personas.mexc import MexcSpotPublic
from shadow.venue.personas.mexc_private import MexcSpotPrivate
from shadow.venue.wire import MarketView, OwnAccount, Persona, PersonaBase, Push

__all__ = ["PERSONAS", "PRIVATE", "PersonaFactory", "PrivateFactory", "PrivatePersona", "persona_of"]


class PrivatePersona(PersonaBase, Protocol):
    """A persona of an account, which it tells of over REST once it has one."""

    account: OwnAccount | None

    def encode(self, event: AccountEvent, key: str) -> Push | None:
        """The frame for one subscription key; None when the key does not want this event."""


class PersonaFactory(Protocol):
    """Makes a persona over the market of its exchange; `time_scale` compresses the 24-hour day of a connection."""

    def __call__(self, market: MarketView, time_scale: float = 1.0) -> Persona:
        """The persona."""


class PrivateFactory(Protocol):
    """Makes a private persona for the account that has these credentials."""

    def __call__(
        self, market: MarketView, time_scale: float = 1.0, credentials: Mapping[str, str] | None = None
    ) -> PrivatePersona:
        """The persona."""


PERSONAS: dict[str, PersonaFactory] = {
    "gateio.spot.public": GateioSpotPublic,
    "gateio.futures.public": GateioFuturesPublic,
    "mexc.spot.public": MexcSpotPublic,
}
"""All public ones, by `<exchange>.<market>.<scope>`, in the order in which sessions list them."""

PRIVATE: dict[str, PrivateFactory] = {
    "gateio.spot.private": GateioSpotPrivate,
    "gateio.futures.private": GateioFuturesPrivate,
    "mexc.spot.private": MexcSpotPrivate,
}
"""All private ones."""


def persona_of(connection: str, market: MarketView, credentials: Mapping[str, Mapping[str, str]]) -> PersonaBase:
    """The persona of a connection over a market; `credentials` by exchange are those that clients sign with."""
    if connection in PERSONAS:
        return PERSONAS[connection](market)
    return PRIVATE[connection](market, 1.0, credentials.get(connection.partition(".")[0]))
