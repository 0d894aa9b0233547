"""`shadow reproduce`: for each grave difference of new in a run, the smallest frames that show it again, as a test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

import msgspec

from shadow.capture.reader import RunData
from shadow.diff.frames import FrameStore
from shadow.diff.reproduce import SHOWABLE, Recording, SentFrame, Wanted, held_here, recording_of, wanted_of
from shadow.errors import UsageError
from shadow.reference.events import Event
from shadow.reproducer.books import brought_forward, read_books
from shadow.reproducer.case import Case, Fault, Fed, write_case
from shadow.reproducer.replay import PATIENT_S, findings, replay
from shadow.reproducer.search import Found, Tell, count_of, search

__all__ = ["Options", "reproduce"]

OWN: Final = "(own new)"
MORE: Final = "more tries may find fewer"
QUIET_S: Final = 0.5
"""How long a try of the search waits for what may be missing; what it finds is checked with more patience."""


class Options(msgspec.Struct, frozen=True):
    """What is asked: one code or all, where to write (default: `reproducer` in the run), whose command, whether frames
    of accounts may be written, how many tries each difference gets and how many differences."""

    code: str = ""
    out: Path | None = None
    new: str = ""
    accounts: bool = False
    tries: int = 60
    limit: int = 5


def reproduce(folder: Path, options: Options, tell: Tell) -> bool:
    """Write the reproducers; whether every difference that was tried came up again, or the run has none to try.

    UsageError for a person's mistake, RunError for a run that was altered.
    """
    run = RunData(folder)
    run.verify()
    if run.session.get("stretch_s"):
        raise UsageError(
            f"{folder} was reduced in stretches, so that not all of its frames are there; the report holds samples of"
            " each difference. To reproduce one, run a session without --stretch"
        )
    found = wanted_of(run)
    if not found:
        tell("nothing to reproduce: the run has no grave difference of new")
        return True
    asked = chosen(run, found, options, tell)
    if not asked:
        return False
    command = options.new or run.session["commands"]["new"]
    tell(f"each try starts: {'our own new stack' if command == OWN else command}")
    shown = 0
    for number, one in enumerate(asked, 1):
        tell(f"{number}/{len(asked)} {fault_of(one).words()} ({one.severity}, {one.count} in the run)")
        shown += attempt(run, one, "" if command == OWN else command, options, tell)
    tell(f"{shown} of {len(asked)} reproduced")
    return shown == len(asked)


def chosen(run: RunData, found: Sequence[Wanted], options: Options, tell: Tell) -> list[Wanted]:
    """The differences to try; each that is left out is told with the reason."""
    if options.code and not any(one.code == options.code for one in found):
        have = ", ".join(sorted({one.code for one in found}))
        raise UsageError(f"--code {options.code}: new has no grave difference of that code; it has {have}")
    asked = []
    for one in found:
        if options.code in ("", one.code):
            if reason := reason_against(run, one, options):
                tell(f"left out: {fault_of(one).words()}: {reason}")
            else:
                asked.append(one)
    for one in asked[options.limit :]:
        tell(f"left out: {fault_of(one).words()}: beyond --limit {options.limit}")
    return asked[: options.limit]


def reason_against(run: RunData, one: Wanted, options: Options) -> str:
    """Why a difference is not tried, or empty."""
    if one.code not in SHOWABLE:
        return "frames alone do not bring it about"
    if one.connection not in run.session["connections"]:
        return "it belongs to no connection"
    if one.connection.endswith(".private") and not options.accounts:
        return "its frames hold account data; --accounts writes them nevertheless"
    return ""


def attempt(run: RunData, one: Wanted, command: str, options: Options, tell: Tell) -> bool:
    """Search, check, write; False where the difference did not come up again, and it is said."""
    recording = recording_of(run, one)
    case = case_of(run, one, recording, command)
    if recording.cut:
        tell(f"  only the last {len(recording.frames)} frames before it are looked at, {recording.cut} are left out")
    if not recording.frames:
        tell("  not reproduced: the run holds no frame that was sent there")
        return False

    frames = [fed(frame, recording.frames[0].t_sent) for frame in recording.frames]
    recorded = list(chain(*with_frames(case, frames).expected))

    def shows(frames: list[Fed], quiet_s: float = QUIET_S) -> bool:
        tried = with_frames(case, frames, recorded)
        heard = replay(tried, quiet_s=quiet_s, is_told=False)
        return any(is_same(case.fault, found) for found in findings(tried, heard))

    found = search(frames, recording.focus, shows, options.tries, tell)
    if not found.frames:
        tell(f"  not reproduced: all {len(frames)} frames do not show it again; it depends on time or chance")
        return False
    if not shows(found.frames, PATIENT_S):
        frames_said = count_of(len(found.frames), "frame")
        tell(f"  not reproduced: {frames_said} showed it, but not once more; it depends on time or chance")
        return False
    folder = free_folder(options.out or Path(run) / "reproducer", one)
    write_case(with_frames(case, found.frames, recorded), folder, story(one, found, len(frames)))
    hint = "" if found.is_minimal else f", {MORE}"
    tell(f"  {count_of(len(found.frames), 'frame')} of {len(frames)}{hint}: {folder}")
    return True


def case_of(run: RunData, one: Wanted, recording: Recording, command: str) -> Case:
    """The case without frames."""
    session: dict[str, Any] = run.session
    return Case(
        fault=fault_of(one),
        command=command,
        options=session.get("options", {}).get("new", {}),
        symbols=tuple(session["symbols"]),
        channels=tuple(session["channels"][one.connection]),
        held=held_here(run, one.connection),
        books=read_books(one.connection, recording.books),
    )


def with_frames(case: Case, frames: list[Fed], recorded: Sequence[Event] = ()) -> Case:
    """The case with these frames, what the reference reads from them and books that fit; times count from the first.

    `recorded` are the events of all frames that the search looks at.
    """
    decode = FrameStore({}).decode
    begin = frames[0].at_ns
    expected = [decode(case.fault.connection, frame.payload, frame.is_text)[0] for frame in frames]
    return msgspec.structs.replace(
        case,
        books=brought_forward(case.books, recorded, list(chain(*expected))),
        frames=[msgspec.structs.replace(frame, at_ns=frame.at_ns - begin) for frame in frames],
        expected=expected,
    )


def fed(frame: SentFrame, begin: int) -> Fed:
    return Fed(frame.t_sent - begin, frame.channel, frame.symbol, frame.payload, frame.is_text, frame.fault)


def fault_of(one: Wanted) -> Fault:
    return Fault(one.code, one.connection, one.type, one.symbol, one.field)


def is_same(fault: Fault, found: Any) -> bool:
    """Whether a finding has the code and the path, of the same symbol."""
    return all(getattr(found, name) == getattr(fault, name) for name in ("code", "type", "symbol", "field"))


def free_folder(out: Path, one: Wanted) -> Path:
    """The first `<code>-<connection>-<n>` that is not there."""
    folders = (out / f"{one.code}-{one.connection}-{number}" for number in count(1))
    return next(folder for folder in folders if not folder.exists())


def story(one: Wanted, found: Found, of: int) -> list[str]:
    """How the frames were found, for the page."""
    smallest = "no single one can be left out" if found.is_minimal else MORE
    return [
        f"In the run: {count_of(one.count, 'time')}, {one.severity}, side {one.side}.",
        f"Shown again by {count_of(len(found.frames), 'frame')} of {of} looked at; {smallest} (tries: {found.tries}).",
        "They go to the stack as fast as it takes them, not at the times of the run.",
    ]
