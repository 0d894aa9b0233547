"""`shadow` in a process of its own that need not import first: a second of CPU time for each session that is judged.

A server that has imported what a session, its verdict and its report take forks for every call. What comes before
`main()`, the start of the interpreter, is left to the tests that start the program as a person does. The session's own
parts are forked likewise (see `forked_parts`); the stacks that it measures start as they do for a person.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

__all__ = ["shadow"]

Answer = subprocess.CompletedProcess[str]
SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        *("shadow.cli", "shadow.session", "shadow.verdict.judge", "shadow.verdict.write", "reports.index"),
        *("reports.session", "reports.figures", "jinja2", "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet"),
        *("matplotlib.backends.backend_svg", "matplotlib.figure", "matplotlib.style"),
        *("shadow.venue.control", "shadow.venue.loop", "shadow.network.direct", "shadow.capture.intake"),
        *("shadow.capture.watch", "shadow.capture.writer", "shadow.many_sessions", "tests.forked_parts"),
    ]
)


def shadow(*words: str, cwd: Path, timeout_s: float, **environment: str) -> Answer:
    """Call the command line and wait; TimeoutExpired, and the process is killed, where it takes longer."""
    with tempfile.TemporaryDirectory() as folder:
        said = {number: Path(folder) / str(number) for number in (1, 2)}
        process = SERVER.Process(target=run, args=(words, cwd, {**os.environ, **environment}, said))
        process.start()
        process.join(timeout_s)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, timeout_s, stderr=said[2].read_bytes())
        return Answer(words, int(process.exitcode or 0), said[1].read_text(), said[2].read_text())


def run(words: tuple[str, ...], cwd: Path, environment: dict[str, str], said: dict[int, Path]) -> None:
    """In the forked process: be what `python -m shadow.cli` is there."""
    from shadow.cli import main
    from tests.forked_parts import fork_parts

    for number, path in said.items():
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    fork_parts()
    sys.exit(main(words))
