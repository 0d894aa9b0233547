"""Public types that both stacks share: a caller's `==` or `except` holds on either side of a flip.

Timestamps are integer milliseconds of exchange time. Prices and sizes are floats. Ids are strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import Any

__all__ = [
    "Balance",
    "BookTicker",
    "ConnectionContext",
    "ConnectionState",
    "ExchangeConfig",
    "ExchangeCredentials",
    "Fill",
    "MessageType",
    "Order",
    "OrderBook",
    "OrderBookEntry",
    "ParsedMessage",
    "PerformanceMetrics",
    "Position",
    "PrivateWebsocketChannelType",
    "PublicWebsocketChannelType",
    "ReconnectionPolicy",
    "SubscriptionAction",
    "Symbol",
    "Ticker",
    "Trade",
    "WebSocketConfig",
    "WebSocketManagerConfig",
]


class ConnectionState(Enum):
    """Where a connection stands, as callers see it."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    ERROR = "error"
    CLOSING = "closing"
    CLOSED = "closed"


class PublicWebsocketChannelType(IntEnum):
    """Public channels a caller may ask for."""

    ORDERBOOK = 1
    TRADES = 2
    BOOK_TICKER = 3
    TICKER = 4


class PrivateWebsocketChannelType(IntEnum):
    """Private channels a caller may ask for."""

    TRADE = 5
    BALANCE = 6
    ORDER = 7
    POSITION = 8


class MessageType(IntEnum):
    """What a ParsedMessage holds."""

    SUBSCRIPTION_CONFIRM = 0
    ORDERBOOK = 1
    TRADES = 2
    BOOK_TICKER = 3
    TICKER = 4
    TRADE = 5
    BALANCE = 6
    ORDER = 7
    POSITION = 8
    HEARTBEAT = 999
    OTHER = 888
    ERROR = -1
    SUBSCRIPTION_ERROR = -2
    UNKNOWN = -999


class SubscriptionAction(IntEnum):
    """What a subscription frame asks for."""

    SUBSCRIBE = 1
    UNSUBSCRIBE = 2


@dataclass(frozen=True, slots=True)
class Symbol:
    """A market: base and quote asset, and whether it is a futures contract."""

    base: str
    quote: str
    is_futures: bool = False


@dataclass(frozen=True, slots=True)
class WebSocketConfig:
    """One connection's settings; times in seconds, sizes in bytes."""

    url: str
    connect_timeout: float = 10.0
    ping_interval: float = 20.0
    ping_timeout: float = 10.0
    close_timeout: float = 5.0
    max_reconnect_attempts: int = 10
    reconnect_delay: float = 1.0
    reconnect_backoff: float = 2.0
    max_reconnect_delay: float = 60.0
    max_message_size: int = 1024 * 1024
    max_queue_size: int = 1000
    heartbeat_interval: float | None = 30.0
    enable_compression: bool = True
    text_encoding: str = "utf-8"

    @property
    def has_heartbeat(self) -> bool:
        """Whether an application heartbeat is asked for."""
        return self.heartbeat_interval is not None and self.heartbeat_interval > 0

    def with_url(self, url: str) -> WebSocketConfig:
        """The same settings for another address."""
        return replace(self, url=url)


@dataclass(frozen=True, slots=True)
class WebSocketManagerConfig:
    """The manager's settings; only max_pending_messages has an effect, as it always had."""

    max_reconnect_attempts: int = 10
    reconnect_delay: float = 1.0
    message_timeout: float = 30.0
    enable_performance_tracking: bool = True
    max_pending_messages: int = 1000
    batch_processing_enabled: bool = True
    batch_size: int = 100


@dataclass(frozen=True, slots=True)
class ReconnectionPolicy:
    """How often and how fast to try again; delays in seconds."""

    max_attempts: int
    initial_delay: float
    backoff_factor: float
    max_delay: float
    reset_on_1005: bool = True


