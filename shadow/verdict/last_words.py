"""What a subject said last: a failed one on its stderr, which most often says why, and any other its bye."""

from __future__ import annotations

from dataclasses import replace

from shadow.capture.reader import RunData
from shadow.verdict.timeline import Failure, Timeline

__all__ = ["with_last_words", "without_bye"]

LONGEST = 200
# Reasons where stderr tells more than the reason itself.
TELLING = {"exited-before-hello", "died", "no-hello", "no-subscription"}


def with_last_words(failures: list[Failure], run: RunData) -> list[Failure]:
    """The failures, each with the last line that its subject wrote to stderr in that leg, if any."""
    return [_with_last_words(failure, run) if failure.reason in TELLING else failure for failure in failures]


def without_bye(timeline: Timeline, run: RunData) -> list[Failure]:
    """Subjects that ended, did not fail, and never said bye: what they still held back nobody knows."""
    failed = {(failure.leg, failure.role) for failure in timeline.failures}
    ended = sorted({(leg, role) for leg, role in timeline.exits if role in run.roles()} - failed)
    return [Failure(leg, role, "no-bye", "") for leg, role in ended if not _said_bye(run, leg, role)]


def _said_bye(run: RunData, leg: str, role: str) -> bool:
    """True also where a session in stretches let go of all that was said in that leg."""
    import pyarrow.compute as pc

    kinds = run.part(f"events/{role}", ("leg", "k"), leg)["k"]
    return len(kinds) == 0 or bool(pc.any(pc.equal(kinds, "bye")).as_py())


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
