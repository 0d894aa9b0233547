"""The journal: one JSON line for each thing that happened, chained by hashes, never written over.

A line is `{"hash":"<64 hex digits>",<rest>`; the hash is sha256 of the rest, whose first fields are the line's number
and the hash of the line before. A second file repeats number and hash of the last line, so that its removal shows.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shadow.errors import RunError, ShadowError
from shadow.rollout.flag_file import Mark, replace_file

__all__ = ["Entry", "Finding", "Head", "Journal", "Reading", "read_journal"]

FIRST: Final = "0" * 64
_OPENING: Final = b'{"hash":"'
_AT: Final = len(_OPENING) + 64


@dataclass(frozen=True)
class Entry:
    """One line: what happened (`kind`), when (Unix seconds) and the fields of its kind."""

    number: int
    at_s: float
    kind: str
    fields: dict[str, Any]
    hash: str


@dataclass(frozen=True)
class Head:
    """The second file: lines and last hash, and the newest generation known to stand in the flag file."""

    count: int = 0
    hash: str = FIRST
    generation: int = 0


@dataclass(frozen=True)
class Finding:
    """What is wrong, and in which line (1 is the first)."""

    line: int
    says: str


@dataclass(frozen=True)
class Reading:
    """A journal as found: its good lines, a line cut short by a kill (in bytes), and the first sign of tampering."""

    entries: tuple[Entry, ...]
    torn: int
    finding: Finding | None
    head: Head


class Journal:
    """Appends; one writer at a time (the caller holds the lock)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head_path = path.with_suffix(".head")

    def append(self, kind: str, at_s: float, **fields: Any) -> Entry:
        """Add a line and make it last; RunError for a journal that was tampered with, ShadowError on a full disk."""
        reading = read_journal(self.path)
        if reading.finding is not None:
            raise RunError(f"{self.path} line {reading.finding.line}: {reading.finding.says}; see docs/runbook.md")
        if reading.torn:
            self._cut(reading.torn)
        last = reading.entries[-1] if reading.entries else None
        if last is not None and reading.head.count < last.number:
            # A kill came between the two writes; behind a second one the second file would be two lines behind.
            self.write_head(Head(last.number, last.hash, reading.head.generation))
        entry = _sealed((last.number if last else 0) + 1, last.hash if last else FIRST, kind, at_s, fields)
        self._write(_line(entry, last.hash if last else FIRST))
        self.write_head(Head(entry.number, entry.hash, reading.head.generation))
        return entry

    def write_head(self, head: Head) -> None:
        """Replace the second file."""
        text = {"entries": head.count, "hash": head.hash, "generation": head.generation}
        replace_file(self.head_path, (json.dumps(text) + "\n").encode())

    def _write(self, line: bytes) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                written = os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ShadowError(f"{self.path} cannot be written: {error.strerror}") from error
        if written != len(line):
            raise ShadowError(f"{self.path} cannot be written: the disk is full")

    def _cut(self, torn: int) -> None:
        try:
            with self.path.open("r+b") as file:
                file.truncate(self.path.stat().st_size - torn)
                os.fsync(file.fileno())
        except OSError as error:
            raise ShadowError(f"{self.path} cannot be written: {error.strerror}") from error


def _rest(number: int, previous: str, kind: str, at_s: float, fields: dict[str, Any]) -> bytes:
    text = {"n": number, "previous": previous, "at": round(at_s, 3), "kind": kind} | fields
    return json.dumps(text, separators=(",", ":"), ensure_ascii=False).encode()[1:]


def _sealed(number: int, previous: str, kind: str, at_s: float, fields: dict[str, Any]) -> Entry:
    digest = hashlib.sha256(_rest(number, previous, kind, at_s, fields)).hexdigest()
    return Entry(number, round(at_s, 3), kind, fields, digest)


def _line(entry: Entry, previous: str) -> bytes:
    rest = _rest(entry.number, previous, entry.kind, entry.at_s, entry.fields)
    return _OPENING + entry.hash.encode() + b'",' + rest + b"\n"


def read_journal(path: Path, mark: Mark | None = None) -> Reading:
    """Read and verify, also against the flag file's mark; RunError where it cannot be read at all.

    A last line without its end was cut short by a kill, unless the second file says that it had been whole.
    """
    head, head_finding = _read_head(path.with_suffix(".head"))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    *lines, tail = data.split(b"\n")
    entries, finding = _chain(lines)
    finding = finding or head_finding or _against_head(entries, head) or _against_mark(entries, mark)
    return Reading(tuple(entries), len(tail), finding, head or Head())


def _chain(lines: list[bytes]) -> tuple[list[Entry], Finding | None]:
    entries: list[Entry] = []
    previous = FIRST
    for number, line in enumerate(lines, 1):
        rest = line[_AT + 2 :]
        digest = hashlib.sha256(rest).hexdigest()
        if line[:_AT] + line[_AT : _AT + 2] != _OPENING + digest.encode() + b'",':
            return entries, Finding(number, "it was changed after it was written")
        try:
            fields = json.loads(b"{" + rest)
            found, before, at_s, kind = (fields.pop(name) for name in ("n", "previous", "at", "kind"))
        except (ValueError, KeyError):
            return entries, Finding(number, "no journal writes such a line")
        if (found, before) != (number, previous):
            return entries, Finding(number, f"it is number {found}: lines before it were removed or reordered")
        entries.append(Entry(number, at_s, kind, fields, digest))
        previous = digest
    return entries, None


def _read_head(path: Path) -> tuple[Head | None, Finding | None]:
    try:
        text = json.loads(path.read_bytes())
        return Head(int(text["entries"]), str(text["hash"]), int(text["generation"])), None
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        return None, Finding(0, f"{path.name}, which repeats the last line's hash, was changed")


def _against_head(entries: list[Entry], head: Head | None) -> Finding | None:
    """A kill between the two writes leaves the journal one line ahead, and no other difference."""
    count, known = (head.count, head.hash) if head else (0, FIRST)
    if len(entries) < count:
        return Finding(len(entries) + 1, f"it was removed: there were {count} lines")
    if len(entries) > count + 1:
        return Finding(count + 1, "the file that repeats the last line's hash is older than this line, or gone")
    if count and entries[count - 1].hash != known:
        return Finding(count, "it is not the line that was written last")
    return None


def _against_mark(entries: list[Entry], mark: Mark | None) -> Finding | None:
    if mark is None or not mark.count:
        return None
    if len(entries) < mark.count:
        return Finding(len(entries) + 1, f"it was removed: the flag file knows {mark.count} lines")
    if entries[mark.count - 1].hash != mark.head:
        return Finding(mark.count, "it is not the line that the flag file knows")
    return None