@dataclass(slots=True)
class ConnectionContext:
    """What a connection needs besides its address."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    auth_required: bool = False
    auth_params: dict[str, Any] | None = None
    ping_interval: float = 30.0
    ping_timeout: float = 10.0
    max_reconnect_attempts: int = 10
    reconnect_delay: float = 1.0
    ping_message: str | None = None


@dataclass(frozen=True, slots=True)
class ExchangeCredentials:
    """Key and secret; neither shows in a repr."""

    api_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    def conceal(self, text: str, *more: str | None) -> str:
        """A text of the exchange's without key, secret and whatever else is given: it may repeat what it was sent."""
        for secret in (self.secret_key, self.api_key, *more):
            text = text.replace(secret, "***") if secret else text
        return text


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """One exchange: name is MEXC_SPOT, GATEIO_SPOT or GATEIO_FUTURES; base_url is the REST base."""

    name: str
    credentials: ExchangeCredentials | None = None
    base_url: str = ""
    websocket_url: str = ""
    network: Mapping[str, Any] | None = None
    rate_limit: Mapping[str, Any] | None = None
    websocket: WebSocketConfig | None = None
    transport: str | None = None
    enabled: bool = True

    def has_credentials(self) -> bool:
        """Whether key and secret are both given."""
        return bool(self.credentials and self.credentials.api_key and self.credentials.secret_key)


@dataclass(slots=True)
class ParsedMessage:
    """One message as the handler gets it; `data` by type as in the legacy contract.

    ORDERBOOK OrderBook; TRADES list of Trade; BOOK_TICKER BookTicker; TICKER list of Ticker;
    ORDER, TRADE, BALANCE, POSITION list of Order, Fill, Balance, Position.
    """

    message_type: MessageType
    symbol: Symbol | None = None
    channel: str | None = None
    data: Any = None
    timestamp: int | None = None
    raw_data: Any = None


@dataclass(slots=True)
class PerformanceMetrics:
    """Counters of a connection; times in milliseconds unless the name says otherwise."""

    messages_processed: int = 0
    messages_per_second: float = 0.0
    avg_processing_time_ms: float = 0.0
    max_processing_time_ms: float = 0.0
    last_message_time: float = 0.0
    connection_uptime: float = 0.0
    reconnection_count: int = 0
    error_count: int = 0
    sub_1ms_messages: int = 0
    orderbook_updates: int = 0
    latency_violations: int = 0


@dataclass(slots=True)
class OrderBookEntry:
    """One level; size 0 removes it."""

    price: float
    size: float


@dataclass(slots=True)
class OrderBook:
    """One book update, or with is_snapshot True a rebuilt book at version last_update_id."""

    symbol: Symbol
    bids: list[OrderBookEntry]
    asks: list[OrderBookEntry]
    timestamp: int
    last_update_id: int | None = None
    first_update_id: int | None = None
    is_snapshot: bool | None = None


@dataclass(slots=True)
class Trade:
    """One public trade; side is the taker's, buy or sell."""

    symbol: Symbol
    price: float
    quantity: float
    side: str
    timestamp: int
    trade_id: str | None = None


@dataclass(slots=True)
class BookTicker:
    """Best bid and ask."""

    symbol: Symbol
    bid_price: float
    bid_quantity: float
    ask_price: float
    ask_quantity: float
    timestamp: int | None = None
    update_id: int | None = None


@dataclass(slots=True)
class Ticker:
    """24-hour figures; what an exchange does not give is None."""

    symbol: Symbol
    last: float
    bid: float | None
    ask: float | None
    base_volume: float | None
    quote_volume: float | None
    high: float | None
    low: float | None
    timestamp: int | None = None


@dataclass(slots=True)
class Order:
    """One state of an own order."""

    symbol: Symbol
    id: str
    client_id: str | None
    status: str
    side: str
    kind: str
    price: float | None
    quantity: float
    filled: float
    average_price: float | None
    timestamp: int


@dataclass(slots=True)
class Fill:
    """One own trade."""

    symbol: Symbol
    id: str
    order_id: str
    side: str
    price: float
    quantity: float
    fee: float | None
    fee_asset: str | None
    role: str | None
    timestamp: int


@dataclass(slots=True)
class Balance:
    """One asset's balance; for futures free is the balance and locked is None."""

    asset: str
    free: float
    locked: float | None
    timestamp: int
    symbol: Symbol | None = None


@dataclass(slots=True)
class Position:
    """One futures position; size is signed, in contracts; leverage 0 is cross margin."""

    symbol: Symbol
    size: float
    entry_price: float | None
    mode: str
    leverage: float | None
    margin: float | None
    realised_pnl: float | None
    timestamp: int
