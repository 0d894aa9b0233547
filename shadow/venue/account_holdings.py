"""What an account has: orders that it placed, and positions that its fills change."""

from __future__ import annotations

from decimal import Decimal

import msgspec

__all__ = ["Holding", "Placed"]

ENTRY_STEP = Decimal("1e-8")
ZERO = Decimal(0)


class Placed(msgspec.Struct):
    """An order and how far it is filled; `value` is the money of its fills."""

    id: int
    symbol: str
    client_id: str | None
    side: str
    kind: str
    price: Decimal
    quantity: Decimal
    created_ms: int
    filled: Decimal = ZERO
    value: Decimal = ZERO
    update_no: int = 0

    @property
    def left(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled


class Holding(msgspec.Struct):
    """A position in contracts, signed; leverage 0 is cross margin."""

    leverage: int
    size: Decimal = ZERO
    entry_price: Decimal = ZERO
    realised_pnl: Decimal = ZERO
    update_no: int = 0

    def add(self, side: str, quantity: Decimal, price: Decimal, contract: Decimal) -> Decimal:
        """Add a fill; gives what was won or lost by the part that it closed. `contract` is the base amount of one."""
        signed = quantity if side == "buy" else -quantity
        closed = min(abs(signed), abs(self.size)) if self.size * signed < 0 else ZERO
        direction = 1 if self.size > 0 else -1
        pnl = (price - self.entry_price) * closed * direction * contract
        before, self.size = self.size, self.size + signed
        if not self.size:
            self.entry_price = ZERO
        elif before * self.size <= 0:
            self.entry_price = price
        elif abs(self.size) > abs(before):
            value = abs(before) * self.entry_price + quantity * price
            self.entry_price = (value / abs(self.size)).quantize(ENTRY_STEP)
        self.realised_pnl += pnl
        self.update_no += 1
        return pnl

    def margin(self, contract: Decimal) -> Decimal:
        """What it is secured with; ten times leverage where it shares the margin of all."""
        notional = abs(self.size) * self.entry_price * contract
        return (notional / (self.leverage or 10)).quantize(ENTRY_STEP)
