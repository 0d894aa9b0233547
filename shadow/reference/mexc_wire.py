"""MEXC's protobuf pushes by the wire table: every body as plain values under its wire names."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from shadow.reference.events import DecodeError
from shadow.reference.protobuf import fields, signed

__all__ = ["SIDE", "Push", "decode_push", "symbol_of", "times_of"]


class Field(NamedTuple):
    """One line of a wire table: `kind` is text, int, bool or the table of a nested message."""

    name: str
    kind: str | dict[int, Field]
    repeated: bool = False


Table = dict[int, Field]


def table(*names: str) -> Table:
    """A table from names in field order; a name may end in `:int` or `:bool`, else it is text."""
    parts = (name.partition(":") for name in names)
    return {number: Field(name, kind or "text") for number, (name, _, kind) in enumerate(parts, 1)}


LEVEL = table("price", "quantity")
SIDES: Table = {1: Field("asks", LEVEL, True), 2: Field("bids", LEVEL, True), 3: Field("eventType", "text")}
TICKER = table(
    "symbol", "price", "rate", "zonedRate", "high", "low", "volume", "quantity",
    "lastCloseRate", "lastCloseZonedRate", "lastCloseHigh", "lastCloseLow",
)  # fmt: skip
BEST = table("bidPrice", "bidQuantity", "askPrice", "askQuantity")
INCREASE: Table = SIDES | {4: Field("version", "text")}
DEAL = table("price", "quantity", "tradeType:int", "time:int")
ORDER = table(
    "id", "clientId", "price", "quantity", "amount", "avgPrice", "orderType:int", "tradeType:int", "isMaker:bool",
    "remainAmount", "remainQuantity", "lastDealQuantity", "cumulativeQuantity", "cumulativeAmount", "status:int",
    "createTime:int", "market", "triggerType:int", "triggerPrice", "state:int", "ocoId", "routeFactor", "symbolId",
    "marketId", "marketCurrencyId", "currencyId",
)  # fmt: skip
BODIES: dict[int, tuple[str, Table]] = {
    301: ("publicDeals", {1: Field("deals", DEAL, True), 2: Field("eventType", "text")}),
    302: ("publicIncreaseDepths", INCREASE),
    303: ("publicLimitDepths", INCREASE | {5: Field("lastOrderCreateTime", "int")}),
    304: ("privateOrders", ORDER),
    305: ("publicBookTicker", BEST),
    306: (
        "privateDeals",
        table(
            "price", "quantity", "amount", "tradeType:int", "isMaker:bool", "isSelfTrade:bool", "tradeId",
            "clientOrderId", "orderId", "feeAmount", "feeCurrency", "time:int",
        ),
    ),
    307: (
        "privateAccount",
        table(
            "vcoinName", "coinId", "balanceAmount", "balanceAmountChange", "frozenAmount", "frozenAmountChange",
            "type", "time:int",
        ),
    ),
    308: (
        "publicSpotKline",
        table(
            "interval", "windowStart:int", "openingPrice", "closingPrice", "highestPrice", "lowestPrice", "volume",
            "amount", "windowEnd:int",
        ),
    ),
    309: ("publicMiniTicker", TICKER),
    310: ("publicMiniTickers", {1: Field("items", TICKER, True)}),
    311: (
        "publicBookTickerBatch",
        {1: Field("items", BEST, True), 2: Field("version", "text"), 3: Field("lastOrderCreateTime", "int")},
    ),
    312: ("publicIncreaseDepthsBatch", {1: Field("items", INCREASE, True), 2: Field("eventType", "text")}),
    313: (
        "publicAggreDepths",
        SIDES
        | {4: Field("fromVersion", "text"), 5: Field("toVersion", "text"), 6: Field("lastOrderCreateTime", "int")},
    ),
    314: (
        "publicAggreDeals",
        {1: Field("deals", DEAL | {5: Field("tradeId", "text")}, True), 2: Field("eventType", "text")},
    ),
    315: (
        "publicAggreBookTicker",
        BEST | {5: Field("version", "text"), 6: Field("lastOrderCreateTime", "int")},
    ),
}  # fmt: skip
WRAPPER: Table = {
    1: Field("channel", "text"),
    3: Field("symbol", "text"),
    4: Field("symbolId", "text"),
    5: Field("createTime", "int"),
    6: Field("sendTime", "int"),
} | {number: Field(name, body) for number, (name, body) in BODIES.items()}
BODY_NAMES = frozenset(name for name, _ in BODIES.values())
SIDE = {1: "buy", 2: "sell"}


class Push(msgspec.Struct):
    """One push frame: its wrapper, and the body under its wire name (`""` and `{}` when there is none)."""

    channel: str
    symbol: str | None
    create_time: int | None
    send_time: int | None
    name: str
    body: dict[str, Any]


def decode_push(payload: bytes) -> Push:
    """Any push frame, also those kinds that are no event. DecodeError when the bytes are damaged."""
    found = read(payload, WRAPPER)
    name = next((key for key in reversed(found) if key in BODY_NAMES), "")
    return Push(
        channel=found.get("channel", ""),
        symbol=found.get("symbol"),
        create_time=found.get("createTime"),
        send_time=found.get("sendTime"),
        name=name,
        body=found.get(name, {}),
    )


def read(data: bytes, lines: Table) -> dict[str, Any]:
    """One message by its table; unknown fields are skipped, absent ones stay absent, the last of a single wins."""
    found: dict[str, Any] = {}
    for number, raw in fields(data):
        line = lines.get(number)
        if line is None:
            continue
        value = scalar(raw, line)
        if line.repeated:
            found.setdefault(line.name, []).append(value)
        else:
            found[line.name] = value
    return found


def scalar(raw: int | bytes, line: Field) -> Any:
    """One value in the kind of its line. DecodeError when the wire type does not fit, or text is no UTF-8."""
    kind = line.kind
    if kind in ("int", "bool"):
        if not isinstance(raw, int):
            raise DecodeError(f"{line.name} is no varint")
        return bool(raw) if kind == "bool" else signed(raw)
    if not isinstance(raw, bytes):
        raise DecodeError(f"{line.name} is no byte field")
    if isinstance(kind, dict):
        return read(raw, kind)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"{line.name} is no UTF-8") from error


def symbol_of(push: Push) -> str:
    """The wrapper's symbol, else the channel's part behind the last `@` that looks like one."""
    if push.symbol:
        return push.symbol
    parts = push.channel.split("@")
    return next((part for part in reversed(parts[2:]) if part.isalnum() and part.isupper()), "")


def times_of(push: Push) -> tuple[int, ...]:
    """Every time of the frame beside those of single items, ms."""
    times = (push.send_time, push.create_time, push.body.get("lastOrderCreateTime"))
    return tuple(time for time in times if time is not None)
