"""Which connections the venue can play: connection id to persona class."""

from __future__ import annotations

from typing import Protocol

from shadow.venue.personas.gateio import GateioFuturesPublic, GateioSpotPublic
from shadow.venue.personas.mexc import MexcSpotPublic
from shadow.venue.wire import MarketView, Persona

__all__ = ["PERSONAS", "PersonaFactory"]


class PersonaFactory(Protocol):
    """Makes a persona over the market of its exchange; `time_scale` compresses the 24-hour day of a connection."""

    def __call__(self, market: MarketView, time_scale: float = 1.0) -> Persona:
        """The persona."""


PERSONAS: dict[str, PersonaFactory] = {
    "gateio.spot.public": GateioSpotPublic,
    "gateio.futures.public": GateioFuturesPublic,
    "mexc.spot.public": MexcSpotPublic,
}
"""All that are built, by `<exchange>.<market>.<scope>`, in the order in which sessions list them."""
