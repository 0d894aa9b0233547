"""Hears both ends: the venue's ledger as it is written, the consumer's lines as they are delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter_ns
from typing import Any, Final

import msgspec
import orjson

from shadow.capture.tables import COLUMNS
from shadow.reference import gateio, mexc
from shadow.reference.events import Event
from shadow.rehearsal.served import Stream

__all__ = ["Ear", "LedgerPipe", "LinePipe", "StreamKey"]

StreamKey = tuple[str, str, str]
"""Connection, event type, symbol in the exchange's spelling; balances have none."""
LOOK_S: Final = 0.05
QUIET_NS: Final = 3_000_000_000
_FRAME: Final = {name: place for place, name in enumerate(COLUMNS["frames"])}
_SEND: Final = {name: place for place, name in enumerate(COLUMNS["sends"])}
_LINK: Final = {name: place for place, name in enumerate(COLUMNS["connections"])}


class Ear:
    """Both ends by stream, who serves each unit, and who has subscribed to what."""

    def __init__(self) -> None:
        self.streams: dict[StreamKey, Stream] = {}
        self.serving: dict[str, str] = {}
        self.moves: list[dict[str, Any]] = []
        self.flips: list[dict[str, Any]] = []
        self.gaps: dict[str, int] = {}
        self.errors: list[dict[str, Any]] = []
        self.subscribed: set[tuple[str, int, str, str]] = set()
        self.drops = 0
        self.ledger_ns = 0
        """Up to when the ledger is known: the newest send."""
        self.heard_ns = 0
        """Up to when the consumer's deliveries are known: its newest beat."""
        self.has_ended = False
        self.changed = asyncio.Event()
        self._unsent: dict[int, tuple[str, list[Event]]] = {}

    def row(self, table: str, row: Sequence[Any]) -> None:
        """One row of the venue's ledger."""
        if table == "frames" and row[_FRAME["kind"]] == "ws":
            connection = row[_FRAME["connection"]]
            module = mexc if connection.startswith("mexc") else gateio
            events = module.decode(row[_FRAME["payload"]], row[_FRAME["is_text"]])
            if events:
                self._unsent[row[_FRAME["frame_no"]]] = connection, events
        elif table == "sends":
            self.ledger_ns = max(self.ledger_ns, row[_SEND["t_sent"]])
            connection, events = self._unsent.pop(row[_SEND["frame_no"]], ("", []))
            for event in events:
                self._stream(connection, event.type, event.symbol).owe(event, row[_SEND["t_sent"]])
        elif table == "connections" and row[_LINK["event"]] == "subscribed":
            self.subscribed.add(tuple(row[_LINK[name]] for name in ("connection", "conn_no", "channel", "symbol")))
        elif table == "marks" and "harness-drops" in row:
            self.drops += 1

    def line(self, text: bytes) -> None:
        """One line of the consumer."""
        try:
            body = orjson.loads(text)
        except orjson.JSONDecodeError:
            return
        if not isinstance(body, dict):
            return
        kind = body.get("k")
        if kind == "event":
            self._stream(body["c"], body["type"], body["symbol"]).give(body, body["t"])
        elif kind == "beat":
            self.heard_ns = body["t"]
        elif kind == "serving":
            self.serving[body["unit"]] = body["side"]
            self.moves.append(body)
        elif kind == "flip":
            self.flips.append(body)
        elif kind == "gaps":
            self.gaps[body["unit"]] = body["count"]
        elif kind == "error":
            self.errors.append(body)

    async def until(self, holds: Callable[[], bool], within_s: float) -> None:
        """Wait for what either end, or a file beside them, has to bring; TimeoutError when it does not."""
        async with asyncio.timeout(within_s):
            while not holds():
                self.changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self.changed.wait()

    def is_settled(self) -> bool:
        """Whether all that was owed was delivered, and all that was delivered is told apart.

        Where no more is sent, nothing else says that the ledger is whole but that it has been quiet for a while.
        """
        now = max(self.ledger_ns, perf_counter_ns() - QUIET_NS)
        return all(stream.is_settled(now) for stream in self.streams.values())

    def _stream(self, connection: str, event_type: str, symbol: str | None) -> Stream:
        key = (connection, event_type, symbol or "")
        found = self.streams.get(key)
        if found is None:
            found = self.streams[key] = Stream(event_type)
        return found


class LedgerPipe(asyncio.Protocol):
    """The venue's end: rows of MessagePack, each behind its length in four bytes."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._rest = bytearray()
        self._decode = msgspec.msgpack.Decoder().decode

    def data_received(self, data: bytes) -> None:
        """Read the whole rows among what came."""
        rest = self._rest
        rest += data
        at = 0
        while len(rest) >= at + 4:
            end = at + 4 + int.from_bytes(rest[at : at + 4], "little")
            if len(rest) < end:
                break
            table, *row = self._decode(rest[at + 4 : end])
            self._ear.row(table, row)
            at = end
        del rest[:at]
        self._ear.changed.set()


class LinePipe(asyncio.Protocol):
    """The consumer's end."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Read the whole lines among what came."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for text in lines:
            self._ear.line(text)
        self._ear.changed.set()

    def connection_lost(self, _: Exception | None) -> None:
        """The consumer says nothing more."""
        self._ear.has_ended = True
        self._ear.changed.set()
