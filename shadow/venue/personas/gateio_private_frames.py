"""Gate.io's private frames, spot and futures: one array of one item for each event of the account."""

from __future__ import annotations

from decimal import Decimal

from shadow.venue.account_events import AccountEvent, BalanceState, FillState, OrderState, PositionState
from shadow.venue.personas.gateio_frames import Variant, update
from shadow.venue.wire import Push

__all__ = [
    "ALL",
    "EVENT_TYPES",
    "encode",
    "first_order_id",
    "parse_key",
    "rest_balance",
    "rest_fill",
    "rest_order",
    "rest_position",
]

ALL = "!all"
EVENT_TYPES = {
    "spot.orders": "order",
    "spot.usertrades": "fill",
    "spot.balances": "balance",
    "futures.orders": "order",
    "futures.usertrades": "fill",
    "futures.balances": "balance",
    "futures.positions": "position",
}
"""Channel to event type."""

_TIF = {"limit": "gtc", "post_only": "poc", "market": "ioc"}
_REASONS = {"order": "order-create", "cancel": "order-update", "fill": "order-match", "fee": "trade-fee-deduct"}
_CONTRACT_REASONS = {"fee": "fee", "pnl": "pnl"}


def first_order_id(market: str) -> int:
    """Where order ids begin; on futures above 2^53, as live ones are."""
    return 58_828_270_140_012_048 if market == "futures" else 575_707_647_866


def parse_key(key: str) -> Variant:
    """Take a key apart: `spot.orders|!all`, `spot.balances|`; ValueError when it names no private channel."""
    channel, bar, symbol = key.partition("|")
    if channel not in EVENT_TYPES or not bar:
        raise ValueError(f"not a Gate.io private subscription key: {key!r}")
    return Variant(channel, symbol, ())


def encode(channel: str, event: AccountEvent, uid: str) -> Push:
    """The frame of an event on its channel."""
    market = channel.partition(".")[0]
    if isinstance(event, OrderState):
        item = _spot_order(event, uid) if market == "spot" else _futures_order(event, uid)
    elif isinstance(event, FillState):
        item = _spot_fill(event, uid) if market == "spot" else _futures_fill(event)
    elif isinstance(event, BalanceState):
        item = _spot_balance(event, uid) if market == "spot" else _futures_balance(event, uid)
    else:
        item = _position(event, uid)
    payload = update(channel, event.ts_ms, [item], channel_first=channel == "futures.orders")
    return Push(event.type, event.symbol, None, None, payload, True)


def rest_order(market: str, order: OrderState, uid: str) -> dict[str, object]:
    """An order as REST tells it: a spot order has a status in the event's place, futures times are in seconds."""
    if market == "futures":
        item = _futures_order(order, uid)
        seconds = {"create_time": order.created_ms / 1000, "finish_time": order.ts_ms / 1000}
        told = {name: value for name, value in item.items() if not name.endswith("_ms")}
        return {**told, **seconds, "update_time": order.ts_ms / 1000, "price": str(item["price"])}
    item = _spot_order(order, uid)
    del item["event"]
    status = "open" if order.is_open else {"filled": "closed"}.get(order.status, "cancelled")
    return {**item, "status": status, "create_time_ms": order.created_ms, "update_time_ms": order.ts_ms}


def rest_balance(market: str, asset: str, free: Decimal, locked: Decimal, uid: str) -> dict[str, object]:
    """A balance as REST tells it, which does not say since when it is so."""
    if market == "futures":
        return {"user": int(uid), "currency": asset, "total": _text(free), "in_dual_mode": False}
    return {"currency": asset, "available": _text(free), "locked": _text(locked), "update_id": 1}


