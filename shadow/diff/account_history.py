"""What a side's accounts were told of and what is not judged yet, where a leg is judged in stretches.

The laws of one order, of one contract's positions and of a balance need nothing of each other. An order is judged when
it is over and nothing came of it for a while, positions up to one that is that old, a balance at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from shadow.diff.account_laws import Told
from shadow.diff.accounts import breaks_of
from shadow.diff.codes import Finding
from shadow.diff.lifecycle import TERMINAL

__all__ = ["AccountHistory", "judge_accounts"]

Place = tuple[str, str]
"""Connection, and an order's id or a symbol."""


class AccountHistory(msgspec.Struct):
    """Not judged yet, of a side and of the venue: orders with their fills, and positions with theirs.

    `hedged` are contracts whose positions are left out, since they are in hedge mode.
    """

    orders: tuple[list[Told], list[Told]] = ([], [])
    positions: tuple[list[Told], list[Told]] = ([], [])
    hedged: set[Place] = set()


def judge_accounts(
    before: AccountHistory, delivered: list[Told], sent: list[Told], old: int | None
) -> tuple[list[Finding], AccountHistory]:
    """Findings of what can be judged, and what is left; `old` (ns) is what counts as over, None that all is."""
    new = delivered, sent
    orders = tuple([*kept, *_of(part, "order", "fill")] for kept, part in zip(before.orders, new, strict=True))
    positions = tuple([*kept, *_of(part, "position", "fill")] for kept, part in zip(before.positions, new, strict=True))
    hedged = before.hedged | {
        _contract(told)
        for part in new
        for told in part
        if told.type == "position" and told.read("mode") in ("long", "short")
    }
    balances = breaks_of(*(_of(part, "balance") for part in new))
    if old is None:
        rest = [[told for told in part if _contract(told) not in hedged] for part in positions]
        return balances + breaks_of(*orders) + breaks_of(*rest), AccountHistory(hedged=hedged)
    over = _orders_over(orders, old)
    done, open_orders = _divided(orders, lambda told: _order(told) in over)
    pivots = _pivots(positions[1], old)
    past, ahead = [], []
    for part in positions:
        first, second = _positions_divided(part, pivots, hedged, old)
        past.append(first)
        ahead.append(second)
    findings = balances + breaks_of(*done) + breaks_of(*past)
    return findings, AccountHistory((open_orders[0], open_orders[1]), (ahead[0], ahead[1]), hedged)


def _of(part: Iterable[Told], *types: str) -> list[Told]:
    return [told for told in part if told.type in types]


def _order(told: Told) -> Place:
    return told.connection, str(told.read("id" if told.type == "order" else "order_id"))


def _contract(told: Told) -> Place:
    return told.connection, told.symbol


def _time(told: Told) -> int:
    """When it was read or sent, ns."""
    source: Any = told.source
    found: int = source.t_read if hasattr(source, "t_read") else source.t_sent
    return found


def _orders_over(orders: Sequence[list[Told]], old: int) -> set[Place]:
    """Orders of which nothing came since `old`, and which the venue ended or never had."""
    newest: dict[Place, int] = {}
    status: dict[Place, str] = {}
    for part in orders:
        for told in part:
            place = _order(told)
            newest[place] = max(newest.get(place, 0), _time(told))
    for told in orders[1]:
        if told.type == "order":
            status[_order(told)] = str(told.read("status"))
        else:
            status.setdefault(_order(told), "")
    return {place for place, t in newest.items() if t < old and status.get(place, "filled") in TERMINAL}


def _divided(
    parts: Sequence[list[Told]], is_first: Callable[[Told], bool]
) -> tuple[list[list[Told]], list[list[Told]]]:
    first = [[told for told in part if is_first(told)] for part in parts]
    return first, [[told for told in part if not is_first(told)] for part in parts]


def _pivots(sent: Iterable[Told], old: int) -> dict[Place, int]:
    """Exchange time (ms) of the newest position of each contract that the venue sent before `old`."""
    found: dict[Place, int] = {}
    for told in sent:
        ts = told.read("ts")
        if told.type == "position" and isinstance(ts, int) and _time(told) < old:
            found[_contract(told)] = max(found.get(_contract(told), ts), ts)
    return found


def _positions_divided(
    part: Iterable[Told], pivots: dict[Place, int], hedged: set[Place], old: int
) -> tuple[list[Told], list[Told]]:
    """What lies up to each contract's pivot, and what is needed from there on: the last position, and all behind it.

    Fills from before the first position explain nothing.
    """
    by_contract: dict[Place, list[Told]] = {}
    for told in part:
        if isinstance(told.read("ts"), int) and _contract(told) not in hedged:
            by_contract.setdefault(_contract(told), []).append(told)
    past: list[Told] = []
    ahead: list[Told] = []
    for contract, items in by_contract.items():
        pivot = pivots.get(contract)
        here = [told for told in items if pivot is not None and told.read("ts") <= pivot]
        begin = max((told.read("ts") for told in here if told.type == "position"), default=None)
        past += here
        if begin is None:
            ahead += [told for told in items if told.type == "position" or _time(told) >= old]
            continue
        ahead += [
            told for told in items if told.read("ts") > begin or (told.type == "position" and told.read("ts") == begin)
        ]
    return past, ahead
