"""MEXC's REST calls about what an account has. Who asks was checked before."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from shadow.venue.wire import OwnAccount, RestAnswer

__all__ = ["PATHS", "answer"]

ACCOUNT = "/api/v3/account"
PATHS = (ACCOUNT,)


def answer(account: OwnAccount, path: str, query: Mapping[str, str]) -> RestAnswer:
    """Answer a signed GET of one of `PATHS`."""
    return _json(
        {
            "makerCommission": None,
            "takerCommission": None,
            "buyerCommission": None,
            "sellerCommission": None,
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "updateTime": None,
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": f"{free.normalize():f}", "locked": f"{locked.normalize():f}"}
                for asset, free, locked in account.balances()
            ],
            "permissions": ["SPOT"],
        }
    )


def _json(body: object) -> RestAnswer:
    return RestAnswer(200, orjson.dumps(body))
