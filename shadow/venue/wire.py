"""What the venue's parts hand to each other: market events, pushes, replies, the persona interface.

Personas and the market do no I/O; the server owns sockets, clocks and the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from shadow.venue.account_events import FillState, OrderState, PositionState

__all__ = [
    "Level",
    "MarketEvent",
    "MarketView",
    "OwnAccount",
    "OwnOrders",
    "Persona",
    "PersonaBase",
    "PersonaSession",
    "Push",
    "Refused",
    "Reply",
    "RestAnswer",
    "TradeItem",
]

Level = tuple[str, str]
"""Price and quantity as decimal text; quantity "0" removes the level."""


class TradeItem(msgspec.Struct, frozen=True, gc=False):
    """One trade of the market; side is the taker's."""

    id: int
    price: str
    quantity: str
    side: str
    time_us: int


class MarketEvent(msgspec.Struct, frozen=True):
    """One step of one symbol's market. `symbol` in the Gate.io spelling, times in exchange ms.

    A market is made by `shadow.venue.market.market_for(exchange, market, symbols, seed, start_ms)`, which knows how
    many trades one frame of that exchange may hold.
    type book: first, last, bids, asks; trade: trades; book_ticker: last (version), bid, ask;
    ticker: figures (last, bid, ask, base_volume, quote_volume, high, low, change as text).
    """

    type: str
    symbol: str
    ts_ms: int
    first: int | None = None
    last: int | None = None
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()
    trades: tuple[TradeItem, ...] = ()
    bid: Level | None = None
    ask: Level | None = None
    figures: Mapping[str, str] | None = None


class Push(msgspec.Struct, frozen=True):
    """One encoded data frame: `channel` the event type, `symbol` the exchange's spelling, `events` how many it has."""

    channel: str
    symbol: str
    first: int | None
    last: int | None
    payload: bytes
    is_text: bool
    events: int = 1


class Reply(msgspec.Struct, frozen=True):
    """An answer to a client: kind is ack, refused, pong, error or close.

    `variants` are the subscription keys it confirms (ack of subscribe), drops (`unsubscribe` true) or refuses.
    """

    kind: str
    payload: bytes = b""
    is_text: bool = True
    variants: tuple[str, ...] = ()
    unsubscribe: bool = False
    close_code: int | None = None
    close_reason: str = ""


class RestAnswer(msgspec.Struct, frozen=True):
    """One REST answer; a book snapshot names its symbol and version for the ledger."""

    status: int
    body: bytes
    symbol: str = ""
    version: int | None = None


class Refused(Exception):
    """The handshake is refused with an HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class MarketView(Protocol):
    """What a persona may ask of the market behind it (one market per exchange and market)."""

    symbols: Sequence[str]

    def book(self, symbol: str) -> tuple[int, Sequence[Level], Sequence[Level]]:
        """Version, bids and asks (best first) as last pushed."""

    def figures(self, symbol: str) -> Mapping[str, str]:
        """The 24-hour figures."""


class OwnOrders(Protocol):
    """What a private persona may ask of the account behind it."""

    def orders(self) -> Sequence[OrderState]:
        """The last state of each order that is kept, as pushed or about to be."""


class OwnAccount(OwnOrders, Protocol):
    """The same of all that it has."""

    def balances(self) -> Sequence[tuple[str, Decimal, Decimal]]:
        """Asset, free and locked."""

    def told_positions(self) -> Sequence[PositionState]:
        """The last state of each position that there ever was; none on spot."""

    def fills(self) -> Sequence[FillState]:
        """The fills that are kept, oldest first."""


class PersonaSession(Protocol):
    """One client's connection. `subscriptions` holds variant keys such as `spot.trades|BTC_USDT`; it updates itself.

    The server sets `last_push_s` when it writes data; while it is None, silence closes nothing.
    """

    subscriptions: set[str]
    last_push_s: float | None

    def on_message(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Answer one client frame; now_s is wall-clock seconds."""

    def refuse(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Refuse a subscribe frame in the exchange's own words (fault refuse-subscribe); other frames as usual."""

    def opening(self, variant: str) -> list[Push]:
        """Pushes owed right after the ack of a new subscription (full snapshots), usually none."""

    def due(self, now_s: float) -> list[Reply]:
        """Replies that time alone makes due: idle close, 24-hour close."""

    def ended(self) -> None:
        """The connection is gone, whoever ended it."""


class PersonaBase(Protocol):
    """One exchange protocol. Gate.io and MEXC have a persona each per market and scope."""

    id: str
    exchange: str
    market: str
    ws_path: str

    def spell(self, symbol: str) -> str:
        """The exchange's spelling of a Gate.io-spelt symbol."""

    def open(self, target: str, headers: Mapping[str, str], now_s: float) -> PersonaSession:
        """A session for a handshake on `target` (path with query); raises Refused."""

    def variant(self, key: str) -> tuple[str, str]:
        """(event type, Gate.io-spelt symbol) of a subscription key."""

    def default_variant(self, channel: str, symbol: str) -> str:
        """The key that the two stacks subscribe for an event type and Gate.io-spelt symbol."""

    def rest(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Answer a REST call of this exchange; None when the path is not this persona's."""


class Persona(PersonaBase, Protocol):
    """A persona of market data."""

    def encode(self, event: MarketEvent, key: str) -> Push | None:
        """The frame for one subscription key; None when the key does not want this event."""
