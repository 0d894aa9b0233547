"""A few REST calls beside the socket, each in a worker thread with the standard library's client.

They are as rare as connections. An asynchronous HTTP library would be a third of a small process's memory, for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlencode, urlsplit

from exchanges.structs.errors import ConfigurationError, ExchangeRestError

__all__ = ["RestClient"]


class RestClient:
    """Calls below one base address, http or https; `timeout_s` bounds each wait for the server."""

    def __init__(self, base_url: str, timeout_s: float = 10.0) -> None:
        parts = urlsplit(base_url)
        if base_url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ConfigurationError(f"no REST address: {base_url!r}; set ExchangeConfig.base_url to http(s)://host")
        self._host, self._port = parts.hostname or "", parts.port
        self._is_tls = parts.scheme == "https"
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._open: set[HTTPConnection] = set()

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of a 2xx answer; ExchangeRestError with the HTTP status, or 503 when there was no answer."""
        status, body = await self.send("GET", path, query)
        if status >= 300:
            raise ExchangeRestError(status, body[:200].decode(errors="replace"))
        return body

    async def send(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """HTTP status and body of any answer; ExchangeRestError 503, which tells no query or header, without one."""
        target = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", **(headers or {})}
        connection = self._connection()
        self._open.add(connection)
        try:
            return await asyncio.to_thread(_exchange, connection, method, target, headers)
        except (OSError, HTTPException) as error:
            raise ExchangeRestError(503, f"{method} {path}: {error or type(error).__name__}") from error
        except ValueError as error:  # a header that HTTP cannot carry; its text would tell the header
            raise ExchangeRestError(503, f"{method} {path}: {type(error).__name__}") from None
        finally:
            self._open.discard(connection)
            _hang_up(connection)

    async def close(self) -> None:
        """Hang up on calls under way, so that their threads end; a later call opens a new connection."""
        for connection in tuple(self._open):
            _hang_up(connection)

    def _connection(self) -> HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        return HTTPConnection(self._host, self._port, timeout=self._timeout_s)


def _exchange(connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    try:
        connection.request(method, target, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _hang_up(connection: HTTPConnection) -> None:
    """Wake a thread that waits on this connection's socket."""
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
