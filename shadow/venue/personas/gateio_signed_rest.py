"""What Gate.io's signed REST calls have in common: who asks is checked, errors have a label, lists come in parts."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import urlencode

import orjson

from shadow.venue.wire import RestAnswer

__all__ = ["call_of", "error", "invalid", "refusal", "shown", "told"]

_PREFIX = "/api/v4"
_WINDOW_S = 60.0


def call_of(path: str) -> str:
    """The path of a call, with or without `/api/v4` before it."""
    return path.removeprefix(_PREFIX).rstrip("/")


def refusal(
    credentials: Mapping[str, str], path: str, query: Mapping[str, str], headers: Mapping[str, str], now_s: float
) -> RestAnswer | None:
    """The answer to a GET that is not signed by this account; None where it is."""
    if _is_signed(credentials, path, query, headers, now_s):
        return None
    return error(401, "INVALID_SIGNATURE", "Signature mismatch")


def shown(query: Mapping[str, str], most: int, *, by_page: bool) -> slice:
    """The part of a list that is asked for, by page or by offset; ValueError for one that there is not."""
    limit = int(query.get("limit", min(most, 100)))
    begin = (int(query.get("page", 1)) - 1) * limit if by_page else int(query.get("offset", 0))
    if not 0 < limit <= most or begin < 0:
        raise ValueError("no such part")
    return slice(begin, begin + limit)


def error(status: int, label: str, text: str) -> RestAnswer:
    """A refusal in the exchange's form."""
    return RestAnswer(status, orjson.dumps({"label": label, "message": text}))


def invalid(name: str) -> RestAnswer:
    """The refusal of a parameter."""
    return error(400, "INVALID_PARAM_VALUE", f"Invalid request parameter `{name}`")


def told(body: object) -> RestAnswer:
    """What was asked for."""
    return RestAnswer(200, orjson.dumps(body))


def _is_signed(
    credentials: Mapping[str, str], path: str, query: Mapping[str, str], headers: Mapping[str, str], now_s: float
) -> bool:
    """KEY, Timestamp and SIGN over method, path, query, hash of the empty body and timestamp, joined by newlines."""
    stamp = headers.get("Timestamp", "")
    if headers.get("KEY") != credentials["key"] or not stamp.isdecimal() or abs(int(stamp) - now_s) > _WINDOW_S:
        return False
    empty = hashlib.sha512(b"").hexdigest()
    text = "\n".join(("GET", path, urlencode(list(query.items())), empty, stamp))
    made = hmac.new(credentials["secret"].encode(), text.encode(), hashlib.sha512).hexdigest()
    return hmac.compare_digest(made.encode(), headers.get("SIGN", "").encode(errors="replace"))
