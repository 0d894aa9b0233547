"""Gate.io's signatures for a login over the socket and for each private channel."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

from exchanges.structs import ExchangeCredentials

__all__ = ["channel_auth", "login_message"]


def _sign(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def channel_auth(credentials: ExchangeCredentials, channel: str, event: str, seconds: int) -> dict[str, str]:
    """The `auth` member of a subscribe or unsubscribe frame sent with this `time`."""
    text = f"channel={channel}&event={event}&time={seconds}"
    return {"method": "api_key", "KEY": credentials.api_key, "SIGN": _sign(credentials.secret_key, text)}


def login_message(credentials: ExchangeCredentials, channel: str) -> dict[str, Any]:
    """The login request, `spot.login` or `futures.login`."""
    seconds = int(time.time())
    payload = {
        "req_id": str(seconds),
        "api_key": credentials.api_key,
        "timestamp": str(seconds),
        "signature": _sign(credentials.secret_key, f"api\n{channel}\n\n{seconds}"),
    }
    return {"time": seconds, "channel": channel, "event": "api", "payload": payload}
