"""An outside witness of accounts: ccxt.pro's orders, own trades, balances and positions, event by event.

Both our stacks and ccxt.pro watched the same accounts of one venue until it ended. Its ledger says which frames went to
which of them, the reference decoder what is in those frames; each must have told exactly that, nothing less or more.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from shadow.reference.events import Balance, Event, Fill, Order, Position

NUMBERS = {
    *("price", "quantity", "filled", "average_price", "fee"),
    *("free", "locked", "size", "entry_price", "leverage", "margin", "realised_pnl"),
}
CONNECTIONS = ("gateio.spot.private", "gateio.futures.private", "mexc.spot.private")
NAMELESS = dict(zip(CONNECTIONS, ("apiv4", "api", None), strict=True))
"""What ccxt hands out as the client's id of an order that has none: the word that the exchange writes there."""
STATUSES = {"open": "open", "partial": "open", "filled": "closed", "cancelled": "canceled"}
Values = dict[str, Any]


def number(value: str | float | None) -> float | None:
    return None if value is None else float(value)


def positive(value: str | float | None) -> float | None:
    """A number, or None for the zero that stands for no price."""
    return number(value) or None


# What our stacks tell: the fields of the subject protocol, which the reference's structs have too.


def fields(event: Event) -> Values:
    names = [name for name in event.__struct_fields__ if name != "times"]
    values = {name: getattr(event, name) for name in names}
    return {"type": event.type} | {k: number(v) if k in NUMBERS else v or None for k, v in values.items()}


def told(line: Values) -> Values:
    values = {name: value for name, value in line.items() if name not in ("k", "c", "t", "type")}
    return {"type": line["type"]} | {k: number(v) if k in NUMBERS else v for k, v in values.items()}


@pytest.mark.checklist("5.2.2", "5.2.4", "5.2.6")
@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("stack", ["new", "legacy"])
def test_our_stacks_tell_what_the_ledger_says_was_sent(connection: str, stack: str, accounts: Any) -> None:
    subject = accounts.subjects[stack]
    assert subject.errors == []
    assert [told(line) for line in subject.lines[connection]] == [fields(e) for e in accounts.sent(connection, stack)]


# What ccxt.pro tells, in its own words, and what it should.


def symbol(spelt: str, connection: str) -> str:
    name = f"{spelt.removesuffix('USDT').removesuffix('_')}/USDT"
    return f"{name}:USDT" if "futures" in connection else name


def is_money(order: Order, connection: str) -> bool:
    """Whether the quantity is what shall be spent: that of a market buy on Gate.io spot."""
    return connection == "gateio.spot.private" and (order.kind, order.side) == ("market", "buy")


def order_status(order: Order, connection: str) -> str:
    """ccxt's word for a status; two are its errors, see the tests at the end."""
    if connection == "gateio.futures.private" and order.status == "partial":
        return "_update"
    if connection == "mexc.spot.private" and order.status == "cancelled" and number(order.filled):
        return "closed"
    return STATUSES[order.status]


def expected_order(order: Order, connection: str) -> Values:
    average = positive(order.average_price)
    amount, filled = number(order.quantity), number(order.filled)
    if is_money(order, connection):
        # ccxt turns money into a quantity by the average price, so it knows none before the first fill.
        amount = float(Decimal(order.quantity or 0) / Decimal(order.average_price or 0)) if average else None
        filled = filled if average else None
    return {
        "id": order.id,
        "client_id": order.client_id or NAMELESS[connection],
        "symbol": symbol(order.symbol, connection),
        "status": order_status(order, connection),
        "side": order.side,
        "kind": order.kind,
        "price": positive(order.price) or average,
        "amount": amount,
        "filled": filled,
        "average": average,
        "ts": order.ts,
    }


def ccxt_order(order: Values, connection: str) -> Values:
    kind = "post_only" if order["timeInForce"] == "PO" else order["type"]
    names = {"client_id": "clientOrderId", "ts": "lastTradeTimestamp"}
    same = ("id", "symbol", "status", "side", "price", "amount", "filled", "average")
    return {"kind": kind} | {name: order[name] for name in same} | {ours: order[its] for ours, its in names.items()}


