"""What a relay reads in the frames that it passed on, and what it answers where it passes nothing on."""

from __future__ import annotations

import time

from shadow.network.topics import Topic, read
from shadow.reference import gateio, mexc
from shadow.reference.events import Book, DecodeError
from shadow.venue.outgoing import Frame
from shadow.venue.personas import mexc_frames
from shadow.venue.personas.gateio_frames import api_refusal
from shadow.venue.relay.dialect import Data
from shadow.venue.relay.oddities import Oddities

__all__ = ["FrameReader", "refusal_of"]


class FrameReader:
    """The frames of one connection, in the order in which they came."""

    def __init__(self) -> None:
        self._oddities: dict[Topic, Oddities] = {}

    def read(self, frame: Frame) -> None:
        """Fill in kind, type, symbol and versions as the reference reads them.

        What it cannot read was damaged before it came here, and what the exchange repeats or sends out of order is
        its own doing: both excuse what the same fault of a venue's would.
        """
        module = mexc if frame.connection.startswith("mexc") else gateio
        try:
            events = module.decode(frame.payload, frame.is_text)
        except DecodeError:
            frame.fault = "corrupt"
            return
        if not events:
            frame.kind = "control"
            return
        first = events[0]
        frame.channel, frame.symbol, frame.events = first.type, first.symbol, len(events)
        if isinstance(first, Book):
            frame.first, frame.last = first.first, first.last
        topic = frame.channel, frame.symbol
        data = Data(topic, frame.events, frame.first, frame.last)
        frame.fault = self._oddities.setdefault(topic, Oddities()).of(data, frame.payload)


def refusal_of(exchange: str, payload: bytes) -> bytes:
    """The exchange's own form of saying that a frame was not accepted."""
    frame = read(payload)
    if exchange == "mexc":
        number = frame.get("id")
        return mexc_frames.control(number if isinstance(number, int) else 0, "refused by the relay")
    return api_refusal(str(frame.get("channel", "")), frame.get("payload"), time.time(), "relay")
