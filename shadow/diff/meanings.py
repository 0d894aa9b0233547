"""What one frame or call of a subject means, apart from what differs each time: times, ids, keys, signatures."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import orjson

__all__ = [
    "Meaning",
    "as_object",
    "gateio_meanings",
    "handshake_meanings",
    "is_order_call",
    "key_call",
    "key_meaning",
    "login_meaning",
    "question",
]

Meaning = tuple[str, ...]

PAIR_LISTS: Final = ("tickers", "trades", "book_ticker")
USER_CHANNELS: Final = ("orders", "usertrades", "balances", "positions")
"""Futures channels whose payload begins with the user's id."""
LOGIN_FIELDS: Final = ("req_id", "api_key", "timestamp", "signature")
KEY_PATH: Final = "/api/v3/userDataStream"
SIGNING: Final = frozenset({"timestamp", "signature", "recvWindow", "listenKey"})
KEY_CALLS: Final = {"POST": "create", "PUT": "extend"}
PLAIN_HEADERS: Final = frozenset(
    {"host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version", "user-agent", "origin",
     "sec-websocket-extensions", "accept", "accept-encoding", "accept-language", "cache-control", "pragma", "date"}
)  # fmt: skip


def as_object(payload: bytes) -> dict[str, Any]:
    """A frame as an object, {} where it is none."""
    try:
        frame = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return frame if isinstance(frame, dict) else {}


def gateio_meanings(event: str, channel: str, payload: Any, auth: Any = None) -> list[Meaning]:
    """One meaning per pair where the payload is a list of pairs, else one for the whole payload.

    A signed frame is told from one that is not; whose id it names does not matter.
    """
    items = [str(item) for item in payload] if isinstance(payload, list) else [str(payload)]
    market, _, name = channel.partition(".")
    if name in PAIR_LISTS:
        return [(event, channel, item) for item in items]
    if market == "futures" and name in USER_CHANNELS:
        items = ["user", *items[1:]] if items[:1] and items[0].isdigit() else items
    signed = ("signed",) if is_signed(auth) else ()
    return [(event, channel, *items, *signed)]


def is_signed(auth: Any) -> bool:
    """Whether a frame's `auth` has all that the exchange wants."""
    return isinstance(auth, dict) and auth.get("method") == "api_key" and bool(auth.get("KEY") and auth.get("SIGN"))


def login_meaning(channel: str, payload: Any) -> Meaning:
    """A login, with the fields that it lacks."""
    given = payload if isinstance(payload, dict) else {}
    return ("login", channel, *(f"no {name}" for name in LOGIN_FIELDS if not given.get(name)))


def handshake_meanings(payload: bytes) -> list[Meaning]:
    """The handshake's headers that are not of the WebSocket protocol itself or of the library, and its parameters."""
    frame = as_object(payload)
    found = frame.get("headers") or []
    pairs = found.items() if isinstance(found, dict) else found
    meanings: list[Meaning] = [
        ("header", str(name).lower(), str(value)) for name, value in pairs if str(name).lower() not in PLAIN_HEADERS
    ]
    query = urlsplit(str(frame.get("target") or "")).query
    return meanings + [("parameter", name) for name, _ in parse_qsl(query, keep_blank_values=True)]


def key_call(payload: bytes) -> str | None:
    """create or extend, where a REST call is about a listen key; its end is left to the leg's end."""
    method, path, _ = call_parts(payload)
    return KEY_CALLS.get(method) if path.endswith(KEY_PATH) else None


def key_meaning(payload: bytes) -> Meaning:
    """The names of a listen-key call's parameters, signed or not."""
    _, _, names = call_parts(payload)
    return ("listen key", *sorted(name for name in names if name != "recvWindow"))


def is_order_call(payload: bytes) -> bool:
    """Whether a REST call changes anything at the exchange but listen keys."""
    method, path, _ = call_parts(payload)
    return method in ("POST", "PUT", "PATCH", "DELETE") and not path.endswith(KEY_PATH)


def question(payload: bytes) -> Meaning:
    """A REST call that asks for something: method, path, and what it asks, apart from times and signatures."""
    line, _, _ = payload.decode(errors="replace").partition("\n")
    method, _, target = line.partition(" ")
    url = urlsplit(target)
    asked = sorted(f"{name}={value}" for name, value in parse_qsl(url.query) if name not in SIGNING)
    return ("rest", method, url.path, *asked)


def call_parts(payload: bytes) -> tuple[str, str, list[str]]:
    """Method, path and parameter names (query and body) of a REST row: `METHOD path?query`, then the body."""
    line, _, body = payload.decode(errors="replace").partition("\n")
    method, _, target = line.partition(" ")
    url = urlsplit(target)
    names = [name for part in (url.query, body) for name, _ in parse_qsl(part, keep_blank_values=True)]
    return method, url.path, names
