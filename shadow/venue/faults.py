"""The fault grammar: `KIND@CONNECTION[/legacy|/new][:key=value,...]` to a `Fault`; parsing only, no I/O.

`disturb.py` alters frames, `incidents.py` treats connections and `rest.py` serves old books by what is read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from shadow.errors import UsageError

__all__ = ["CONNECTIONS", "FRAME_KINDS", "KINDS", "LINK_KINDS", "Fault", "check_faults", "parse_fault"]

CONNECTIONS: Final = (
    "gateio.spot.public",
    "gateio.spot.private",
    "gateio.futures.public",
    "gateio.futures.private",
    "mexc.spot.public",
    "mexc.spot.private",
)
SIDES: Final = ("legacy", "new")
TYPES: Final = ("book", "trade", "book_ticker", "ticker", "order", "fill", "balance", "position")
CLOSE_CODES: Final = (1000, 1001, 1006, 1008, 1011, 1012, 1013)


class Fault(msgspec.Struct, frozen=True):
    """One planned disturbance. Times in seconds; `role` None means both sides.

    `at_s` counts from the begin of the leg's first measured phase (0 of refuse-subscribe, refuse-auth, late-auth and
    stale-rest: from the leg's begin). `count` is how many frames, closes or answers it hits, None = all within `for_s`.
    """

    kind: str
    connection: str
    role: str | None = None
    at_s: float = 2.0
    for_s: float | None = None
    every_s: float = 5.0
    by_s: float = 0.05
    count: int | None = None
    frames: int = 256
    code: int = 1006
    type: str | None = None
    symbol: str | None = None
    text: str = ""


class Kind(msgspec.Struct, frozen=True):
    """What a fault kind may be told, what it assumes, and where it fits."""

    keys: frozenset[str]
    defaults: dict[str, object]
    private: bool = False
    public: bool = False
    exchange: str | None = None

    def fits(self, connection: str) -> bool:
        """Whether there is such a fault on a connection."""
        exchange, _, scope = connection.split(".")
        only = "private" if self.private else "public" if self.public else scope
        return scope == only and self.exchange in (None, exchange)


def _kind(
    keys: str, *, private: bool = False, public: bool = False, exchange: str | None = None, **defaults: object
) -> Kind:
    return Kind(frozenset(keys.split()), defaults, private, public, exchange)


KINDS: Final[dict[str, Kind]] = {
    "delay": _kind("at for by type symbol", for_s=5.0, by_s=0.05),
    "drop": _kind("at for count type symbol"),
    "duplicate": _kind("at for count type symbol"),
    "swap": _kind("at for count type symbol"),
    "corrupt": _kind("at for count type symbol"),
    "close": _kind("at count every code", code=1006, count=1),
    "halfopen": _kind("at for", for_s=10.0),
    "refuse-auth": _kind("at count", private=True, at_s=0.0, count=1),
    "late-auth": _kind("at by count", private=True, at_s=0.0, by_s=1.0, count=1),
    "refuse-subscribe": _kind("at count type", at_s=0.0, count=1),
    "slow": _kind("at for by", for_s=5.0, by_s=0.2),
    "stall": _kind("at for", for_s=2.0),
    "burst": _kind("at frames count every type", frames=256, count=1),
    "day-close": _kind("at code", code=1001, count=1),
    "reset": _kind("at count every", code=1006, count=1),
    "burst-close": _kind("at frames count every code type", frames=64, code=1001, count=1),
    "empty-body": _kind("at for count symbol type", public=True, exchange="mexc"),
    "stale-rest": _kind("at for count", public=True, at_s=0.0, count=1),
    "expire-key": _kind("at", private=True, exchange="mexc"),
    "twin-fill": _kind("at count", private=True, count=1),
    "fill-first": _kind("at count", private=True, count=1),
}
FRAME_KINDS: Final = frozenset({"delay", "drop", "duplicate", "swap", "corrupt", "stall", "empty-body"})
"""Kinds that change which frames leave, in which order or when."""
LINK_KINDS: Final = frozenset({"close", "halfopen", "slow", "burst", "day-close", "reset", "burst-close"})
"""Kinds that treat the connection as a whole at one moment."""

_SPEC = re.compile(
    r"(?P<kind>[a-z-]+)@(?P<connection>[a-z.]+)(?:/(?P<role>[^:]*))?(?::(?P<keys>.*))?", re.ASCII | re.DOTALL
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)?", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}


def parse_fault(text: str) -> Fault:
    """Read one SPEC; raises UsageError with one line that names what is wrong and what would be right."""
    match = _SPEC.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"fault {text!r}: expected KIND@CONNECTION[/legacy|/new][:key=value,...]")
    name, connection, role = match["kind"], match["connection"], match["role"]
    kind = KINDS.get(name)
    if kind is None:
        raise UsageError(f"fault {text!r}: unknown kind {name!r}; kinds are {', '.join(KINDS)}")
    if connection not in CONNECTIONS:
        raise UsageError(f"fault {text!r}: unknown connection {connection!r}; connections are {', '.join(CONNECTIONS)}")
    if role is not None and role not in SIDES:
        raise UsageError(f"fault {text!r}: unknown side {role!r}; write /legacy or /new, or no side for both")
    _check_place(text, name, kind, connection)
    if name == "fill-first" and role is not None:
        raise UsageError(f"fault {text!r}: the account's feed is one for both sides; leave the side out")
    values = _values(text, name, kind, match["keys"])
    if name in FRAME_KINDS and kind.keys >= {"count"} and values.get("for_s") is None:
        values.setdefault("count", 1)
    return msgspec.convert(
        {"kind": name, "connection": connection, "role": role, "text": text.strip(), **values}, type=Fault
    )


def check_faults(faults: Iterable[Fault], connections: Iterable[str], roles: Iterable[str]) -> None:
    """Raise UsageError for a fault whose connection or side is not in this session."""
    connections, roles = set(connections), set(roles)
    for fault in faults:
        if fault.connection not in connections:
            raise UsageError(f"fault {fault.text!r}: {fault.connection} is not among the session's connections")
        if fault.role is not None and fault.role not in roles:
            raise UsageError(f"fault {fault.text!r}: there is no side {fault.role!r} here; leave the side out")


def _check_place(text: str, name: str, kind: Kind, connection: str) -> None:
    if kind.private and connection.endswith(".public"):
        raise UsageError(f"fault {text!r}: {name} needs a private connection, {connection} is public")
    if kind.exchange is not None and not connection.startswith(f"{kind.exchange}."):
        raise UsageError(f"fault {text!r}: {name} exists on {kind.exchange} only")
    if kind.public and connection.endswith(".private"):
        raise UsageError(f"fault {text!r}: {name} needs a public connection, {connection} is private")


def _values(text: str, name: str, kind: Kind, keys: str | None) -> dict[str, object]:
    values = dict(kind.defaults)
    seen: set[str] = set()
    for item in () if keys is None else keys.split(","):
        key, equals, value = item.partition("=")
        if not equals or not value:
            raise UsageError(f"fault {text!r}: expected key=value, got {item!r}")
        if key not in kind.keys:
            raise UsageError(f"fault {text!r}: {name} takes {', '.join(sorted(kind.keys))}, not {key!r}")
        if key in seen:
            raise UsageError(f"fault {text!r}: {key} is given twice")
        seen.add(key)
        field, read = _READERS[key]
        values[field] = read(text, key, value)
    return values


def _duration(text: str, key: str, value: str) -> float:
    match = _DURATION.fullmatch(value)
    if match is None:
        raise UsageError(f"fault {text!r}: {key} is a time such as 10s, 250ms or 1m, not {value!r}")
    return float(match[1]) * _UNITS[match[2]]


def _span(text: str, key: str, value: str) -> float:
    span = _duration(text, key, value)
    if span <= 0:
        raise UsageError(f"fault {text!r}: {key} must be more than zero")
    return span


def _count(text: str, key: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value) <= 100_000:
        raise UsageError(f"fault {text!r}: {key} is a whole number from 1 to 100000, not {value!r}")
    return int(value)


def _code(text: str, key: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) not in CLOSE_CODES:
        raise UsageError(f"fault {text!r}: {key} is one of {', '.join(map(str, CLOSE_CODES))}, not {value!r}")
    return int(value)


def _type(text: str, key: str, value: str) -> str:
    if value not in TYPES:
        raise UsageError(f"fault {text!r}: {key} is one of {', '.join(TYPES)}, not {value!r}")
    return value


def _symbol(text: str, key: str, value: str) -> str:
    if "_" not in value:
        raise UsageError(f"fault {text!r}: {key} is spelt like BTC_USDT, not {value!r}")
    return value


_READERS: Final[dict[str, tuple[str, Callable[[str, str, str], object]]]] = {
    "at": ("at_s", _duration),
    "for": ("for_s", _span),
    "every": ("every_s", _span),
    "by": ("by_s", _span),
    "count": ("count", _count),
    "frames": ("frames", _count),
    "code": ("code", _code),
    "type": ("type", _type),
    "symbol": ("symbol", _symbol),
}
