"""MEXC's listen keys: signed REST calls."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from exchanges.structs import AuthenticationError, ExchangeCredentials

__all__ = ["create_listen_key", "extend_listen_key"]

_PATH = "/api/v3/userDataStream"
_TIMEOUT_S = 10.0


async def create_listen_key(base_url: str, credentials: ExchangeCredentials) -> str:
    """A new key, good for an hour; AuthenticationError when the exchange gives none."""
    return await _call("POST", base_url, credentials, {})


async def extend_listen_key(base_url: str, credentials: ExchangeCredentials, listen_key: str) -> None:
    """Another hour for a key; AuthenticationError when it is gone."""
    await _call("PUT", base_url, credentials, {"listenKey": listen_key})


async def _call(method: str, base_url: str, credentials: ExchangeCredentials, parameters: dict[str, str]) -> str:
    query = urlencode({**parameters, "timestamp": str(int(time.time() * 1000))})
    signature = hmac.new(credentials.secret_key.encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"{base_url.rstrip('/')}{_PATH}?{query}&signature={signature}"
    request = Request(url, method=method, headers={"X-MEXC-APIKEY": credentials.api_key})
    body = await asyncio.to_thread(_read, request)
    key = body.get("listenKey") if isinstance(body, dict) else None
    if not isinstance(key, str):
        code = body.get("code") if isinstance(body, dict) else None
        raise AuthenticationError(f"no listen key: code {code}")
    return key


def _read(request: Request) -> Any:
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as answer:
            return json.loads(answer.read())
    except HTTPError as error:
        with error:
            return json.loads(error.read())
