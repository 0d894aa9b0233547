"""A seeded account on the synthetic market: it places, fills and cancels orders, and its books always balance.

Laws that hold at every moment: filled is the sum of an order's fills and at most its quantity; free and locked change
by orders, cancels, fills and fees alone and are never negative; locked is what the open orders need; a position is the
signed sum of its fills.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from random import Random
from typing import Protocol

from shadow.venue.account_events import AccountEvent, BalanceState, FillState, OrderState, PositionState
from shadow.venue.account_holdings import ZERO, Holding, Placed
from shadow.venue.account_memory import AccountMemory
from shadow.venue.symbol_market import contract_size, listing
from shadow.venue.wire import Level

__all__ = ["Account", "Top"]

MAKER, TAKER = Decimal("0.0005"), Decimal("0.001")
OPEN_MOST = 4
START = Decimal(1_000_000)


class Top(Protocol):
    """The market as far as an account needs it."""

    def live_top(self, symbol: str) -> tuple[int, Level, Level]:
        """Version, best bid and best ask."""


class Account:
    """One account over the symbols of one market (`spot` or `futures`); the same seed gives the same actions.

    Futures are settled in USDT and sized in contracts; every other symbol has cross margin, the others are isolated.
    """

    def __init__(
        self, market: Top, kind: str, symbols: Sequence[str], seed: int, start_ms: int, first_id: int = 1
    ) -> None:
        self.symbols = tuple(symbols)
        self.free: dict[str, Decimal] = {}
        self.locked: dict[str, Decimal] = {}
        self.positions: dict[str, Holding] = {}
        self._market = market
        self._is_futures = kind == "futures"
        self._random = Random(f"account/{kind}/{seed}")
        self._ids = count(first_id + start_ms % 1_000_000_007)
        self._fill_ids = count(start_ms // 100 + 1)
        self._open: dict[str, list[Placed]] = {symbol: [] for symbol in self.symbols}
        self._memory = AccountMemory()
        self._now_ms = start_ms
        self._last_us = 0
        for place, symbol in enumerate(self.symbols):
            assets = ["USDT"] if self._is_futures else symbol.split("_")
            self.free |= dict.fromkeys(assets, START)
            self.locked |= dict.fromkeys(assets, ZERO)
            if self._is_futures:
                self.positions[symbol] = Holding(leverage=10 if place % 2 else 0)

    @property
    def open_orders(self) -> list[tuple[str, Decimal, Decimal]]:
        """Side, price and what is left of each open order."""
        return [(order.side, order.price, order.left) for orders in self._open.values() for order in orders]

    def orders(self) -> list[OrderState]:
        """The last state of each order of late, whether its push has left yet or not."""
        return self._memory.orders()

    def balances(self) -> list[tuple[str, Decimal, Decimal]]:
        """Asset, free and locked."""
        return [(asset, free, self.locked[asset]) for asset, free in self.free.items()]

    def told_positions(self) -> list[PositionState]:
        """The last state of each position that there ever was, whether its push has left yet or not."""
        return self._memory.positions()

    def fills(self) -> list[FillState]:
        """The fills of late, oldest first, whether their pushes have left yet or not."""
        return self._memory.fills()

    def step(self, symbol: str, ts_ms: int) -> list[AccountEvent]:
        """One action of one symbol and all that follows from it, in order.

        Exchange time goes on by a millisecond at least, so that no two states of a thing are the same.
        """
        self._now_ms = max(self._now_ms + 1, ts_ms)
        events = self._act(symbol)
        self._memory.note(events)
        return events

    # Actions

    def _act(self, symbol: str) -> list[AccountEvent]:
        orders = self._open[symbol]
        draw = self._random.random()
        if not orders or (len(orders) < OPEN_MOST and draw < 0.4):
            return self._take(symbol) if self._random.random() < 0.25 else self._place(symbol)
        order = orders[int(self._random.random() * len(orders))]
        if draw < 0.6 and order.left > self._lot(symbol):
            return self._fill(order, self._part(order), MAKER)
        if draw < 0.82:
            return self._fill(order, order.left, MAKER)
        return self._cancel(order)

    def _place(self, symbol: str) -> list[AccountEvent]:
        order = self._new_order(symbol, "post_only" if self._random.random() < 0.3 else "limit")
        self._open[symbol].append(order)
        asset, amount = self._needs(order, order.left)
        return [self._state(order, "put", "open"), *self._lock(asset, amount, "order", order.id)]

    def _take(self, symbol: str) -> list[AccountEvent]:
        """A market order: filled at once, in one or two fills."""
        order = self._new_order(symbol, "market")
        position = self.positions.get(symbol)
        if position is not None and position.size and self._random.random() < 0.35:
            order.side, order.quantity = "sell" if position.size > 0 else "buy", abs(position.size)
        events: list[AccountEvent] = [self._state(order, "put", "open")]
        first = self._part(order) if self._random.random() < 0.4 and order.left > self._lot(symbol) else order.left
        events += self._fill(order, first, TAKER)
        if order.left:
            events += self._fill(order, order.left, TAKER)
        return events

    def _cancel(self, order: Placed) -> list[AccountEvent]:
        self._open[order.symbol].remove(order)
        asset, amount = self._needs(order, order.left)
        return [self._state(order, "finish", "cancelled"), *self._lock(asset, -amount, "cancel", order.id)]

    def _fill(self, order: Placed, quantity: Decimal, fee_rate: Decimal) -> list[AccountEvent]:
        is_resting = order in self._open[order.symbol]
        value = order.price * quantity
        order.filled += quantity
        order.value += value
        is_done = not order.left
        if is_done and is_resting:
            self._open[order.symbol].remove(order)
        size = contract_size(order.symbol) if self._is_futures else Decimal(1)
        fee = value * size * fee_rate
        fill = self._fill_state(order, quantity, fee, "maker" if fee_rate is MAKER else "taker")
        state = self._state(order, "finish" if is_done else "update", "filled" if is_done else "partial")
        if self._is_futures:
            return [state, fill, *self._settle_futures(order, quantity, fee)]
        return [state, fill, *self._settle_spot(order, quantity, value, fee, is_resting)]

    # Money

    def _settle_spot(
        self, order: Placed, quantity: Decimal, value: Decimal, fee: Decimal, is_resting: bool
    ) -> list[AccountEvent]:
        base, quote = order.symbol.split("_")
        spent, got = ((quote, value), (base, quantity)) if order.side == "buy" else ((base, quantity), (quote, value))
        asset, amount = spent
        unlocked = amount if is_resting else ZERO
        events = [self._move(asset, unlocked - amount, -unlocked, "fill", order.id)]
        events.append(self._move(got[0], got[1], ZERO, "fill", order.id))
        events.append(self._move(quote, -fee, ZERO, "fee", order.id))
        return list(events)

    def _settle_futures(self, order: Placed, quantity: Decimal, fee: Decimal) -> list[AccountEvent]:
        position, contract = self.positions[order.symbol], contract_size(order.symbol)
        pnl = position.add(order.side, quantity, order.price, contract)
        events: list[AccountEvent] = [self._move("USDT", -fee, ZERO, "fee", order.id)]
        if pnl:
            events.append(self._move("USDT", pnl, ZERO, "pnl", order.id))
        state = PositionState(
            order.symbol,
            self._now_ms,
            position.size,
            position.entry_price,
            position.leverage,
            position.margin(contract),
            position.realised_pnl,
            position.update_no,
        )
        return [*events, state]

    def _needs(self, order: Placed, quantity: Decimal) -> tuple[str, Decimal]:
        """Asset and amount that an open order keeps locked; nothing on futures, where margin is not shown so."""
        base, quote = order.symbol.split("_")
        if self._is_futures:
            return "USDT", ZERO
        return (quote, order.price * quantity) if order.side == "buy" else (base, quantity)

    def _lock(self, asset: str, amount: Decimal, reason: str, about: int) -> list[AccountEvent]:
        return [self._move(asset, -amount, amount, reason, about)] if amount else []

    def _move(self, asset: str, change: Decimal, locked: Decimal, reason: str, about: int) -> BalanceState:
        self.free[asset] += change
        self.locked[asset] += locked
        return BalanceState(
            "", self._now_ms, asset, self.free[asset], self.locked[asset], change, locked, reason, about
        )

    # Pieces

    def _new_order(self, symbol: str, kind: str) -> Placed:
        _, bid, ask = self._market.live_top(symbol)
        side = "buy" if self._random.random() < 0.5 else "sell"
        listed = listing(symbol, "futures" if self._is_futures else "spot")
        tick, lot = Decimal(1).scaleb(-listed.price_decimals), self._lot(symbol)
        quantity = lot * (2 + int(self._random.random() * listed.usual_lots))
        away = tick * int(self._random.random() * 30)
        if kind == "market":
            price = Decimal(ask[0] if side == "buy" else bid[0])
        else:
            price = Decimal(bid[0]) - away if side == "buy" else Decimal(ask[0]) + away
        number = next(self._ids)
        client_id = f"t-{number}" if self._random.random() < 0.5 else None
        order = Placed(number, symbol, client_id, side, kind, price, quantity, self._now_ms)
        return order if self._can_pay(order) else self._turned(order)

    def _can_pay(self, order: Placed) -> bool:
        if self._is_futures:
            return True
        base, quote = order.symbol.split("_")
        needed = order.price * order.quantity * (1 + TAKER)
        return self.free[quote] > needed if order.side == "buy" else self.free[base] > order.quantity

    def _turned(self, order: Placed) -> Placed:
        """The other way round, when an asset runs low."""
        order.side = "sell" if order.side == "buy" else "buy"
        return order

    def _lot(self, symbol: str) -> Decimal:
        listed = listing(symbol, "futures" if self._is_futures else "spot")
        return Decimal(1).scaleb(-listed.quantity_decimals)

    def _part(self, order: Placed) -> Decimal:
        """Some of what is left, in whole lots, less than all."""
        lot = self._lot(order.symbol)
        lots = int(order.left / lot)
        return lot * (1 + int(self._random.random() * (lots - 1)))

    def _state(self, order: Placed, event: str, status: str) -> OrderState:
        order.update_no += 1
        return OrderState(
            order.symbol,
            self._now_ms,
            order.id,
            order.client_id,
            event,
            status,
            order.side,
            order.kind,
            order.price,
            order.quantity,
            order.filled,
            order.value,
            order.created_ms,
            order.update_no,
        )

    def _fill_state(self, order: Placed, quantity: Decimal, fee: Decimal, role: str) -> FillState:
        self._last_us = max(self._last_us + 1, self._now_ms * 1000)
        return FillState(
            order.symbol,
            self._now_ms,
            self._last_us,
            next(self._fill_ids),
            order.id,
            order.client_id,
            order.side,
            order.price,
            quantity,
            fee,
            "USDT" if self._is_futures else order.symbol.partition("_")[2],
            role,
        )
