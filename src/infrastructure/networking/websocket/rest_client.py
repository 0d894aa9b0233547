"""A few REST calls beside the socket; aiohttp is imported when a stack is constructed, not before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from exchanges.structs.errors import ExchangeRestError

if TYPE_CHECKING:
    import aiohttp

__all__ = ["RestClient"]


class RestClient:
    """GET below one base address. The session is made at the first call, inside the running loop."""

    def __init__(self, base_url: str, timeout_s: float = 10.0) -> None:
        import aiohttp

        self._aiohttp = aiohttp
        self._base_url = base_url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of a 2xx answer; ExchangeRestError with the HTTP status, or 503 when there was no answer."""
        if self._session is None:
            self._session = self._aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.get(self._base_url + path, params=query) as answer:
                body = await answer.read()
                if answer.status >= 300:
                    raise ExchangeRestError(answer.status, body[:200].decode(errors="replace"))
                return body
        except (self._aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ExchangeRestError(503, f"GET {path}: {error or type(error).__name__}") from error

    async def close(self) -> None:
        """Close the session; a later call opens a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