def rest_fill(market: str, fill: FillState, uid: str) -> dict[str, object]:
    """A fill as REST tells it: futures have the id under another name and the time in seconds."""
    if market == "spot":
        return {**_spot_fill(fill, uid), "id": str(fill.id), "create_time": str(fill.time_us // 1_000_000)}
    item = {name: value for name, value in _futures_fill(fill).items() if name not in ("id", "create_time_ms")}
    return {**item, "trade_id": str(fill.id), "create_time": fill.time_us / 1_000_000, "fee": _text(fill.fee)}


def rest_position(position: PositionState, uid: str) -> dict[str, object]:
    """A position as REST tells it: numbers as text but for the size, the user a number, times in whole seconds."""
    item = {name: value for name, value in _position(position, uid).items() if not name.startswith("time")}
    texts = item.keys() - {"contract", "mode", "size", "update_id", "user"}
    numbers = {name: _text(Decimal(str(item[name]))) for name in texts}
    return {**item, **numbers, "user": int(uid), "update_time": position.ts_ms // 1000}


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _spot_order(order: OrderState, uid: str) -> dict[str, object]:
    kind = "market" if order.kind == "market" else "limit"
    finish = {"filled": "filled", "cancelled": "cancelled"}.get(order.status, "open")
    # What a market order buys is asked for in money, its fills are still in the base currency.
    unit = order.price if kind == "market" and order.side == "buy" else Decimal(1)
    return {
        "id": str(order.id),
        "text": order.client_id or "apiv4",
        "create_time": str(order.created_ms // 1000),
        "update_time": str(order.ts_ms // 1000),
        "currency_pair": order.symbol,
        "type": kind,
        "account": "spot",
        "side": order.side,
        "amount": _text(order.quantity * unit),
        "price": _text(order.price) if kind == "limit" else "0",
        "time_in_force": _TIF[order.kind],
        "left": _text(order.left * unit),
        "filled_total": _text(order.value),
        "filled_amount": _text(order.filled),
        "avg_deal_price": _text(order.average_price),
        "fee": "0",
        "fee_currency": order.symbol.partition("_")[2],
        "point_fee": "0",
        "gt_fee": "0",
        "rebated_fee": "0",
        "rebated_fee_currency": "USDT",
        "create_time_ms": str(order.created_ms),
        "update_time_ms": str(order.ts_ms),
        "user": int(uid),
        "event": order.event,
        "stp_id": 0,
        "stp_act": "-",
        "finish_as": finish,
        "biz_info": "-",
        "amend_text": "-",
    }


def _spot_fill(fill: FillState, uid: str) -> dict[str, object]:
    milliseconds, micros = divmod(fill.time_us, 1000)
    return {
        "id": fill.id,
        "user_id": int(uid),
        "order_id": str(fill.order_id),
        "currency_pair": fill.symbol,
        "create_time": milliseconds // 1000,
        "create_time_ms": f"{milliseconds}.{micros:03d}",
        "side": fill.side,
        "amount": _text(fill.quantity),
        "role": fill.role,
        "price": _text(fill.price),
        "fee": _text(fill.fee),
        "fee_currency": fill.fee_asset,
        "point_fee": "0",
        "gt_fee": "0",
        "text": fill.client_id or "apiv4",
        "amend_text": "-",
        "biz_info": "-",
    }


def _spot_balance(balance: BalanceState, uid: str) -> dict[str, object]:
    return {
        "timestamp": str(balance.ts_ms // 1000),
        "timestamp_ms": str(balance.ts_ms),
        "user": uid,
        "currency": balance.asset,
        "change": _text(balance.change),
        "total": _text(balance.free + balance.locked),
        "available": _text(balance.free),
        "freeze": _text(balance.locked),
        "freeze_change": _text(balance.locked_change),
        "change_type": _REASONS[balance.reason],
    }


def _contracts(quantity: Decimal, side: str) -> int:
    return int(quantity) if side == "buy" else -int(quantity)


def _number(value: Decimal) -> int | float:
    """A number as the exchange's own floats write it."""
    return int(value) if value == value.to_integral_value() else float(value)


def _futures_order(order: OrderState, uid: str) -> dict[str, object]:
    is_market = order.kind == "market"
    is_done = order.event == "finish"
    finish = order.status if is_done else {"put": "_new", "update": "_update"}[order.event]
    return {
        "contract": order.symbol,
        "create_time": order.created_ms // 1000,
        "create_time_ms": order.created_ms,
        "fill_price": _number(order.average_price),
        "finish_as": finish,
        "finish_time": order.ts_ms // 1000,
        "finish_time_ms": order.ts_ms,
        "iceberg": 0,
        "id": order.id,
        "is_close": False,
        "is_liq": False,
        "is_reduce_only": False,
        "left": _contracts(order.left, order.side),
        "mkfr": -0.0001,
        "price": 0 if is_market else _number(order.price),
        "refr": 0,
        "refu": 0,
        "size": _contracts(order.quantity, order.side),
        "status": "finished" if is_done else "open",
        "text": order.client_id or "api",
        "tif": _TIF[order.kind],
        "tkfr": 0.00075,
        "user": uid,
        "update_id": order.update_no,
        "update_time": order.ts_ms,
        "stp_id": "0",
        "stp_act": "-",
        "amend_text": "-",
        "biz_info": "-",
    }


def _futures_fill(fill: FillState) -> dict[str, object]:
    return {
        "id": str(fill.id),
        "create_time": fill.time_us // 1_000_000,
        "create_time_ms": fill.time_us // 1000,
        "contract": fill.symbol,
        "order_id": str(fill.order_id),
        "size": _contracts(fill.quantity, fill.side),
        "price": _text(fill.price),
        "role": fill.role,
        "text": fill.client_id or "api",
        "fee": _number(fill.fee),
        "point_fee": 0,
    }


def _futures_balance(balance: BalanceState, uid: str) -> dict[str, object]:
    return {
        "balance": _number(balance.free),
        "change": _number(balance.change),
        "currency": balance.asset.lower(),
        "text": f"BTC_USDT:{balance.about}",
        "time": balance.ts_ms // 1000,
        "time_ms": balance.ts_ms,
        "type": _CONTRACT_REASONS[balance.reason],
        "user": uid,
    }


def _position(position: PositionState, uid: str) -> dict[str, object]:
    return {
        "contract": position.symbol,
        "cross_leverage_limit": 0 if position.leverage else 10,
        "entry_price": _number(position.entry_price),
        "history_pnl": 0,
        "history_point": 0,
        "last_close_pnl": 0,
        "leverage": position.leverage,
        "leverage_max": 100,
        "liq_price": 0,
        "maintenance_rate": 0.005,
        "margin": _number(position.margin),
        "mode": "single",
        "realised_pnl": _number(position.realised_pnl),
        "realised_point": 0,
        "risk_limit": 1_000_000,
        "size": _contracts(abs(position.size), "buy" if position.size >= 0 else "sell"),
        "time": position.ts_ms // 1000,
        "time_ms": position.ts_ms,
        "update_id": position.update_no,
        "user": uid,
    }
