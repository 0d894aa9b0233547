"""What a judged run ends with: its verdict derived, told in a line, and the exit code."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from shadow.errors import UsageError
from shadow.pages import load_drawing

if TYPE_CHECKING:
    from shadow.capture.reader import RunData
    from shadow.verdict.legs import DiffLegs

__all__ = ["EXIT_CODES", "Judging", "existing_run", "tell"]

EXIT_CODES = {"SHIP": 0, "ROLL_BACK": 10, "HOLD": 11, "NOT_FIT": 12}


class Judging:
    """Judges one run; what compares its events starts with `prepare`, or when it is needed, and ends with `with`."""

    def __init__(self, folder: Path, differ: DiffLegs | None = None) -> None:
        self._folder = folder
        self._differ = differ
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def prepare(self) -> None:
        """Load what a judge needs, here and in the workers that compare, for whoever has to wait for the run anyway."""
        from shadow.capture.reader import RunData
        from shadow.verdict.legs import side_by_side

        if self._differ is None:
            self._differ = self._open.enter_context(side_by_side(RunData(self._folder), load_drawing))
        import shadow.verdict.judge  # noqa: F401

    def judge(self) -> dict[str, Any]:
        """Judge the run from its raw data and write what was found; what the report needs is loaded meanwhile."""
        from shadow.capture.reader import RunData

        if not (self._folder / "manifest.json").is_file():
            _seal_interrupted(self._folder)
        self.prepare()
        assert self._differ is not None
        return _judged(RunData(self._folder), self._differ)


def _judged(run: RunData, differ: DiffLegs) -> dict[str, Any]:
    from shadow.verdict.judge import judge
    from shadow.verdict.write import write

    judgement = judge(run, differ)
    write(run.path, judgement)
    verdict: dict[str, Any] = judgement.verdict
    return verdict


def _seal_interrupted(folder: Path) -> None:
    """A run without a manifest ended before its data were sealed; it is judged as interrupted, never as whole."""
    from shadow.capture.manifest import write_manifest

    write_manifest(folder, interrupted="the session ended before its data were sealed")


def tell(verdict: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    """One line of verdict, one of the report; gives the exit code."""
    code = EXIT_CODES[verdict["verdict"]]
    words = verdict["verdict"].replace("_", " ")
    sys.stderr.write(f"{words} ({verdict['grade']}): {verdict['reason']}\nreport {folder / 'report.html'}\n")
    if as_json:
        sys.stdout.write(json.dumps(verdict) + "\n")
    return code


def existing_run(path: Path) -> Path:
    """The path, if it is a run directory; else UsageError."""
    if not (path / "session.json").is_file():
        raise UsageError(
            f"{path} is no run directory (it has no session.json); give the folder that `shadow run` wrote"
        )
    return path
