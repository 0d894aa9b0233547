"""The table as a page for people, and as JSON."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from shadow.errors import UsageError
from shadow.fault_table.cells import UNSETTLED, Cell, Observed, holds
from shadow.fault_table.plan import ROLES
from shadow.venue.faults import CONNECTIONS, KINDS

__all__ = ["as_json", "asked", "check_page", "page", "table"]

TITLE: Final = "# Faults on every connection\n"
READING: Final = f"""{TITLE}
What each stack makes of each fault that the [venue](venue.md) knows, on each connection that the fault fits. This page
is written by one command, in a few minutes on two cores:

```console
$ shadow faults --out docs/faults.md
```

It exits with 0 when the new stack is ok in every cell, with 10 otherwise; `--json` prints every figure behind the
words, `--kinds` and `--connections` limit it. The legacy stack's column is not judged: its known weaknesses show there.

Each kind is one short session over all its connections, each side hit in its turn while the other one listens, so that
the feed goes on and a hole is a hole. Halfopen takes 41 s for each side, the keep-alive's own time.

| word | what it means |
|---|---|
| ok | recovered: every stream lives; every book, balance, position and order is the venue's; nothing lost; told |
| lost N | N events lost, doubled, invented, altered or out of order beyond what the fault allows |
| did not recover | at the end a stream is silent, or a book, a balance, a position or an order is not the venue's |
| silent | nothing at all came any more, though the venue was sending |
| untold | all is well but for the typed error or change of state that the fault demands |
| not fired | the fault never struck: nothing is proven |
| not measured | the session was cut short, or its accounts do not add up: nothing is proven |
| - | the fault does not fit the connection |

In brackets what the stack told of since the fault: kinds of error, and `state` for a change of the connection's state.
The new stack is called through `create_websocket_manager()`, where a refused proof is told by the state `error` alone;
with `--door direct` it is called by its typed callbacks, which hear of it as `auth`.

* A refused subscription stays refused, in either stack; all others have to live.
* Refusals and late answers strike when the client connects again after a close, the old REST book when it asks for one
  after a hole. The legacy stack asks for no book, so that fault never meets it.
* A book is compared with the reference at the last version sent. The legacy stack keeps none, it hands updates on: its
  book is what a consumer would make of them who gets a right one after each hole.
* An order is held to the updates that were sent. One whose last update fell into a hole stays as it was last told, on
  either side: the exchange does not say it again, and the venue answers no query for it. Such orders are counted below.
"""


def asked(options: argparse.Namespace) -> str:
    """The command as it was given, and the day."""
    limits = (("--connections", options.connections), ("--kinds", options.kinds))
    words = [f"{name} {','.join(values)}" for name, values in limits if values is not None]
    words += [f"--seed {options.seed}"] if options.seed != 1 else []
    words += [f"--door {options.door}"] if options.door != "factory" else []
    words += [f"--{side} {shlex.quote(command)}" for side in ("new", "legacy") if (command := getattr(options, side))]
    return f"`{' '.join(['shadow faults', *words])}` on {datetime.now(UTC):%Y-%m-%d}."


def page(cells: Sequence[Cell], said: str) -> str:
    """The whole page; `said` is the command with its date."""
    return "\n".join([READING, f"## The table\n\n{said}\n", table(cells), *details(cells)]) + "\n"


def table(cells: Sequence[Cell]) -> str:
    """One row for each fault and side, one column for each connection, padded so that a terminal shows it too."""
    columns = [one for one in CONNECTIONS if any(cell.connection == one for cell in cells)]
    by_place = {(cell.kind, cell.connection): cell for cell in cells}
    rows = [["fault", "side", *columns], ["---"] * (2 + len(columns))]
    for kind in KINDS:
        if any(cell.kind == kind for cell in cells):
            rows += [
                [kind if role == "new" else "", role, *(words(by_place.get((kind, one)), role) for one in columns)]
                for role in reversed(ROLES)
            ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows) + "\n"


def words(cell: Cell | None, role: str) -> str:
    """The cell's text for one side."""
    if cell is None:
        return "-"
    side = cell.sides[role]
    told = [*side.errors, *(["state"] if UNSETTLED & side.states.keys() else [])]
    return cell.verdicts()[role] + (f" ({', '.join(told)})" if told else "")


def details(cells: Iterable[Cell]) -> list[str]:
    """A line for each side of a cell that has more to say than ok."""
    lines = [
        f"* {cell.kind}, {cell.connection}, {role}: {verdict}{said(cell.sides[role])}"
        for cell in sorted(cells, key=lambda cell: (list(KINDS).index(cell.kind), CONNECTIONS.index(cell.connection)))
        for role, verdict in reversed(cell.verdicts().items())
        if verdict != "ok" or cell.sides[role].orders_behind
    ]
    return ["\n## Details\n", *lines] if lines else []


def said(side: Observed) -> str:
    """What lies behind a word."""
    orders = sum(name.startswith("order ") for name in side.account)
    account = [name for name in side.account if not name.startswith("order ")] + [f"{orders} orders"] * bool(orders)
    parts = [
        side.unusable,
        ", ".join(f"{count} {what}" for what, count in side.lost.items()),
        f"{len(side.silent)} of {side.streams} streams silent" if side.silent else "",
        f"books not equal: {', '.join(side.books)}" if side.books else "",
        f"account not equal: {', '.join(account)}" if account else "",
        f"orders whose end fell into the hole: {side.orders_behind}" if side.orders_behind else "",
    ]
    return "".join(f"; {part}" for part in parts if part)


def as_json(cells: Sequence[Cell]) -> dict[str, Any]:
    """Every figure, with the words."""
    return {
        "schema": 1,
        "new_holds": holds(list(cells)),
        "cells": [
            {
                "kind": cell.kind,
                "connection": cell.connection,
                "sides": {
                    role: {"verdict": cell.verdicts()[role], **msgspec.to_builtins(side)}
                    for role, side in cell.sides.items()
                },
            }
            for cell in cells
        ],
    }


def check_page(path: Path) -> None:
    """UsageError where a page cannot be written: no folder, or a file that is no page of this command's."""
    if not path.parent.is_dir():
        raise UsageError(f"--out {path}: there is no folder {path.parent}; make it first")
    if path.exists() and not (path.is_file() and path.read_bytes().startswith(TITLE.encode())):
        raise UsageError(f"--out {path} is not a page that this command wrote; give a new file")
