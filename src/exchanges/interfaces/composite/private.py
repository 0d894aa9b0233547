"""The account at one exchange and market, as an application holds it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from exchanges.interfaces.composite.answered import AnsweredTable, FetchBalances, FetchPositions, StateStep
from exchanges.interfaces.composite.connection import CreateManager, ExchangeConnection
from exchanges.interfaces.composite.fills import FetchFills, Fills, FillStep
from exchanges.interfaces.composite.held import Held
from exchanges.interfaces.composite.look import Look, Step
from exchanges.interfaces.composite.orders import Orders
from exchanges.interfaces.composite.resync import FetchOrders, OrderStep
from exchanges.structs import ConfigurationError
from exchanges.structs.types import (
    Balance,
    ExchangeConfig,
    Fill,
    MessageType,
    Order,
    Position,
    PrivateWebsocketChannelType,
    Symbol,
)
from infrastructure.networking.websocket.utils import create_websocket_manager

__all__ = ["PrivateExchange"]


class PrivateExchange(ExchangeConnection):
    """Orders, fills, balances, positions; each message is held first, then called back with.

    Callbacks: `on_order`, `on_fill`, `on_balance`, `on_position`, `on_state`, `on_fault`; an order or fill that tells
    nothing new is counted and not called back with.

    The exchanges tell changes, not what stands. So nothing is known of what happened before the connection, and
    when it is lost, all that is held becomes stale until it is told again. With `fetch_orders` the exchange is asked by
    REST about orders whenever a subscription stands: those that are open, and each that was open before. With
    `fetch_balances` and `fetch_positions` it is asked for all of these, with `fetch_fills` for the fills since the
    last that is sure. A call that fails is told as fault `orders`, `balances`, `positions` or `fills` and leaves them
    stale; `fills_missing_since` stays. An application that asks by itself calls `forget_stale`.
    """

    IS_PRIVATE = True

    def __init__(
        self,
        config: ExchangeConfig,
        *,
        create_manager: CreateManager = create_websocket_manager,
        fetch_orders: FetchOrders | None = None,
        fetch_balances: FetchBalances | None = None,
        fetch_positions: FetchPositions | None = None,
        fetch_fills: FetchFills | None = None,
        finished_kept: int = 1000,
        fills_kept: int = 1000,
        logger: logging.Logger | None = None,
    ) -> None:
        """`config` holds the credentials; finished orders and fills are kept up to the numbers given."""
        super().__init__(config, create_manager=create_manager, logger=logger)
        self.on_order = self._callbacks(Order)
        self.on_fill = self._callbacks(Fill)
        self.on_balance = self._callbacks(Balance)
        self.on_position = self._callbacks(Position)
        self._orders = Orders(finished_kept)
        self._symbols: list[Symbol] = []
        self._fills = Fills(fills_kept, is_asked_for=fetch_fills is not None)
        self._balances: AnsweredTable[str, Balance] = AnsweredTable()
        self._positions: AnsweredTable[tuple[Symbol, str], Position] = AnsweredTable()
        self._readers: dict[MessageType, Callable[[Any], Awaitable[None]]] = {
            MessageType.ORDER: self._take_order,
            MessageType.TRADE: self._take_fill,
            MessageType.BALANCE: self._take_balance,
            MessageType.POSITION: self._take_position,
        }
        self._steps: dict[str, Step] = {}
        if fetch_orders is not None:
            self._add(OrderStep(fetch_orders, self._orders.stale, self._take_order_answer))
        if fetch_balances is not None:
            self._add(StateStep("balances", fetch_balances.balances, self._balances, self._take_balance_answer))
        if fetch_positions is not None:
            self._add(StateStep("positions", fetch_positions.positions, self._positions, self._take_position_answer))
        if fetch_fills is not None:
            self._add(FillStep(fetch_fills, self._fills, self._take_fill_answer))
        self._look = Look(list(self._steps.values()), self._report)

    async def start(
        self, symbols: Iterable[Symbol], channels: Sequence[PrivateWebsocketChannelType] | None = None
    ) -> None:
        """Connect, log in and subscribe to `channels` (all unless told); returns before connected.

        The channels tell of the whole account. ConfigurationError without a symbol (the old stack would subscribe
        nothing), when it runs already, or as the factory raises it: without credentials, for one.
        """
        listed = [self._listed(symbol) for symbol in symbols]
        if not listed:
            raise ConfigurationError(f"{self.name}: give at least one symbol to start with")
        self._symbols = listed
        await self._start(listed, channels)

    async def close(self) -> None:
        """Close the connection and ask no more; never raises, and may be called twice."""
        self._look.cancel()
        await super().close()

    def order(self, order_id: str) -> Held[Order] | None:
        """An order's last state, open or finished; None when nothing was told of it."""
        return self._orders.get(order_id)

    def open_orders(self) -> dict[str, Held[Order]]:
        """The open orders by id."""
        return self._orders.open()

    def order_life(self, order_id: str) -> list[Order]:
        """Every state that was told of an order, oldest first."""
        return self._orders.life(order_id)

    def fills(self, order_id: str | None = None) -> list[Fill]:
        """The last fills, of one order or of all, each once and oldest first."""
        return self._fills.all(order_id)

    def fills_missing_since(self) -> int | None:
        """Since when fills may be missing, in ms of exchange time: after a loss until `fetch_fills` told all."""
        return self._fills.gap_since_ms

    def balance(self, asset: str) -> Held[Balance] | None:
        """One asset's balance; None when nothing was told of it."""
        return self._balances.get(asset)

    def balances(self) -> dict[str, Held[Balance]]:
        """The balances by asset."""
        return self._balances.all()

    def position(self, symbol: Symbol, mode: str = "single") -> Held[Position] | None:
        """A futures position by its mode: single, long or short. One that was closed has size 0."""
        return self._positions.get((self._listed(symbol), mode))

    def positions(self) -> list[Held[Position]]:
        """All positions that were told."""
        return list(self._positions.all().values())

    def forget_stale(self) -> int:
        """Hold only what this connection told; gives how many states were forgotten."""
        return sum(table.forget_stale() for table in (self._orders, self._balances, self._positions))

    async def _take(self, kind: MessageType, data: Any) -> None:
        take = self._readers.get(kind)
        if take is not None:
            for item in data:
                await take(item)

    def _on_confirmed(self) -> None:
        if self._is_current:
            self._fills.begin()
            self._look.start(self._symbols)

    async def _take_order_answer(self, order: Order) -> None:
        if self._orders.take_answer(order, is_stale=not self._is_current):
            await self.on_order.fire(order)

    async def _take_order(self, order: Order) -> None:
        if self._orders.take(order, is_stale=not self._is_current):
            await self.on_order.fire(order)

    async def _take_fill(self, fill: Fill) -> None:
        if self._fills.take(fill):
            await self.on_fill.fire(fill)

    async def _take_fill_answer(self, fill: Fill) -> None:
        if self._fills.take_answer(fill):
            await self.on_fill.fire(fill)

    async def _take_balance(self, balance: Balance) -> None:
        if self._balances.put_push(balance.asset, balance, is_stale=not self._is_current):
            await self.on_balance.fire(balance)

    async def _take_balance_answer(self, balance: Balance) -> None:
        if self._balances.put_answer(balance.asset, balance, is_stale=not self._is_current):
            await self.on_balance.fire(balance)

    async def _take_position(self, position: Position) -> None:
        key = position.symbol, position.mode
        if self._positions.put_push(key, position, is_stale=not self._is_current):
            await self.on_position.fire(position)

    async def _take_position_answer(self, position: Position) -> None:
        key = position.symbol, position.mode
        if self._positions.put_answer(key, position, is_stale=not self._is_current):
            await self.on_position.fire(position)

    def _on_lost(self) -> None:
        self._look.cancel()
        self._fills.lose()
        for table in (self._orders, self._balances, self._positions):
            table.mark_stale()

    def _held_metrics(self) -> dict[str, Any]:
        held = {
            "orders": self._orders.metrics(),
            "balances": self._balances.metrics(),
            "positions": self._positions.metrics(),
            "fills": self._fills.metrics(),
        }
        return {kind: {**figures, **self._asked_metrics(kind)} for kind, figures in held.items()}

    def _asked_metrics(self, kind: str) -> dict[str, int]:
        return self._steps[kind].metrics() if kind in self._steps else {}

    def _add(self, step: Step) -> None:
        self._steps[step.kind] = step
