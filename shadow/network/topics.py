"""What a subject's frame asks of an exchange and what the answer says, as far as a relay has to know it.

A topic is (event type, symbol in the exchange's spelling); private topics are of the whole account and have no symbol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

__all__ = ["Answer", "Ask", "Topic", "answer_of", "ask_of", "is_trading", "read", "topic_of"]

Topic = tuple[str, str]

GATEIO: Final[Mapping[str, str]] = {
    "tickers": "ticker",
    "trades": "trade",
    "book_ticker": "book_ticker",
    "order_book": "book",
    "order_book_update": "book",
    "obu": "book",
    "orders": "order",
    "orders_v2": "order",
    "usertrades": "fill",
    "usertrades_v2": "fill",
    "balances": "balance",
    "positions": "position",
}
PAIR_LISTS: Final = frozenset({"ticker", "trade", "book_ticker"})
ACCOUNT: Final = frozenset({"order", "fill", "balance", "position"})
MEXC: Final = (
    ("private.orders", "order"),
    ("private.deals", "fill"),
    ("private.account", "balance"),
    ("depth", "book"),
    ("deals", "trade"),
    ("bookTicker", "book_ticker"),
    ("miniTicker", "ticker"),
)
MEXC_METHODS: Final = frozenset({"SUBSCRIPTION", "UNSUBSCRIPTION", "PING"})
GATEIO_EVENTS: Final = frozenset({"", "subscribe", "unsubscribe"})


class Ask(msgspec.Struct, frozen=True):
    """A subscribe or unsubscribe frame; `topics` by the exchange's own name of each."""

    id: Any
    channel: str
    is_unsubscribe: bool
    topics: dict[str, Topic]


class Answer(msgspec.Struct, frozen=True):
    """An exchange's answer to one; `names` are those granted, None for all that were asked for."""

    id: Any
    channel: str
    is_unsubscribe: bool
    is_granted: bool
    names: frozenset[str] | None = None


def read(payload: bytes) -> dict[str, Any]:
    """A frame as an object; {} for what is none."""
    try:
        frame = msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return frame if isinstance(frame, dict) else {}


def is_trading(exchange: str, payload: bytes) -> str:
    """What a frame would do besides asking for data, by the exchange's own name for it; empty where nothing.

    Only what is known to be harmless passes: a subscription, a ping, a login. An order in a frame that nobody can
    read would be an order all the same.
    """
    frame = read(payload)
    if exchange == "mexc":
        method = str(frame.get("method", ""))
        return "" if method.upper() in MEXC_METHODS else method or "an unreadable frame"
    channel, event = str(frame.get("channel", "")), str(frame.get("event") or "")
    if channel and event in GATEIO_EVENTS:
        return ""
    return "" if event == "api" and channel.endswith(".login") else channel or "an unreadable frame"


def ask_of(exchange: str, payload: bytes) -> Ask | None:
    """The subscriptions that a frame asks for or gives up; None for any other frame."""
    frame = read(payload)
    if exchange == "mexc":
        method, names = str(frame.get("method", "")).upper(), texts(frame.get("params"))
        if method not in ("SUBSCRIPTION", "UNSUBSCRIPTION"):
            return None
        topics = {name: topic for name in names if (topic := topic_of(name)) is not None}
        return Ask(frame.get("id") or 0, "", method == "UNSUBSCRIPTION", topics)
    channel, event = str(frame.get("channel", "")), frame.get("event")
    if event not in ("subscribe", "unsubscribe"):
        return None
    return Ask(frame.get("id"), channel, event == "unsubscribe", gateio_topics(channel, texts(frame.get("payload"))))


def answer_of(exchange: str, payload: bytes) -> Answer | None:
    """What an exchange's frame answers to an ask; None for any other frame."""
    frame = read(payload)
    if exchange == "mexc":
        text = frame.get("msg")
        if not isinstance(text, str) or text == "PONG":
            return None
        granted = frozenset(name for name in text.split(",") if topic_of(name) is not None)
        return Answer(frame.get("id") or 0, "", False, bool(granted), granted)
    event = frame.get("event")
    if event not in ("subscribe", "unsubscribe"):
        return None
    return Answer(frame.get("id"), str(frame.get("channel", "")), event == "unsubscribe", not frame.get("error"))


def topic_of(name: str) -> Topic | None:
    """The topic of a MEXC subscription string; None for one without an event type."""
    parts = name.split("@")
    if len(parts) < 2 or parts[0] != "spot":
        return None
    event_type = next((found for word, found in MEXC if word in parts[1]), None)
    if event_type is None or event_type in ACCOUNT:
        return None if event_type is None else (event_type, "")
    place = 3 if ".aggre." in parts[1] else 2
    return (event_type, parts[place]) if len(parts) > place else None


def gateio_topics(channel: str, payload: Sequence[str]) -> dict[str, Topic]:
    """Topics of a Gate.io payload: a list of pairs, one pair with options, streams `ob.PAIR.LEVEL`, or an account."""
    name = channel.partition(".")[2]
    event_type = GATEIO.get(name)
    if event_type is None:
        return {}
    if event_type in ACCOUNT:
        return {channel: (event_type, "")}
    if name == "obu":
        return {f"{channel}|{one}": (event_type, one.split(".")[1]) for one in payload if one.count(".") == 2}
    pairs = payload if event_type in PAIR_LISTS else payload[:1]
    return {f"{channel}|{pair}": (event_type, pair) for pair in pairs}


def texts(value: Any) -> list[str]:
    """The texts of a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
