"""The transport `picows`: the seam over a compiled library. It comes with the extra `fast`; it knows no compression."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from urllib.parse import urlsplit

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSInvalidStatusError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from infrastructure.networking.websocket.delivery import UNLIMITED, Deliver, Delivery
from infrastructure.networking.websocket.transport import (
    ConnectFailed,
    ConnectionEnded,
    Transport,
    TransportSettings,
)

__all__ = ["open_picows"]

TEXT, BINARY, CONT, PONG, CLOSE = (
    WSMsgType.TEXT,
    WSMsgType.BINARY,
    WSMsgType.CONTINUATION,
    WSMsgType.PONG,
    WSMsgType.CLOSE,
)
DATA = (TEXT, BINARY, CONT)
ABNORMAL = 1006


class _Listener(WSListener):
    """What the library calls: messages go on, pongs wake their pings, a close is answered."""

    def __init__(self, settings: TransportSettings) -> None:
        self.delivery = Delivery(settings.max_waiting)
        self.pings: dict[bytes, asyncio.Future[object]] = {}
        self.largest = UNLIMITED if settings.max_message_size is None else settings.max_message_size
        self._hand_on = self.delivery.hand_on
        self._pieces: bytearray | None = None
        self._is_deaf = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.delivery.attach(transport.underlying_transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if self._is_deaf:
            return
        if frame.rsv1 or frame.rsv2 or frame.rsv3 or (kind in DATA and (kind == CONT) != (self._pieces is not None)):
            self._refuse(transport, WSCloseCode.PROTOCOL_ERROR)
        elif kind in DATA:
            size = frame.payload_size + (len(self._pieces) if self._pieces is not None else 0)
            if size > self.largest:
                self._refuse(transport, WSCloseCode.MESSAGE_TOO_BIG)
            elif frame.fin and self._pieces is None:
                self._hand_on(frame.get_payload_as_bytes())
            else:
                self._put_together(frame)
        elif kind == PONG:
            self._on_pong(frame.get_payload_as_bytes())
        elif kind == CLOSE:
            self._is_deaf = True
            if not transport.is_close_frame_sent:
                transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        for pong in self.pings.values():
            if not pong.done():
                pong.set_exception(ConnectionEnded(ABNORMAL))
                pong.exception()  # whoever waits gets it; nobody need wait
        self.pings.clear()
        self.delivery.end(ended(transport))

    def _put_together(self, frame: WSFrame) -> None:
        pieces = self._pieces = self._pieces if self._pieces is not None else bytearray()
        pieces += frame.get_payload_as_bytes()
        if frame.fin:
            self._pieces = None
            self._hand_on(bytes(pieces))

    def _refuse(self, transport: WSTransport, code: WSCloseCode) -> None:
        """The server's mistake ends the connection; what stands behind it is not a message any more."""
        self._is_deaf = True
        transport.send_close(code, b"")
        transport.disconnect()

    def _on_pong(self, payload: bytes) -> None:
        """A pong answers its ping and those before it."""
        if payload in self.pings:
            for sent in list(self.pings):
                pong = self.pings.pop(sent)
                if not pong.done():
                    pong.set_result(None)
                if sent == payload:
                    return


def ended(transport: WSTransport) -> ConnectionEnded:
    """Why the connection ended: by a close frame that came, else abnormally unless we closed it in order."""
    handshake = transport.close_handshake
    if handshake is not None and handshake.recv is not None:
        return ConnectionEnded(code_of(handshake.recv.code), handshake.recv.reason or "")
    return ConnectionEnded(ABNORMAL)


def code_of(code: WSCloseCode) -> int:
    """A close frame without a code has 0 in it; RFC 6455 calls that 1005."""
    number: int = code.value if isinstance(code, WSCloseCode) else code
    return number or 1005


class _PicowsTransport:
    """A connection of the `picows` library."""

    __slots__ = ("_close_timeout", "_listener", "_pinged", "_transport")

    def __init__(self, transport: WSTransport, listener: _Listener, close_timeout: float) -> None:
        self._transport = transport
        self._listener = listener
        self._close_timeout = close_timeout
        self._pinged = 0

    @property
    def is_open(self) -> bool:
        transport = self._transport
        return not transport.is_disconnected and not transport.is_close_frame_sent

    async def pump(self, deliver: Deliver) -> None:
        await self._listener.delivery.pump(deliver)

    async def send(self, text: str) -> None:
        if not self.is_open:
            raise ended(self._transport)
        self._transport.send(TEXT, text.encode())

    async def ping(self) -> Awaitable[object]:
        if not self.is_open:
            raise ended(self._transport)
        self._pinged += 1
        payload = self._pinged.to_bytes(4, "big")
        pong = self._listener.pings[payload] = asyncio.get_running_loop().create_future()
        self._transport.send_ping(payload)
        return pong

    async def close(self) -> None:
        transport = self._transport
        self._listener.delivery.drain()
        if not transport.is_close_frame_sent:
            transport.send_close(WSCloseCode.OK, b"")
        try:
            async with asyncio.timeout(self._close_timeout):
                await transport.wait_disconnected()
        except TimeoutError:
            transport.disconnect(graceful=False)
        except WSError:
            return

    def abort(self) -> None:
        self._transport.disconnect(graceful=False)


async def open_picows(settings: TransportSettings) -> Transport:
    """Connect with `picows`. Keep-alive is ours; compression is never offered."""
    if urlsplit(settings.url).scheme not in ("ws", "wss"):
        raise ConnectFailed("unknown", f"{settings.url!r} is no ws:// or wss:// address")
    headers = dict(settings.headers)
    if settings.user_agent is not None:
        headers["User-Agent"] = settings.user_agent
    try:
        transport, listener = await ws_connect(
            lambda: _Listener(settings),
            settings.url,
            websocket_handshake_timeout=settings.connect_timeout,
            max_frame_size=min(settings.max_message_size or (1 << 31) - 1, (1 << 31) - 1),
            extra_headers=headers or None,
            max_redirects=0,
            disconnect_on_exception=False,
            use_aiofastnet=False,
        )
    except TimeoutError as error:
        raise ConnectFailed("timeout", f"no connection within {settings.connect_timeout:g} s") from error
    except ConnectionRefusedError as error:
        raise ConnectFailed("connection_refused", str(error)) from error
    except WSInvalidStatusError as error:
        status = int(error.response.status) if error.response is not None else 0
        raise ConnectFailed("authentication_failure" if status in (401, 403) else "unknown", str(error)) from error
    except (OSError, WSError) as error:
        raise ConnectFailed("unknown", str(error) or type(error).__name__) from error
    if not isinstance(listener, _Listener):
        raise ConnectFailed("unknown", "the connection was dropped during the handshake")
    return _PicowsTransport(transport, listener, settings.close_timeout)
