"""MEXC's signed REST calls, which tell an account what it asks about itself."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from exchanges.integrations.mexc.listen_keys import sign
from exchanges.integrations.signed_rest import SignedRest, decode
from exchanges.structs.errors import ExchangeRestError
from infrastructure.networking.websocket.rest_client import RestAnswer

__all__ = ["MexcRefusal", "MexcSigned"]


class MexcRefusal(ExchangeRestError):
    """The exchange refused a call; `number` is its own code, beside the HTTP status."""

    def __init__(self, code: int, number: int, message: str) -> None:
        super().__init__(code, message)
        self.number = number


class Refusal(msgspec.Struct, gc=False):
    """What a call that failed is answered."""

    code: int = 0
    msg: str = ""


class MexcSigned(SignedRest):
    """MEXC's; `base_url` holds no path. MexcRefusal where the exchange says why not."""

    async def _ask(self, path: str, query: Mapping[str, str]) -> RestAnswer:
        signed = {**query, "timestamp": str(int(self._now() * 1000))}
        signed["signature"] = sign(self._credentials.secret_key, urlencode(signed))
        answer = await self._client.ask("GET", path, signed, {"X-MEXC-APIKEY": self._credentials.api_key})
        if answer.status < 300:
            return answer
        refusal = decode(path, answer.body, Refusal)
        text = f"GET {path}: {refusal.code} {self._credentials.conceal(refusal.msg)[:200]}"
        raise MexcRefusal(answer.status, refusal.code, text)
