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
    """GET below one base address, http or https; `timeout_s` bounds each wait for the server."""

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
        target = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        connection = self._connection()
        self._open.add(connection)
        try:
            status, body = await asyncio.to_thread(_exchange, connection, target)
        except (OSError, HTTPException, ValueError) as error:
            raise ExchangeRestError(503, f"GET {path}: {error or type(error).__name__}") from error
        finally:
            self._open.discard(connection)
            _hang_up(connection)
        if status >= 300:
            raise ExchangeRestError(status, body[:200].decode(errors="replace"))
        return body

    async def close(self) -> None:
        """Hang up on calls under way, so that their threads end; a later call opens a new connection."""
        for connection in tuple(self._open):
            _hang_up(connection)

    def _connection(self) -> HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        return HTTPConnection(self._host, self._port, timeout=self._timeout_s)


def _exchange(connection: HTTPConnection, target: str) -> tuple[int, bytes]:
    try:
        connection.request("GET", target, headers={"Accept": "application/json"})
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
