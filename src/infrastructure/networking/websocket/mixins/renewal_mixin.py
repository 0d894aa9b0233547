"""Connections that end by plan: a second one is complete before the first is left, and the consumer sees one stream."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from contextlib import suppress
from typing import Any, ClassVar

from exchanges.structs.errors import AuthenticationError, ConfigurationError, SubscriptionError, TransportError
from exchanges.structs.types import SubscriptionAction, Symbol
from infrastructure.networking.websocket.handlers.consumer_message_handler import ConsumerMessageHandler
from infrastructure.networking.websocket.handlers.sieve import Sieve
from infrastructure.networking.websocket.mixins.subscription_mixin import ChannelT
from infrastructure.networking.websocket.successor import Successor
from infrastructure.networking.websocket.transport import Transport

__all__ = ["RenewalMixin"]


class RenewalMixin(ConsumerMessageHandler[ChannelT]):
    """Renews each connection before the exchange ends it. Stands before the scope's handler in the bases.

    The second connection asks for all that is wanted. When all of it is confirmed, both run for a while. Then the first
    is closed in order and read to its end, and what the second brought meanwhile follows, without what the first had
    delivered. No state is told. Whatever fails before leaves the first alone, is counted, and tried again later; if the
    first breaks while both run, the second takes over at once.
    """

    RENEW_AFTER_S: ClassVar[float] = 23 * 3600.0 + 50 * 60.0
    RETRY_S: ClassVar[float] = 60.0
    CONFIRM_WITHIN_S: ClassVar[float] = 10.0
    OVERLAP_S: ClassVar[float] = 1.0
    GOODBYE_WITHIN_S: ClassVar[float] = 1.0
    # Copies may come behind the change too: for as long as the second connection is behind the first.
    NO_COPIES_FOR_S: ClassVar[float] = 60.0

    _sieve: Sieve | None = None

    def __init__(self, *args: Any, renew_after_s: float | None = None, **kwargs: Any) -> None:
        if renew_after_s is not None and not renew_after_s > 0:
            raise ConfigurationError(f"renew_after_s has to be above 0: {renew_after_s:g}")
        super().__init__(*args, **kwargs)
        self._renew_after_s = renew_after_s or self.RENEW_AFTER_S
        self._renewal_task: asyncio.Task[None] | None = None
        self._change: asyncio.Future[None] | None = None
        self._is_changing = False
        self._opened_at = 0.0

    @abstractmethod
    def _read_answer(self, frame: bytes) -> list[str] | None:
        """The names that a frame confirms, None where it is no answer; raises what the exchange refuses with."""

    async def _open_successor(self) -> Transport:
        """Open a second socket beside the one in use."""
        return await self.connect()

    # When

    async def _establish(self) -> None:
        self._opened_at = asyncio.get_running_loop().time()
        await super()._establish()
        self._renewal_task = asyncio.create_task(self._renew_in_time())

    async def _renew_in_time(self) -> None:
        """Renew each connection before its end, until one ends otherwise."""
        loop = asyncio.get_running_loop()
        due = self._opened_at + self._renew_after_s
        while True:
            await asyncio.sleep(due - loop.time())
            if await self._try_renewal():
                due = self._opened_at + self._renew_after_s
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        await self._outlast_copies()
            else:
                due = loop.time() + min(self.RETRY_S, self._renew_after_s)

    async def _try_renewal(self) -> bool:
        try:
            await self._renew()
        except Exception as error:  # noqa: BLE001 - whatever fails on the second connection, the first one stays
            self.logger.warning("Connection not renewed: %s", str(error) or type(error).__name__)
            self._on_error(_kind_of(error), error)
            return False
        self.renewal_count += 1
        self.logger.info("Connection renewed: %s", self.config.url.partition("?")[0])
        return True

    # How

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        opened_at, change = loop.time(), loop.create_future()
        successor = Successor(await self._open_successor(), self._read_answer)
        self._begin_noting()
        try:
            wanted = await self._ask_again(successor)
            self._change = change
            await self._let_both_run(successor)
            if self._asked or self._wanted.keys() != wanted:
                raise TransportError("subscriptions changed meanwhile")
            await self._change_over(successor)
            self._opened_at = opened_at
        except BaseException:
            self._stop_sifting()
            await successor.drop()
            raise
        finally:
            self._is_changing = False
            change.set_result(None)

    async def _ask_again(self, successor: Successor) -> set[tuple[ChannelT, Symbol]]:
        """Have all confirmed that is wanted now; returns that."""
        wanted = list(self._wanted)
        requests = self.create_subscription_messages(SubscriptionAction.SUBSCRIBE, wanted) if wanted else []
        await successor.ask([(one.text, one.names) for one in requests], self.CONFIRM_WITHIN_S)
        return set(wanted)

    async def _let_both_run(self, successor: Successor) -> None:
        """For a while, or until the first one ends; raises what ended the second."""
        assert self._reader_task is not None
        either: set[asyncio.Task[Any]] = {self._reader_task, successor.reader}
        await asyncio.wait(either, timeout=self.OVERLAP_S, return_when=asyncio.FIRST_COMPLETED)
        successor.check()

    async def _change_over(self, successor: Successor) -> None:
        """Leave the first connection when it is read to its end, and go on with the second."""
        first, reader = self._websocket, self._reader_task
        assert first is not None
        assert reader is not None
        self._is_changing = True
        # From here on what the caller sends goes to the second, and its answers wait there.
        self._websocket = successor.websocket
        self._start_heartbeat(successor.websocket)
        try:
            await self._guard_close(first.close(), self.GOODBYE_WITHIN_S)
            first.abort()
            await asyncio.wait({reader})
            await successor.stop_reading()
        except asyncio.CancelledError:
            self._websocket = first
            raise
        self._failure = None
        if self._sieve is not None:
            self._sieve.is_sifting = True
        for frame in successor.kept:
            self._on_raw_message(frame)
        self._reader_task = asyncio.create_task(self._message_reader(successor.websocket))

    async def _until_ended(self) -> Exception:
        """As everywhere; a reader that a second connection replaces is not the end."""
        while True:
            reader = self._reader_task
            ended = await super()._until_ended()
            if self._change is not None:
                await asyncio.wait({self._change})
            if self._reader_task is reader:
                return ended

    async def _drop(self) -> None:
        await self._end(self._renewal_task)
        self._stop_sifting()
        await super()._drop()

    async def _wind_up(self) -> None:
        """Let a change that has begun come to its end, so that nothing received is left out."""
        if self._is_changing and self._change is not None:
            if self._backlog is not None:
                self._backlog.drain()
            await asyncio.wait({self._change}, timeout=self.config.close_timeout)
        await self._end(self._renewal_task)
        await super()._wind_up()

    # Copies

    def _begin_noting(self) -> None:
        self._sieve = Sieve()
        self.set_callbacks(self.callbacks)

    def _stop_sifting(self) -> None:
        if self._sieve is not None:
            self._sieve = None
            self.set_callbacks(self.callbacks)

    async def _outlast_copies(self) -> None:
        """Sift until no copy came for a while in which the consumer kept up."""
        sieve, copies = self._sieve, -1
        while sieve is not None and (sieve.copies != copies or (self._backlog is not None and self._backlog.is_paused)):
            copies = sieve.copies
            await asyncio.sleep(self.NO_COPIES_FOR_S)
        self._stop_sifting()

    def _bind_data_routes(self) -> None:
        if self._sieve is not None:
            self._put_in_front(self._sieve)
        super()._bind_data_routes()


def _kind_of(error: Exception) -> str:
    if isinstance(error, AuthenticationError):
        return "auth"
    return "subscribe" if isinstance(error, SubscriptionError) else "connect"
