"""A frame on its way out: what the ledger keeps of it and the bytes that go to the socket."""

from __future__ import annotations

from shadow.venue.wire import Push, Reply

__all__ = ["Frame", "frame_bytes"]

_TEXT, _BINARY = 0x81, 0x82


class Frame:
    """One message to be sent to one or several clients.

    `no` is its ledger number, 0 until it was first sent; `wire` holds header and payload as an unmasked server frame
    (RFC 6455, section 5.2), built once for all receivers.
    """

    __slots__ = (
        "channel",
        "connection",
        "events",
        "fault",
        "first",
        "is_text",
        "kind",
        "last",
        "no",
        "payload",
        "symbol",
        "wire",
    )

    def __init__(
        self,
        connection: str,
        kind: str,
        channel: str,
        symbol: str,
        payload: bytes,
        is_text: bool,
        first: int | None = None,
        last: int | None = None,
        events: int = 0,
        fault: str = "",
    ) -> None:
        self.no = 0
        self.connection = connection
        self.kind = kind
        self.channel = channel
        self.symbol = symbol
        self.first = first
        self.last = last
        self.payload = payload
        self.is_text = is_text
        self.events = events
        self.fault = fault
        self.wire = b"" if kind == "rest" else frame_bytes(payload, is_text)

    @classmethod
    def of_push(cls, connection: str, push: Push) -> Frame:
        """A data frame."""
        return cls(
            connection,
            "ws",
            push.channel,
            push.symbol,
            push.payload,
            push.is_text,
            push.first,
            push.last,
            push.events,
        )

    @classmethod
    def of_reply(cls, connection: str, reply: Reply) -> Frame:
        """A control frame: ack, refused, pong or error."""
        return cls(connection, "control", reply.kind, "", reply.payload, reply.is_text)

    def altered(self, payload: bytes, fault: str, events: int = 0) -> Frame:
        """The same frame with other bytes, a frame of its own in the ledger."""
        return Frame(
            self.connection,
            self.kind,
            self.channel,
            self.symbol,
            payload,
            self.is_text,
            self.first,
            self.last,
            events,
            fault,
        )


def frame_bytes(payload: bytes, is_text: bool) -> bytes:
    """One whole unmasked data frame."""
    return _header(_TEXT if is_text else _BINARY, len(payload)) + payload


def _header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")
