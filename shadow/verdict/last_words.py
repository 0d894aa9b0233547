"""What a failed subject wrote last on its stderr: most often the line that says why."""

from __future__ import annotations

from dataclasses import replace

from shadow.capture.reader import RunData
from shadow.verdict.timeline import Failure

__all__ = ["with_last_words"]

LONGEST = 200
# Reasons where stderr tells more than the reason itself.
TELLING = {"exited-before-hello", "died", "no-hello", "no-subscription"}


def with_last_words(failures: list[Failure], run: RunData) -> list[Failure]:
    """The failures, each with the last line that its subject wrote to stderr in that leg, if any."""
    return [_with_last_words(failure, run) if failure.reason in TELLING else failure for failure in failures]


def _with_last_words(failure: Failure, run: RunData) -> Failure:
    import pyarrow.compute as pc

    if failure.role not in run.roles():
        return failure
    events = run.table(f"events/{failure.role}").select(["leg", "n", "k", "c", "body"])
    said = events.filter(
        (pc.field("leg") == failure.leg) & (pc.field("k") == "log") & (pc.field("c") == "stderr")
    ).sort_by("n")
    for body in reversed(said["body"].to_pylist()):
        line = body.decode(errors="replace").strip()
        if line:
            shown = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
            return replace(failure, text=f"{failure.text}; {shown}" if failure.text else shown)
    return failure
