"""The process that reduces a long session: `python -m shadow.stretches`, JSON lines on stdin and stdout.

The first line is a `Start`. Each look tells `{"k":"look",..}` with what was judged, and which bytes were deleted of
which table. `hold` stops the looking, answered with `held`; `finish` judges the rest, answered with `finished`.
"""

from __future__ import annotations

import os
import selectors
import sys
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from shadow.errors import ShadowError

if TYPE_CHECKING:
    from shadow.stretches.reducer import Reducer

__all__ = ["Start", "main"]

EVERY_S: Final = 1.0


class Start(msgspec.Struct, forbid_unknown_fields=True):
    """The first line on stdin; sizes in bytes, `stretch_s` how long a stretch is at least."""

    dir: str
    stretch_s: float
    keep_bytes: int
    keep_one_in: int = 1


def main() -> int:
    """Reduce one run on this process's stdin and stdout; returns the exit code."""
    os.nice(5)
    first = sys.stdin.buffer.readline()
    if not first:
        return 1
    start = msgspec.json.decode(first, type=Start)
    import pyarrow as pa

    from shadow.stretches.reducer import Reducer

    pa.set_cpu_count(1)
    try:
        return _follow(Reducer(Path(start.dir), start.stretch_s, start.keep_bytes, start.keep_one_in))
    except ShadowError as fault:
        sys.stderr.write(f"{fault}\n")
        return fault.exit_code


def _follow(reducer: Reducer) -> int:
    is_held = False
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            if selector.select(EVERY_S):
                line = sys.stdin.buffer.readline()
                command = orjson.loads(line)["cmd"] if line else ""
                if command == "hold":
                    is_held = True
                    _say({"k": "held"})
                    continue
                if command == "finish":
                    reducer.finish()
                    _say({"k": "finished"})
                return 0
            if not is_held:
                freed = reducer.look(perf_counter_ns())
                _say({"k": "look", "freed": freed, "differences": sorted(reducer.differences)})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
