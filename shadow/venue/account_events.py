"""What an account tells of itself: one struct per event type, numbers exact, times in exchange ms."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, TypeAlias

import msgspec

__all__ = ["AccountEvent", "BalanceState", "FillState", "OrderState", "PositionState"]


class OrderState(msgspec.Struct, frozen=True):
    """An order as it is now. `event` is put, update or finish; `status` open, partial, filled or cancelled."""

    type: ClassVar[str] = "order"
    symbol: str
    ts_ms: int
    id: int
    client_id: str | None
    event: str
    status: str
    side: str
    kind: str
    price: Decimal
    quantity: Decimal
    filled: Decimal
    value: Decimal
    created_ms: int
    update_no: int

    @property
    def is_open(self) -> bool:
        """Whether it may still be filled."""
        return self.event != "finish"

    @property
    def left(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        """Value by filled quantity, to twelve digits behind the point; 0 without a fill."""
        return (self.value / self.filled).quantize(Decimal("1e-12")).normalize() if self.filled else Decimal(0)


class FillState(msgspec.Struct, frozen=True):
    """One own trade; `fee` in `fee_asset`, negative for a rebate."""

    type: ClassVar[str] = "fill"
    symbol: str
    ts_ms: int
    time_us: int
    id: int
    order_id: int
    client_id: str | None
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    role: str


class BalanceState(msgspec.Struct, frozen=True):
    """One asset behind a change. `reason` is order, cancel, fill, fee or pnl; `about` the order that caused it."""

    type: ClassVar[str] = "balance"
    symbol: str
    ts_ms: int
    asset: str
    free: Decimal
    locked: Decimal
    change: Decimal
    locked_change: Decimal
    reason: str
    about: int


class PositionState(msgspec.Struct, frozen=True):
    """One contract's position; `size` signed, leverage 0 for cross margin."""

    type: ClassVar[str] = "position"
    symbol: str
    ts_ms: int
    size: Decimal
    entry_price: Decimal
    leverage: int
    margin: Decimal
    realised_pnl: Decimal
    update_no: int


AccountEvent: TypeAlias = OrderState | FillState | BalanceState | PositionState
