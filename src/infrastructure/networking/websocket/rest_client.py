"""A few REST calls beside the socket, each in a worker thread with the standard library's client.

They are as rare as connections. An asynchronous HTTP library would be a third of a small process's memory, for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

from exchanges.structs.errors import ConfigurationError, ExchangeRestError

__all__ = ["RestAnswer", "RestClient"]


class RestAnswer(NamedTuple):
    """Any answer; `sent_ms` is when, by the server's own clock and in whole seconds, None where it does not say."""

    status: int
    body: bytes
    sent_ms: int | None


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
        self._calls: dict[asyncio.Future[RestAnswer], _Call] = {}

    async def get(self, path: str, query: Mapping[str, str]) -> bytes:
        """The body of a 2xx answer; ExchangeRestError with the HTTP status, or 503 when there was no answer."""
        status, body = await self.send("GET", path, query)
        if status >= 300:
            raise ExchangeRestError(status, body[:200].decode(errors="replace"))
        return body

    async def send(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """HTTP status and body of any answer; errors as of `ask`."""
        answer = await self.ask(method, path, query, headers)
        return answer.status, answer.body

    async def ask(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> RestAnswer:
        """Any answer; ExchangeRestError 503, which tells no query or header, without one."""
        target = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", **(headers or {})}
        call = _Call(self._connection())
        running = asyncio.get_running_loop().run_in_executor(None, call.run, method, target, headers)
        self._calls[running] = call
        running.add_done_callback(self._on_ended)
        try:
            return await asyncio.shield(running)
        except (OSError, HTTPException) as error:
            raise ExchangeRestError(503, f"{method} {path}: {error or type(error).__name__}") from error
        except ValueError as error:  # a header that HTTP cannot carry; its text would tell the header
            raise ExchangeRestError(503, f"{method} {path}: {type(error).__name__}") from None
        finally:
            call.give_up()

    async def close(self) -> None:
        """Hang up on calls under way and wait for their threads to end; a later call opens a new connection."""
        for call in self._calls.values():
            call.give_up()
        if self._calls:
            await asyncio.wait(tuple(self._calls))

    def _on_ended(self, running: asyncio.Future[RestAnswer]) -> None:
        del self._calls[running]
        if not running.cancelled():
            # Nobody may be waiting any more; an error that nobody looked at would be logged by the loop.
            running.exception()

    def _connection(self) -> HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)
        return HTTPConnection(self._host, self._port, timeout=self._timeout_s)


class _Call:
    """One call, run in a thread; it can be given up at any moment, before its thread started or connected too."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._is_given_up = False

    def run(self, method: str, target: str, headers: Mapping[str, str]) -> RestAnswer:
        """The answer; ConnectionAbortedError where it was given up."""
        try:
            self._go_on()
            self._connection.connect()
            self._go_on()
            self._connection.request(method, target, headers=dict(headers))
            answer = self._connection.getresponse()
            return RestAnswer(answer.status, answer.read(), _millis(answer.getheader("Date")))
        finally:
            self._connection.close()

    def give_up(self) -> None:
        """Wake the thread if it waits on its socket, and let it go no further."""
        self._is_given_up = True
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _go_on(self) -> None:
        if self._is_given_up:
            raise ConnectionAbortedError("given up")


def _millis(date: str | None) -> int | None:
    """A header's date; None for what is none."""
    try:
        return None if date is None else int(parsedate_to_datetime(date).timestamp()) * 1000
    except ValueError:
        return None
