"""Gate.io's signed REST calls about what an account has, spot and futures."""

from __future__ import annotations

from collections.abc import Mapping

from shadow.venue.personas.gateio_private_frames import rest_balance, rest_fill, rest_position
from shadow.venue.personas.gateio_signed_rest import call_of, invalid, refusal, shown, told
from shadow.venue.wire import OwnAccount, RestAnswer

__all__ = ["answer"]

_BALANCES = {"spot": "/spot/accounts", "futures": "/futures/usdt/accounts"}
_POSITIONS = "/futures/usdt/positions"
_FILLS = {"spot": "/spot/my_trades", "futures": "/futures/usdt/my_trades_timerange"}
_PAGE_MOST = {"positions": 100, "fills": 1000}
"""What an answer holds; 100 where no limit is asked for."""
_FOREVER_S = 1 << 60


def answer(
    market: str,
    account: OwnAccount | None,
    credentials: Mapping[str, str],
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    now_s: float,
) -> RestAnswer | None:
    """Answer a GET of balances, positions or fills, with or without `/api/v4`; None for any other path."""
    call, uid = call_of(path), credentials["uid"]
    asked = {_BALANCES[market]: "balances", _FILLS[market]: "fills"} | (
        {_POSITIONS: "positions"} if market == "futures" else {}
    )
    if account is None or call not in asked:
        return None
    if (refused := refusal(credentials, path, query, headers, now_s)) is not None:
        return refused
    if asked[call] == "balances":
        return _balances(market, account, query, uid)
    try:
        return _positions(account, query, uid) if asked[call] == "positions" else _fills(market, account, query, uid)
    except ValueError:
        return invalid("limit")


def _balances(market: str, account: OwnAccount, query: Mapping[str, str], uid: str) -> RestAnswer:
    """On spot a list, of one asset alone where that is asked for; on futures the one that contracts are settled in."""
    wanted = query.get("currency")
    items = [rest_balance(market, *one, uid) for one in account.balances() if wanted in (None, one[0])]
    return told(items if market == "spot" else items[0])


def _positions(account: OwnAccount, query: Mapping[str, str], uid: str) -> RestAnswer:
    """All that there ever were, with `holding` those that are not closed."""
    part = shown(query, _PAGE_MOST["positions"], by_page=False)
    asked = [one for one in account.told_positions() if one.size or query.get("holding") != "true"]
    return told([rest_position(one, uid) for one in asked[part]])


def _fills(market: str, account: OwnAccount, query: Mapping[str, str], uid: str) -> RestAnswer:
    """The newest first, of one symbol alone and between two seconds where that is asked for."""
    part = shown(query, _PAGE_MOST["fills"], by_page=market == "spot")
    begin_s, end_s = int(query.get("from", 0)), int(query.get("to", _FOREVER_S))
    wanted = query.get("currency_pair" if market == "spot" else "contract")
    asked = [
        one
        for one in reversed(account.fills())
        if begin_s <= one.time_us // 1_000_000 <= end_s and wanted in (None, one.symbol)
    ]
    return told([rest_fill(market, one, uid) for one in asked[part]])
