"""The life of a listen key: made before the socket, extended while it lives, replaced when refused, deleted at last."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Protocol
from urllib.parse import quote

import msgspec

from exchanges.structs.errors import AuthenticationError, AuthenticationTimeout, ExchangeError, ExchangeRestError
from infrastructure.networking.websocket.base_interface import BaseWebSocketInterface
from infrastructure.networking.websocket.mixins.auth_mixin import AuthMixin
from infrastructure.networking.websocket.mixins.connection_mixin import ConnectionMixin
from infrastructure.networking.websocket.transport import ConnectFailed, Transport, TransportSettings

__all__ = ["ListenKeyRefused", "ListenKeys", "MexcListenKeyMixin"]

# What the exchange answers about a key that it does not know; anything else may pass and is tried again.
KEY_UNKNOWN = (400, 404)


class ListenKeyRefused(AuthenticationError):
    """The exchange does not know this listen key, or no longer; the next connection makes a new one."""

    reconnect_helps = True


class ListenKeys(Protocol):
    """Where keys come from; errors as of MexcListenKeys."""

    async def create(self) -> str: ...

    async def extend(self, key: str) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def close(self) -> None: ...


class MexcListenKeyMixin(ConnectionMixin, AuthMixin, BaseWebSocketInterface):
    """Authentication by the key in the address. Stands before the handler in the bases.

    No frame is sent, and the exchange says nothing of a good key until it answers a subscription: so
    `requires_authentication` is False, and the handler awaits `authenticate` behind its subscriptions. The handler
    calls `_note_accepted` at any answer and `_refuse_key` when the exchange names the key invalid.
    """

    EXTEND_EVERY_S: ClassVar[float] = 1800.0
    RETRY_EXTEND_S: ClassVar[float] = 60.0
    AUTH_TIMEOUT_S: ClassVar[float] = 10.0

    def __init__(
        self,
        *args: Any,
        keys: ListenKeys,
        extend_every_s: float | None = None,
        auth_timeout_s: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._keys = keys
        self._extend_every_s = extend_every_s or self.EXTEND_EVERY_S
        self._auth_timeout_s = auth_timeout_s or self.AUTH_TIMEOUT_S
        self._listen_key: str | None = None
        self._extended_at = 0.0
        self._accepted: asyncio.Future[AuthenticationError | None] | None = None
        self._extend_task: asyncio.Task[None] | None = None

    def requires_authentication(self) -> bool:
        """No step of its own: the address is the proof."""
        return False

    def create_auth_message(self) -> dict[str, Any] | None:
        """Nothing is sent."""
        return None

    async def authenticate(self) -> bool:
        """Wait until the exchange answered on this connection; False when it ended first.

        ListenKeyRefused when it named the key invalid, AuthenticationTimeout without any answer within the limit.
        """
        accepted, reader = self._accepted, self._reader_task
        if accepted is None or reader is None:
            return False
        either: set[asyncio.Future[Any]] = {accepted, reader}
        await asyncio.wait(either, timeout=self._auth_timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if accepted.done():
            error = accepted.result()
            if error is not None:
                raise error
            return True
        if reader.done():
            return False
        raise AuthenticationTimeout(f"no answer on a listen key within {self._auth_timeout_s:g} s")

    async def connect(self) -> Transport:
        """Open the socket with a valid key, an earlier one where it was accepted; no error tells the key."""
        key = await self._valid_key()
        try:
            websocket = await self._open(key)
        except ConnectFailed as error:
            if error.cause == "authentication_failure":
                self._listen_key = None
            raise
        self._accepted = asyncio.get_running_loop().create_future()
        self._extend_task = asyncio.create_task(self._extend_regularly(key))
        return websocket

    async def _open_successor(self) -> Transport:
        """A second socket with the key of the first; its extension goes on."""
        if self._listen_key is None:
            raise ListenKeyRefused("the listen key is not valid any more")
        return await self._open(self._listen_key)

    async def _open(self, key: str) -> Transport:
        try:
            return await super().connect()
        except ConnectFailed as error:
            raise ConnectFailed(error.cause, str(error).replace(key, "***")) from None

    def transport_settings(self) -> TransportSettings:
        """As everywhere, with the key in the address."""
        settings = super().transport_settings()
        separator = "&" if "?" in settings.url else "?"
        return msgspec.structs.replace(
            settings, url=f"{settings.url}{separator}listenKey={quote(self._listen_key or '')}"
        )

    async def _valid_key(self) -> str:
        """The key at hand while it is valid, which is twice as long as the time between extensions, or a new one."""
        now = asyncio.get_running_loop().time()
        if self._listen_key is None or now - self._extended_at >= 2 * self._extend_every_s:
            self._listen_key = None
            self._listen_key = await self._keys.create()
            self._extended_at = now
        return self._listen_key

    async def _extend_regularly(self, key: str) -> None:
        """Extend while the connection lives. A failure is tried again, an unknown key gives the connection up."""
        loop = asyncio.get_running_loop()
        due = self._extended_at + self._extend_every_s
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            asked = loop.time()
            try:
                await self._keys.extend(key)
            except ExchangeError as error:
                if isinstance(error, ExchangeRestError) and error.code in KEY_UNKNOWN:
                    self._refuse_key(str(error))
                    return
                self.logger.warning("Listen key not extended: %s", error)
                self._on_error("auth", error)
                due = asked + self.RETRY_EXTEND_S
            else:
                self._extended_at = asked
                due = asked + self._extend_every_s

    def _note_accepted(self) -> None:
        """The exchange answered on this connection, so the key is good."""
        if self._accepted is not None and not self._accepted.done():
            self._accepted.set_result(None)

    def _refuse_key(self, text: str) -> None:
        """Leave this connection; the next one has a new key."""
        error = ListenKeyRefused(text)
        self._listen_key = None
        if self._accepted is not None and not self._accepted.done():
            self._accepted.set_result(error)
            return
        self.logger.warning("Listen key refused: %s", error)
        self._on_error("auth", error)
        if self._websocket is not None:
            self._websocket.abort()

    def _on_disconnected(self) -> None:
        super()._on_disconnected()
        if self._extend_task is not None:
            self._extend_task.cancel()
        accepted, self._accepted = self._accepted, None
        if accepted is not None and not accepted.done() and not self._is_closing:
            self._listen_key = None  # nothing was ever heard on it

    async def _release(self) -> None:
        try:
            await self._end(self._extend_task)
            if self._listen_key is not None:
                await self._keys.delete(self._listen_key)
        finally:
            await self._keys.close()
            await super()._release()