def expected_fill(fill: Fill, connection: str) -> Values:
    return {
        "id": fill.id,
        "order": fill.order_id,
        "symbol": symbol(fill.symbol, connection),
        "side": fill.side,
        "price": number(fill.price),
        "amount": number(fill.quantity),
        "fee": {"cost": number(fill.fee), "currency": fill.fee_asset or "USDT"},
        "role": fill.role,
        "timestamp": fill.ts,
    }


def ccxt_fill(fill: Values, connection: str) -> Values:
    """A MEXC role is read from ccxt's own decoding of the frame; see the tests at the end."""
    same = ("id", "order", "symbol", "side", "price", "amount", "fee", "timestamp")
    maker = "maker" if fill["info"].get("isMaker") else "taker"
    return {name: fill[name] for name in same} | {"role": maker if "mexc" in connection else fill["takerOrMaker"]}


def expected_balance(balance: Balance, connection: str) -> Values:
    free, used = number(balance.free), number(balance.locked)
    if connection == "gateio.futures.private":
        return {"asset": balance.asset, "free": None, "used": None, "total": free, "timestamp": balance.ts}
    total = float(Decimal(balance.free or 0) + Decimal(balance.locked or 0))
    return {"asset": balance.asset, "free": free, "used": used, "total": total, "timestamp": balance.ts}


def ccxt_balance(balance: Values, connection: str) -> Values:
    return balance


def expected_position(position: Position, connection: str) -> Values:
    assert position.ts is not None
    return {
        "symbol": symbol(position.symbol, connection),
        "size": number(position.size),
        "entryPrice": number(position.entry_price),
        "leverage": number(position.leverage),
        "marginMode": "isolated" if number(position.leverage) else "cross",
        "positionMargin": number(position.margin),
        "realizedPnl": number(position.realised_pnl),
        "lastUpdateTimestamp": position.ts // 1000 * 1000,
    }


def ccxt_position(position: Values, connection: str) -> Values:
    same = ("symbol", "entryPrice", "leverage", "marginMode", "positionMargin", "realizedPnl", "lastUpdateTimestamp")
    sign = {"long": 1, "short": -1}[position["side"]]
    return {name: position[name] for name in same} | {"size": sign * position["contracts"]}


EXPECTED: dict[str, Callable[[Any, str], Values]] = {
    "order": expected_order,
    "fill": expected_fill,
    "balance": expected_balance,
    "position": expected_position,
}
HEARD = {"order": ccxt_order, "fill": ccxt_fill, "balance": ccxt_balance, "position": ccxt_position}


def heard(accounts: Any, connection: str, kind: str) -> list[Values]:
    """What the client made of the frames of one type, in its own words."""
    return [item for one, item in accounts.witnesses[connection].events if one == kind]


@pytest.mark.checklist("5.2.2", "5.2.4", "5.2.6")
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_ccxt_makes_of_each_frame_what_the_reference_does(connection: str, accounts: Any) -> None:
    sent = accounts.sent(connection, "ccxt")
    kinds = {"order", "fill", "balance"} | ({"position"} if "futures" in connection else set())
    assert {event.type for event in sent} == kinds
    expected = [(event.type, EXPECTED[event.type](event, connection)) for event in sent]
    events = accounts.witnesses[connection].events
    assert [(kind, HEARD[kind](item, connection)) for kind, item in events] == expected


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_what_the_watch_calls_give_out_ends_where_the_account_ended(connection: str, accounts: Any) -> None:
    """Each fill once and in order; of orders and balances states that were, the last of each among them."""
    handed = accounts.witnesses[connection].handed
    assert [fill for fills in handed["fill"] for fill in fills] == heard(accounts, connection, "fill")

    states = heard(accounts, connection, "order")
    seen = [order for orders in handed["order"] for order in orders]
    assert all(any(order.items() >= state.items() for state in states if state["id"] == order["id"]) for order in seen)
    last = {order["id"]: order for order in states}
    assert {order["id"]: order["status"] for order in seen} == {name: one["status"] for name, one in last.items()}
    assert {order["id"]: order["filled"] for order in seen} == {name: one["filled"] for name, one in last.items()}

    balances = heard(accounts, connection, "balance")
    final = {one["asset"]: (one["free"], one["used"], one["total"]) for one in balances}
    end = handed["balance"][-1]
    assert {asset: tuple(end[asset][name] for name in ("free", "used", "total")) for asset in final} == final


