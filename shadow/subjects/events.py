"""What the callers' door hands over (ParsedMessage) as protocol event lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

from exchanges.structs import MessageType, ParsedMessage, Symbol
from infrastructure.networking.websocket.migration.lines import put_events
from shadow.subjects.emit import Emitter

__all__ = ["message_sink"]


def message_sink(
    emitter: Emitter,
    connection: str,
    names: Mapping[Symbol, str],
    burn: Callable[[], None] | None,
    confirmed: Callable[[], None],
) -> Callable[[ParsedMessage], Any]:
    """The consumer's async callback for one connection.

    `t` is taken first thing, after the busy loop where one is asked for. `names` gives the start line's spelling.
    `confirmed` is called at each subscription confirmation.
    """
    put = emitter.put

    def spelt(symbol: Symbol) -> str:
        return names.get(symbol) or f"{symbol.base}_{symbol.quote}"

    def other(kind: MessageType, t: int, message: ParsedMessage) -> None:
        if kind is MessageType.SUBSCRIPTION_CONFIRM:
            confirmed()
        elif kind in (MessageType.ERROR, MessageType.SUBSCRIPTION_ERROR):
            name = "subscribe" if kind is MessageType.SUBSCRIPTION_ERROR else "decode"
            text = str(message.data if message.data is not None else message.raw_data)[:500]
            put({"k": "error", "c": connection, "t": t, "kind": name, "message": text})

    async def on_message(message: ParsedMessage) -> None:
        if burn is not None and message.message_type > 0:
            burn()
        t = perf_counter_ns()
        if not put_events(put, connection, t, message, spelt):
            other(message.message_type, t, message)

    return on_message
