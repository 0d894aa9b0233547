"""The venue's frames of one leg, read once by the reference and shared by both sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from shadow.diff.forms import Form, form_of
from shadow.reference import gateio, mexc
from shadow.reference.events import Book, DecodeError, Event

__all__ = ["FRAME_COLUMNS", "Columns", "Frame", "FrameStore", "Frames", "Send", "columns_of", "first_sends", "rows_of"]

Columns: TypeAlias = Mapping[str, Sequence[Any]]
"""A table as column name to values."""
FRAME_COLUMNS: Final = ("frame_no", "connection", "kind", "channel", "symbol", "payload", "is_text", "fault")


class Frame(msgspec.Struct, gc=False):
    """One data frame: what it is, its bytes, and the events that the reference reads from it."""

    frame_no: int
    connection: str
    channel: str
    symbol: str
    payload: bytes
    is_text: bool
    fault: str
    events: list[Event]
    readable: bool
    known_forms: list[Form] | None = None

    def forms(self) -> list[Form]:
        """The events' canonical forms; worked out once."""
        if self.known_forms is None:
            self.known_forms = [form_of(event) for event in self.events]
        return self.known_forms


Frames: TypeAlias = Mapping[int, Frame]
"""Frames by number."""
NONE: Final[Frames] = {}


class Send(msgspec.Struct, gc=False):
    """One frame written to one side."""

    frame: Frame
    conn_no: int
    t_sent: int
    first_written: bool
    queued: bool
    burst: int


def columns_of(table: Any) -> Columns:
    """A table's columns, from a mapping of columns, a list of row dicts or a pyarrow Table."""
    if isinstance(table, Mapping):
        return table
    if isinstance(table, Sequence):
        return {name: [row.get(name) for row in table] for name in (table[0] if table else ())}
    found: Columns = table.to_pydict()
    return found


def rows_of(table: Any) -> list[dict[str, Any]]:
    """A small table as row dicts."""
    columns = columns_of(table)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def first_sends(frame_no: npt.NDArray[np.int64], t_sent: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """When (ns) each frame was first sent to one side, ascending; another connection of the side may get it again."""
    in_order = np.argsort(t_sent, kind="stable")
    _, firsts = np.unique(frame_no[in_order], return_index=True)
    return np.asarray(t_sent[in_order][np.sort(firsts)])


class FrameStore:
    """Frames by number, REST books and the venue's whole run of book updates by (connection, symbol).

    A frame that is among those `read` before, with the same bytes, is not read again.
    """

    def __init__(self, table: Any, read: Frames = NONE) -> None:
        self.read = read
        self.frames: dict[int, Frame] = {}
        self.rest_books: dict[tuple[str, str], list[Book]] = {}
        self.updates: dict[tuple[str, str], list[Book]] = {}
        self.unreadable = 0
        columns = columns_of(table)
        for row in zip(*(columns.get(name, ()) for name in FRAME_COLUMNS), strict=True):
            self.add(*row)
        for key, updates in self.updates.items():
            self.updates[key] = in_version_order(updates)

    def add(
        self, no: int, connection: str, kind: str, channel: str, symbol: str, payload: bytes, is_text: bool, fault: str
    ) -> None:
        """Read one row of the frames table."""
        if kind == "rest":
            self.add_rest(connection, symbol, payload)
        if kind != "ws":
            return
        old = self.read.get(no)
        if old is not None and old.payload is payload and (old.connection, old.is_text) == (connection, is_text):
            events, readable, forms = old.events, old.readable, old.known_forms
        else:
            (events, readable), forms = self.decode(connection, payload, is_text), None
        if not readable and not fault:
            self.unreadable += 1
        self.frames[no] = Frame(no, connection, channel, symbol, payload, is_text, fault, events, readable, forms)
        for event in events:
            if isinstance(event, Book) and event.last is not None:
                self.updates.setdefault((connection, event.symbol), []).append(event)

    def add_rest(self, connection: str, symbol: str, payload: bytes) -> None:
        """Keep a REST book; an answer that is none (an error page) is no book."""
        module = mexc if connection.startswith("mexc") else gateio
        try:
            book = module.rest_book(payload, symbol)
        except DecodeError:
            return
        self.rest_books.setdefault((connection, symbol), []).append(book)

    def decode(self, connection: str, payload: bytes, is_text: bool) -> tuple[list[Event], bool]:
        """The reference's reading, and whether it could read at all."""
        module = mexc if connection.startswith("mexc") else gateio
        try:
            return module.decode(payload, is_text), True
        except DecodeError:
            return [], False


def in_version_order(updates: list[Book]) -> list[Book]:
    """Each version range once, ascending; frames sent twice or altered per side leave one."""
    by_last: dict[int, Book] = {}
    for update in updates:
        by_last.setdefault(update.last or 0, update)
    return [by_last[last] for last in sorted(by_last)]
