"""Gate.io's signed REST calls about what an account has, spot and futures."""

from __future__ import annotations

from collections.abc import Mapping

from shadow.venue.personas.gateio_private_frames import rest_balance, rest_position
from shadow.venue.personas.gateio_signed_rest import call_of, invalid, refusal, shown, told
from shadow.venue.wire import OwnAccount, RestAnswer

__all__ = ["answer"]

_BALANCES = {"spot": "/spot/accounts", "futures": "/futures/usdt/accounts"}
_POSITIONS = "/futures/usdt/positions"
_PAGE_MOST = 100


def answer(
    market: str,
    account: OwnAccount | None,
    credentials: Mapping[str, str],
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    now_s: float,
) -> RestAnswer | None:
    """Answer a GET of balances or positions, with or without `/api/v4`; None for any other path."""
    call = call_of(path)
    is_positions = market == "futures" and call == _POSITIONS
    if account is None or not (is_positions or call == _BALANCES[market]):
        return None
    if (refused := refusal(credentials, path, query, headers, now_s)) is not None:
        return refused
    uid = credentials["uid"]
    return _positions(account, query, uid) if is_positions else _balances(market, account, query, uid)


def _balances(market: str, account: OwnAccount, query: Mapping[str, str], uid: str) -> RestAnswer:
    """On spot a list, of one asset alone where that is asked for; on futures the one that contracts are settled in."""
    wanted = query.get("currency")
    items = [rest_balance(market, *one, uid) for one in account.balances() if wanted in (None, one[0])]
    return told(items if market == "spot" else items[0])


def _positions(account: OwnAccount, query: Mapping[str, str], uid: str) -> RestAnswer:
    """All that there ever were, with `holding` those that are not closed."""
    try:
        part = shown(query, _PAGE_MOST, by_page=False)
    except ValueError:
        return invalid("limit")
    asked = [one for one in account.told_positions() if one.size or query.get("holding") != "true"]
    return told([rest_position(one, uid) for one in asked[part]])