def test_positions_given_out_were_told_and_the_last_of_each_is_held(accounts: Any) -> None:
    """A call gives out the first of the frames that came in one turn; what the others said, the client holds."""
    witness, positions = accounts.witnesses[CONNECTIONS[1]], heard(accounts, CONNECTIONS[1], "position")
    shown = [position for group in witness.handed["position"] for position in group]
    assert shown
    assert all(position in positions for position in shown)
    held = {one["symbol"]: one["info"]["update_id"] for one in witness.client.positions["swap"]}
    assert held == {one["symbol"]: one["info"]["update_id"] for one in positions}


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_the_session_held_every_kind_of_order_and_its_end(connection: str, accounts: Any) -> None:
    """Otherwise the agreement above says little."""
    orders = [event for event in accounts.sent(connection, "ccxt") if isinstance(event, Order)]
    assert {order.status for order in orders} == {"open", "partial", "filled", "cancelled"}
    assert {(order.kind, order.side) for order in orders} == {
        (kind, side) for kind in ("limit", "market", "post_only") for side in ("buy", "sell")
    }
    assert any(order.status == "cancelled" and number(order.filled) for order in orders)
    fills = [event for event in accounts.sent(connection, "ccxt") if isinstance(event, Fill)]
    assert {fill.role for fill in fills} == {"maker", "taker"}


# Where ccxt.pro errs, and how that was established.


def test_why_a_partly_filled_swap_order_has_no_known_status(accounts: Any) -> None:
    """ccxt takes `finish_as` for the status; the frame's own says open. Of a spot order the same client says open."""
    partial = [one for one in heard(accounts, CONNECTIONS[1], "order") if one["status"] == "_update"]
    assert partial
    assert all((one["info"]["status"], one["info"]["finish_as"]) == ("open", "_update") for one in partial)
    assert all(one["filled"] > 0 and one["remaining"] > 0 for one in partial)
    client = accounts.witnesses[CONNECTIONS[1]].client
    assert (client.parse_order_status("_new"), client.parse_order_status("_update")) == ("open", "_update")
    alike = [one for one in heard(accounts, CONNECTIONS[0], "order") if one["info"]["event"] == "update"]
    assert alike
    assert all(one["status"] == "open" for one in alike)


def test_why_a_mexc_order_cancelled_behind_a_fill_is_closed(accounts: Any) -> None:
    """Status 5 is `partly filled then cancelled`; over REST the same client calls the same thing canceled."""
    ended = [one for one in heard(accounts, CONNECTIONS[2], "order") if one["info"]["status"] == 5]
    assert ended
    assert all(one["status"] == "closed" and one["remaining"] > 0 for one in ended)
    client = accounts.witnesses[CONNECTIONS[2]].client
    assert client.parse_order_status("PARTIALLY_CANCELED") == "canceled"


def test_why_a_mexc_role_is_not_taken_from_ccxt(accounts: Any) -> None:
    """It looks for `m`, a field of the JSON stream that ended in 2025, where its own protobuf decoder wrote isMaker."""
    fills = heard(accounts, CONNECTIONS[2], "fill")
    makers = [fill for fill in fills if fill["info"].get("isMaker")]
    assert makers
    assert {fill["takerOrMaker"] for fill in fills} == {"taker"}
    client = accounts.witnesses[CONNECTIONS[2]].client
    assert client.parse_ws_trade(makers[0]["info"] | {"m": 1})["takerOrMaker"] == "maker"


def test_why_a_mexc_cost_is_not_compared(accounts: Any) -> None:
    """It is the value of the whole order, even of one without a fill."""
    open_orders = [one for one in heard(accounts, CONNECTIONS[2], "order") if one["filled"] == 0]
    assert open_orders
    assert all(one["cost"] == float(one["info"]["amount"]) > 0 for one in open_orders)


def test_why_the_address_of_swaps_holds_two_letters_more(accounts: Any) -> None:
    """The client tells the market of a position by the exchange's host names, which a venue on loopback has not."""
    client = accounts.witnesses[CONNECTIONS[1]].client
    address = client.urls["api"]["swap"]["usdt"]
    assert client.get_market_type_by_url(address) == "swap"
    assert client.get_market_type_by_url(address.removesuffix("?fx")) == "spot"
    assert client.get_market_type_by_url("wss://fx-ws.gateio.ws/v4/ws/usdt") == "swap"
