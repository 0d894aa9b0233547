"""Gate.io's private frames as typed structs, spot and futures: tagged unions on `channel`, and the answers.

A number comes as text or as a JSON number, empty text where there is none. Ids are kept as they come: a futures order's
is above 2**53, where floats have holes.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

from exchanges.integrations.gateio.frames import Envelope

__all__ = [
    "Answer",
    "FuturesBalance",
    "FuturesBalancesFrame",
    "FuturesFill",
    "FuturesFillsFrame",
    "FuturesOrder",
    "FuturesOrdersFrame",
    "FuturesPosition",
    "FuturesPositionsFrame",
    "Number",
    "SpotBalance",
    "SpotBalancesFrame",
    "SpotFill",
    "SpotFillsFrame",
    "SpotOrder",
    "SpotOrdersFrame",
    "decode_answer",
    "decode_futures_private",
    "decode_spot_private",
]

Number = str | int | float
Id = str | int
Side = Literal["buy", "sell"]
Role = Literal["maker", "taker"]


class SpotOrder(msgspec.Struct, gc=False):
    """An item of `spot.orders`."""

    id: Id
    currency_pair: str
    event: Literal["put", "update", "finish"]
    type: str
    side: Side
    amount: Number
    left: Number
    update_time_ms: Number
    price: Number | None = None
    filled_amount: Number | None = None
    filled_total: Number | None = None
    avg_deal_price: Number | None = None
    time_in_force: str | None = None
    text: str | None = None
    finish_as: str | None = None


class SpotFill(msgspec.Struct, gc=False):
    """An item of `spot.usertrades`."""

    id: Id
    order_id: Id
    currency_pair: str
    side: Side
    amount: Number
    price: Number
    role: Role
    create_time_ms: Number
    fee: Number | None = None
    fee_currency: str | None = None


class SpotBalance(msgspec.Struct, gc=False):
    """An item of `spot.balances`."""

    currency: str
    available: Number
    timestamp_ms: Number
    freeze: Number | None = None


class FuturesOrder(msgspec.Struct, gc=False):
    """An item of `futures.orders`; short orders have a negative size and left."""

    id: Id
    contract: str
    status: Literal["open", "finished"]
    size: Number
    left: Number
    price: Number
    tif: str | None = None
    fill_price: Number | None = None
    text: str | None = None
    finish_as: str | None = None
    update_time: Number | None = None
    finish_time_ms: Number | None = None
    create_time_ms: Number | None = None


class FuturesFill(msgspec.Struct, gc=False):
    """An item of `futures.usertrades`."""

    id: Id
    order_id: Id
    contract: str
    size: Number
    price: Number
    role: Role
    create_time_ms: Number
    fee: Number | None = None


class FuturesBalance(msgspec.Struct, gc=False):
    """An item of `futures.balances`."""

    currency: str
    balance: Number
    time_ms: Number


class FuturesPosition(msgspec.Struct, gc=False):
    """An item of `futures.positions`."""

    contract: str
    size: Number
    mode: Literal["single", "dual_long", "dual_short"]
    time_ms: Number
    entry_price: Number | None = None
    leverage: Number | None = None
    margin: Number | None = None
    realised_pnl: Number | None = None


class SpotFillsFrame(msgspec.Struct, tag_field="channel", tag="spot.usertrades", gc=False):
    """Own trades."""

    kind: ClassVar[int] = 5
    result: list[SpotFill]


class SpotBalancesFrame(msgspec.Struct, tag_field="channel", tag="spot.balances", gc=False):
    """Balances."""

    kind: ClassVar[int] = 6
    result: list[SpotBalance]


class SpotOrdersFrame(msgspec.Struct, tag_field="channel", tag="spot.orders", gc=False):
    """States of own orders."""

    kind: ClassVar[int] = 7
    result: list[SpotOrder]


class FuturesFillsFrame(msgspec.Struct, tag_field="channel", tag="futures.usertrades", gc=False):
    """Own trades."""

    kind: ClassVar[int] = 5
    result: list[FuturesFill]


class FuturesBalancesFrame(msgspec.Struct, tag_field="channel", tag="futures.balances", gc=False):
    """The balance that the contracts are settled in."""

    kind: ClassVar[int] = 6
    result: list[FuturesBalance]


class FuturesOrdersFrame(msgspec.Struct, tag_field="channel", tag="futures.orders", gc=False):
    """States of own orders."""

    kind: ClassVar[int] = 7
    result: list[FuturesOrder]


class FuturesPositionsFrame(msgspec.Struct, tag_field="channel", tag="futures.positions", gc=False):
    """Positions."""

    kind: ClassVar[int] = 8
    result: list[FuturesPosition]


SpotFrame = SpotOrdersFrame | SpotFillsFrame | SpotBalancesFrame
FuturesFrame = FuturesOrdersFrame | FuturesFillsFrame | FuturesBalancesFrame | FuturesPositionsFrame

decode_spot_private = msgspec.json.Decoder(SpotFrame, strict=False).decode
decode_futures_private = msgspec.json.Decoder(FuturesFrame, strict=False).decode


class LoginHeader(msgspec.Struct, gc=False):
    """Of an answer to an `api` request; the status is HTTP-like."""

    status: Id = ""
    channel: str = ""


class LoginErrors(msgspec.Struct, gc=False):
    """Why an `api` request was refused."""

    label: Id = ""
    message: str = ""


class LoginData(msgspec.Struct, gc=False):
    """What an `api` request brought."""

    result: Any = None
    errs: LoginErrors | None = None


class Answer(Envelope, gc=False):
    """Any frame but data. Answers to `api` requests have a request id and a header in the place of a channel."""

    request_id: str = ""
    ack: bool = False
    header: LoginHeader | None = None
    data: LoginData | None = None

    @property
    def uid(self) -> str:
        """The account's id that a login brought, empty where it named none."""
        result = self.data.result if self.data is not None else None
        uid = result.get("uid") if isinstance(result, dict) else None
        return str(uid) if isinstance(uid, str | int) else ""


decode_answer = msgspec.json.Decoder(Answer).decode
