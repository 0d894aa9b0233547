"""The harness's own parts of a forked session, forked too: half a second of CPU time for each session.

The venue, the relay and the recorder import as much as the session itself has at hand. In a forked process each runs
its `__main__` with the standard streams, descriptors, environment, signals and process group that a started one has.
"""

from __future__ import annotations

import gc
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from shadow.children import Child
from shadow.verdict import legs

__all__ = ["fork_parts"]

PARTS = frozenset({"shadow.capture.recorder", "shadow.network", "shadow.venue"})
"""Modules that are run as a part; others, which are measured or import the stacks, are started."""
SIGNALS: dict[signal.Signals, Any] = {
    **dict.fromkeys((signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM), signal.SIG_DFL),
    **dict.fromkeys((signal.SIGPIPE, signal.SIGXFSZ), signal.SIG_IGN),
    signal.SIGINT: signal.default_int_handler,
}
MOST_FDS = 4096

# What was imported stays to the end: no part need look for garbage in it.
gc.collect()
gc.freeze()


def fork_parts() -> None:
    """From now on, `Child.start` forks a part where it would start an interpreter, and a judge forks its workers.

    They begin before the session, which leaves Arrow to its parts, has read a table: there are no threads to survive.
    """
    legs.START = "fork"
    start = Child.start

    async def forked(name: str, module: str, *, pass_fds: Iterable[int] = (), **rest: Any) -> Child:
        if module in PARTS:
            before = rest.pop("before_program", None)
            rest["before_program"] = partial(become, module, [0, 1, 2, *pass_fds], rest.get("environment"), before)
        return await start(name, module, pass_fds=tuple(pass_fds), **rest)

    setattr(Child, "start", forked)  # noqa: B010


def become(
    module: str, kept: list[int], environment: Mapping[str, str] | None, before_program: Callable[[], None] | None
) -> None:
    """In the forked process, where its program would be loaded next: be `python -m module`, and end."""
    code: object = 1
    try:
        if before_program is not None:
            before_program()
        close_all_but(kept)
        start_afresh(environment)
        sys.argv = [module]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
    except BaseException:  # noqa: BLE001 - this is where a started program would print it and end
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def close_all_but(kept: list[int]) -> None:
    """The last one of those that are closed tells the parent that the program has been loaded."""
    bounds = [*sorted(set(kept)), MOST_FDS]
    for low, high in pairwise(bounds):
        os.closerange(low + 1, high)


def start_afresh(environment: Mapping[str, str] | None) -> None:
    """Signals, streams and environment as an interpreter finds them."""
    signal.set_wakeup_fd(-1)
    for number, action in SIGNALS.items():
        signal.signal(number, action)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - they stay open to the end
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    if environment is not None:
        os.environ.clear()
        os.environ.update(environment)
