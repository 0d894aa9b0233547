"""Gate.io's signed REST calls about what an account has, spot and futures."""

from __future__ import annotations

from collections.abc import Mapping

from shadow.venue.personas.gateio_private_frames import rest_balance
from shadow.venue.personas.gateio_signed_rest import call_of, refusal, told
from shadow.venue.wire import OwnAccount, RestAnswer

__all__ = ["answer"]

_BALANCES = {"spot": "/spot/accounts", "futures": "/futures/usdt/accounts"}


def answer(
    market: str,
    account: OwnAccount | None,
    credentials: Mapping[str, str],
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    now_s: float,
) -> RestAnswer | None:
    """Answer a GET of balances, with or without `/api/v4`; None for any other path."""
    if account is None or call_of(path) != _BALANCES[market]:
        return None
    if (refused := refusal(credentials, path, query, headers, now_s)) is not None:
        return refused
    return _balances(market, account, query, credentials["uid"])


def _balances(market: str, account: OwnAccount, query: Mapping[str, str], uid: str) -> RestAnswer:
    """On spot a list, of one asset alone where that is asked for; on futures the one that contracts are settled in."""
    wanted = query.get("currency")
    items = [rest_balance(market, *one, uid) for one in account.balances() if wanted in (None, one[0])]
    return told(items if market == "spot" else items[0])
