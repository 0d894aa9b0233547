"""A reproducer on disk: frames and expected events as data, a fixed test that reads them, a page on how to run it.

`case.json` says what differed and what the stack is started with, `frames.jsonl` holds each frame in order (payload in
base64) and the REST books, `expected.json` for each frame the events that the reference read from it.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from shadow.errors import RunError
from shadow.reference.events import Balance, Book, BookTicker, Event, Fill, Order, Position, Ticker, Trade

__all__ = ["Case", "Fault", "Fed", "RestBook", "read_case", "write_case"]

STRUCTS: Final[dict[str, type[Event]]] = {
    one.type: one for one in (Book, Trade, BookTicker, Ticker, Order, Fill, Balance, Position)
}
TEMPLATE: Final = Path(__file__).with_name("template.py")
DATA: Final = ("case.json", "frames.jsonl", "expected.json")


class Fed(msgspec.Struct, frozen=True):
    """One data frame as the venue sent it; `at_ns` counts from the first frame of the list."""

    at_ns: int
    channel: str
    symbol: str
    payload: bytes
    is_text: bool
    fault: str = ""


class RestBook(msgspec.Struct, frozen=True):
    """The REST book that is served for a symbol (exchange's spelling), whatever the position in the frames."""

    symbol: str
    version: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


class Fault(msgspec.Struct, frozen=True):
    """What is to show again: a difference's code and path on one connection."""

    code: str
    connection: str
    type: str
    symbol: str
    field: str

    def words(self) -> str:
        """On one line, whatever a subject put into it."""
        parts = (self.code, self.connection, self.type, self.symbol, self.field)
        return " ".join(re.sub(r"[^\w .:/-]", "?", part)[:60] for part in parts if part)


class Case(msgspec.Struct, kw_only=True):
    """One reproducer. An empty `command` is our own new stack; symbols in the Gate.io spelling.

    `held` are optional fields, by event type, that the stack may not leave null. `expected` has one list per frame.
    """

    schema: int = 1
    fault: Fault
    command: str
    options: dict[str, Any]
    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    held: dict[str, list[str]]
    books: list[RestBook] = []
    frames: list[Fed] = []
    expected: list[list[Event]] = []


class _Head(msgspec.Struct):
    schema: int
    fault: Fault
    command: str
    options: dict[str, Any]
    symbols: tuple[str, ...]
    channels: tuple[str, ...]
    held: dict[str, list[str]]


class _Line(msgspec.Struct, omit_defaults=True):
    kind: str
    symbol: str
    at_ns: int = 0
    channel: str = ""
    is_text: bool = True
    fault: str = ""
    payload: str = ""
    version: int = 0
    bids: list[tuple[str, str]] = []
    asks: list[tuple[str, str]] = []


def write_case(case: Case, folder: Path, said: Sequence[str]) -> None:
    """Write the folder (mode 0700, it must not be there); `said` are lines for the page: how the frames were found."""
    folder.mkdir(parents=True, mode=0o700)
    head = _Head(**{name: getattr(case, name) for name in _Head.__struct_fields__})
    rests = [_Line("rest", one.symbol, version=one.version, bids=one.bids, asks=one.asks) for one in case.books]
    frames = [
        _Line("ws", one.symbol, one.at_ns, one.channel, one.is_text, one.fault, b64encode(one.payload).decode())
        for one in case.frames
    ]
    (folder / "case.json").write_bytes(msgspec.json.format(msgspec.json.encode(head), indent=1) + b"\n")
    (folder / "frames.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in [*rests, *frames]))
    expected = [[_plain(event) for event in events] for events in case.expected]
    (folder / "expected.json").write_bytes(msgspec.json.format(msgspec.json.encode(expected), indent=1) + b"\n")
    (folder / "test_reproducer.py").write_bytes(TEMPLATE.read_bytes())
    (folder / "README.md").write_text(_page(case, said))


def read_case(folder: Path) -> Case:
    """The case in a folder; RunError names the folder where a file is missing or damaged."""
    try:
        head = msgspec.json.decode((folder / DATA[0]).read_bytes(), type=_Head)
        lines = [msgspec.json.decode(line, type=_Line) for line in (folder / DATA[1]).read_bytes().splitlines()]
        found = msgspec.json.decode((folder / DATA[2]).read_bytes(), type=list[list[dict[str, Any]]])
        frames = [
            Fed(one.at_ns, one.channel, one.symbol, b64decode(one.payload, validate=True), one.is_text, one.fault)
            for one in lines
            if one.kind == "ws"
        ]
        expected = [[_event(fields) for fields in events] for events in found]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{folder} holds no whole reproducer: {error}") from None
    if not frames or len(frames) != len(expected):
        raise RunError(f"{folder} holds no whole reproducer: {len(frames)} frames, {len(expected)} lists of events")
    books = [RestBook(one.symbol, one.version, one.bids, one.asks) for one in lines if one.kind == "rest"]
    given = {name: getattr(head, name) for name in _Head.__struct_fields__}
    return Case(**given, books=books, frames=frames, expected=expected)


def _plain(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    fields.pop("nearest", None)
    return {"type": event.type, **fields}


def _event(fields: dict[str, Any]) -> Event:
    return msgspec.convert({k: v for k, v in fields.items() if k != "type"}, STRUCTS[fields["type"]])


PAGE: Final = """# {title}

{said}

```console
$ python -m pytest --import-mode=importlib test_reproducer.py
```

It takes a few seconds, fails while the fault is there and passes when the stack is mended. It needs pytest, this
project, and the stack: it starts the command named in `case.json` (where that is empty, our own new stack), so look at
it before you run a reproducer that somebody sent you. Another command goes into `$WS_SHADOW_REPRODUCER_NEW`; relative
paths in it count from where pytest is called.

| file | what |
|---|---|
| `frames.jsonl` | the frames in order, payload in base64, and the REST books that the stack may ask for |
| `expected.json` | for each frame the events that the reference read from it |
| `case.json` | what differed; command, symbols and channels of the stack |
| `test_reproducer.py` | the same in every reproducer; it holds nothing of the data |
"""


def _page(case: Case, said: Sequence[str]) -> str:
    return PAGE.format(title=case.fault.words(), said="\n".join(f"* {line}" for line in said))
