"""MEXC's REST calls about what an account has. Who asks was checked before."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import orjson

from shadow.venue.account_events import FillState
from shadow.venue.personas.mexc_private_frames import fill_id, order_id
from shadow.venue.wire import OwnAccount, RestAnswer

__all__ = ["PATHS", "answer"]

ACCOUNT, FILLS = "/api/v3/account", "/api/v3/myTrades"
PATHS = (ACCOUNT, FILLS)
_MOST = 100
_FOREVER_MS = 1 << 60


def answer(account: OwnAccount, path: str, query: Mapping[str, str]) -> RestAnswer:
    """Answer a signed GET of one of `PATHS`."""
    if path == ACCOUNT:
        return _json(_account(account))
    try:
        return _json(_fills(account, query))
    except ValueError:
        return RestAnswer(400, orjson.dumps({"code": 33333, "msg": "parameter error"}))


def _account(account: OwnAccount) -> dict[str, object]:
    commissions = ("makerCommission", "takerCommission", "buyerCommission", "sellerCommission")
    return {
        **dict.fromkeys(commissions),
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "updateTime": None,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": _plain(free), "locked": _plain(locked)}
            for asset, free, locked in account.balances()
        ],
        "permissions": ["SPOT"],
    }


def _fills(account: OwnAccount, query: Mapping[str, str]) -> list[dict[str, object]]:
    """The newest of a symbol, newest first; ValueError for a limit or a time that is none."""
    limit = int(query.get("limit", _MOST))
    begin_ms, end_ms = int(query.get("startTime", 0)), int(query.get("endTime", _FOREVER_MS))
    if not 0 < limit <= _MOST:
        raise ValueError("no such limit")
    spelt = query.get("symbol", "")
    asked = [
        one
        for one in reversed(account.fills())
        if one.symbol.replace("_", "") == spelt and begin_ms <= one.time_us // 1000 <= end_ms
    ]
    return [_fill(one) for one in asked[:limit]]


def _fill(fill: FillState) -> dict[str, object]:
    return {
        "symbol": fill.symbol.replace("_", ""),
        "id": fill_id(fill.id),
        "orderId": order_id(fill.order_id),
        "orderListId": -1,
        "price": _plain(fill.price),
        "qty": _plain(fill.quantity),
        "quoteQty": _plain(fill.price * fill.quantity),
        "commission": _plain(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.time_us // 1000,
        "isBuyer": fill.side == "buy",
        "isMaker": fill.role == "maker",
        "isBestMatch": True,
        "isSelfTrade": False,
        "clientOrderId": fill.client_id,
    }


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _json(body: object) -> RestAnswer:
    return RestAnswer(200, orjson.dumps(body))
