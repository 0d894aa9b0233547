"""One connection to the exchange that comes back by itself: it asks for keys, hands over what arrives, says when it is
lost and when it is back, and never spends more than the budget."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from shadow.network.budget import BudgetSpent, ConnectionBudget, ExchangeBudget
from shadow.venue.relay.dialect import DAMAGED, Answer, Data, Dialect

__all__ = ["Heard", "Line", "LineSettings", "Unreachable"]

Heard = Callable[[Answer | None], None]
"""Is told how a key was answered: None when it is confirmed, else the refusal."""
ABNORMAL: Final = 1006
GIVE_UP: Final = (OSError, TimeoutError, InvalidHandshake, InvalidURI, ssl.SSLError, ConnectionClosed)


class Unreachable(Exception):
    """The first connection attempt failed; the text says why."""


class LineSettings(msgspec.Struct, frozen=True):
    """Times in seconds: between pings, until silence counts as death, and from one attempt to the next."""

    ping_s: float = 10.0
    silent_s: float = 30.0
    first_wait_s: float = 0.25
    longest_wait_s: float = 30.0


class Owner(Protocol):
    """Who is told what happens on a line."""

    def arrived(self, line: Line, key: str, data: Data, payload: bytes, is_text: bool) -> None:
        """A push for a key of this line."""

    def damaged(self, line: Line, payload: bytes, is_text: bool) -> None:
        """A push that cannot be read, so that nobody knows what it is for."""

    def lost(self, line: Line, code: int, reason: str) -> None:
        """The connection is gone; it will be tried again."""

    def back(self, line: Line) -> None:
        """Every key is confirmed again after a loss."""


class Line:
    """One upstream connection of `<exchange>.<market>.<scope>`; `headers` go into the handshake.

    `signed` makes the address that this account connects to, each time anew.
    """

    def __init__(
        self,
        connection: str,
        url: str,
        dialect: Dialect,
        budget: ExchangeBudget,
        owner: Owner,
        *,
        tls: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
        settings: LineSettings | None = None,
        signed: Callable[[str], Awaitable[str]] | None = None,
    ) -> None:
        self.connection = connection
        self.headers = headers or {}
        self.keys: dict[str, bool] = {}
        """Every key that is asked for here, and whether it is confirmed."""
        self._url = url
        self._dialect = dialect
        self._budget = budget
        self._owner = owner
        self._tls = tls if url.startswith("wss:") else None
        self._settings = settings or LineSettings()
        self._signed = signed
        self._by_address: dict[tuple[str, str], str] = {}
        self._waiting: dict[str, list[Heard]] = {}
        self._asked: dict[int, str] = {}
        self._ids = count(1)
        self._socket: ClientConnection | None = None
        self._spend: ConnectionBudget | None = None
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._is_lost = False
        self._needed = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect for the first time; Unreachable when that fails."""
        self._spend = self._budget.open()
        try:
            self._socket = await self._connect()
        except GIVE_UP as error:
            self._spend.close()
            raise Unreachable(_reason(error)) from None
        self._work = asyncio.create_task(self._live())

    def start(self) -> None:
        """Connect in the background."""
        self._work = asyncio.create_task(self._live())

    async def close(self) -> None:
        """End it."""
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work

    def takes(self, key: str) -> bool:
        """Whether the key can be asked for on this line: its pushes could not be mistaken for another key's."""
        if key in self.keys:
            return True
        cap = self._budget.caps.subscriptions
        has_room = cap is None or len(self.keys) < cap
        is_alone = self._dialect.address(key) not in self._by_address
        return has_room and is_alone and self._dialect.headers(key) == self.headers

    def want(self, key: str, heard: Heard) -> None:
        """Ask for a key, once; `heard` is called when the exchange has answered."""
        if self.keys.get(key):
            heard(None)
            return
        self._waiting.setdefault(key, []).append(heard)
        if key not in self.keys:
            self.keys[key] = False
            self._by_address[self._dialect.address(key)] = key
            self._needed.set()
            if self._socket is not None:
                self._ask(key)

    def drop(self, key: str) -> None:
        """Nobody wants the key any more."""
        if key in self.keys:
            self._forget(key)
            if self._socket is not None:
                self._outbox.put_nowait(self._dialect.unsubscribe(next(self._ids), key))

    # The connection's life

    async def _live(self) -> None:
        wait_s = self._settings.first_wait_s
        try:
            while True:
                if self._socket is None:
                    # An exchange closes what has no subscription: without a key nothing is worth coming back for.
                    await self._needed.wait()
                    await self._reopen()
                if self._socket is not None:
                    # A connection that confirmed nothing has not helped: waits grow until one does.
                    wait_s = self._settings.first_wait_s if await self._serve(self._socket) else 2 * wait_s
                await asyncio.sleep(min(wait_s, self._settings.longest_wait_s))
                wait_s = min(2 * wait_s, self._settings.longest_wait_s)
        finally:
            await self._end_socket()

    async def _reopen(self) -> None:
        try:
            self._spend = self._budget.open()
        except BudgetSpent as spent:
            await asyncio.sleep(self._settings.longest_wait_s if spent.wait_s is None else spent.wait_s)
            return
        try:
            self._socket = await self._connect()
        except (*GIVE_UP, BudgetSpent):
            self._spend.close()

    async def _connect(self) -> ClientConnection:
        url = self._url if self._signed is None else await self._signed(self._url)
        return await connect(
            url,
            ssl=self._tls,
            additional_headers=self.headers,
            compression=None,
            ping_interval=None,
            max_size=None,
            max_queue=None,
            close_timeout=1.0,
            proxy=None,
        )

    async def _serve(self, socket: ClientConnection) -> bool:
        """Read until the end; whether anything was confirmed."""
        self._outbox = asyncio.Queue()
        for key in self.keys:
            self._ask(key)
        writer = asyncio.create_task(self._write(socket))
        code, reason = ABNORMAL, ""
        try:
            while True:
                async with asyncio.timeout(self._settings.silent_s):
                    message = await socket.recv()
                self._take(message)
        except TimeoutError:
            reason = "silent"
        except ConnectionClosed as closed:
            if closed.rcvd is not None:
                code, reason = closed.rcvd.code, closed.rcvd.reason
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        is_good = any(self.keys.values())
        await self._end_socket()
        self._mourn(code, reason)
        return is_good

    def _mourn(self, code: int, reason: str) -> None:
        is_news = any(self.keys.values()) or (bool(self.keys) and not self._is_lost)
        self.keys = dict.fromkeys(self.keys, False)
        self._asked.clear()
        if is_news:
            self._is_lost = True
            self._owner.lost(self, code, reason)

    async def _end_socket(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.transport.abort()
            await socket.wait_closed()
        if self._spend is not None:
            self._spend.close()

    async def _write(self, socket: ClientConnection) -> None:
        """Requests one after the other and a ping where there is none to send, each within the budget."""
        assert self._spend is not None
        while True:
            try:
                async with asyncio.timeout(self._settings.ping_s):
                    text = await self._outbox.get()
            except TimeoutError:
                text = self._dialect.ping()
            while True:
                try:
                    self._spend.message()
                    break
                except BudgetSpent as spent:
                    await asyncio.sleep(spent.wait_s or 1.0)
            with contextlib.suppress(ConnectionClosed):
                await socket.send(text)

    # What is asked and answered

    def _ask(self, key: str) -> None:
        assert self._spend is not None
        self._spend.subscribe(key)
        number = next(self._ids)
        self._asked[number] = key
        self._outbox.put_nowait(self._dialect.subscribe(number, key))

    def _forget(self, key: str) -> None:
        del self.keys[key]
        self._by_address.pop(self._dialect.address(key), None)
        self._waiting.pop(key, None)
        if not self.keys:
            self._needed.clear()
        if self._spend is not None:
            self._spend.unsubscribe(key)

    def _take(self, message: str | bytes) -> None:
        found = self._dialect.read(message)
        if isinstance(found, Data):
            is_text = isinstance(message, str)
            payload = message.encode() if isinstance(message, str) else message
            key = self._by_address.get(found.address)
            if found is DAMAGED:
                self._owner.damaged(self, payload, is_text)
            elif key is not None:
                self._owner.arrived(self, key, found, payload, is_text)
        elif found is not None:
            self._answered(found)

    def _answered(self, answer: Answer) -> None:
        key = self._asked.pop(answer.request_id, None)
        if key is None:  # an exchange that does not say the id back names the key
            key = next((one for one in answer.keys if self.keys.get(one) is False), None)
        if key is None or key not in self.keys:
            return
        heard = self._waiting.pop(key, [])
        if answer.is_accepted:
            self.keys[key] = True
        else:
            self._forget(key)
        if self._is_lost and all(self.keys.values()):
            self._is_lost = False
            self._owner.back(self)
        for tell in heard:
            tell(None if answer.is_accepted else answer)


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
