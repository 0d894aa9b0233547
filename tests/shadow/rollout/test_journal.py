"""The journal: any line that was changed, removed or reordered is found; one that a kill cut short is no tampering."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.errors import RunError, ShadowError
from shadow.rollout.flag_file import Mark
from shadow.rollout.journal import Journal, Reading, read_journal

LINES = 5


@cache
def whole() -> tuple[bytes, bytes]:
    """A good journal of five lines and its second file."""
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        for number in range(LINES):
            journal.append("hold", 1_800_000_000.0 + number, unit="*", why=f"reason {number}")
        return journal.path.read_bytes(), journal.head_path.read_bytes()


def reading(data: bytes, head: bytes | None = None, mark: Mark | None = None) -> Reading:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(data)
        path.with_suffix(".head").write_bytes(whole()[1] if head is None else head)
        return read_journal(path, mark)


def test_a_good_journal_is_good() -> None:
    found = reading(whole()[0])
    assert (found.finding, found.torn, len(found.entries)) == (None, 0, LINES)
    assert [entry.fields["why"] for entry in found.entries] == [f"reason {n}" for n in range(LINES)]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_byte_that_is_changed_inserted_or_removed_is_found_in_its_line(data: st.DataObject) -> None:
    good = whole()[0]
    at = data.draw(st.integers(0, len(good) - 1))
    cut = data.draw(st.integers(0, 3))
    put = data.draw(st.binary(max_size=3))
    bad = good[:at] + put + good[at + cut :]
    if bad == good:
        return
    finding = reading(bad).finding
    assert finding is not None
    # The line that the change ends in, as it was or as it is now: what is put in may hold ends of lines, too.
    assert finding.line <= max(good[: at + cut].count(b"\n"), bad[: at + len(put)].count(b"\n")) + 1


@given(st.permutations(range(LINES)), st.integers(0, LINES))
@settings(max_examples=150, deadline=None)
def test_any_removal_and_any_order_is_found(order: list[int], keep: int) -> None:
    """Also that of the last lines, which leaves a journal that is whole in itself."""
    lines = whole()[0].splitlines(keepends=True)
    chosen = order[:keep]
    finding = reading(b"".join(lines[at] for at in chosen)).finding
    assert (finding is None) == (chosen == list(range(LINES)))
    if finding is not None:
        first_wrong = next((n for n, at in enumerate(chosen) if n != at), len(chosen))
        assert finding.line == first_wrong + 1


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_a_line_that_stands_twice_is_found(line: int) -> None:
    lines = whole()[0].splitlines(keepends=True)
    finding = reading(b"".join([*lines[:line], lines[line - 1], *lines[line:]])).finding
    assert finding is not None
    assert finding.line == line + 1


def test_a_line_cut_short_by_a_kill_is_none_that_was_removed() -> None:
    """The same bytes, told apart by what the second file knows: it is written after the line is safe."""
    good, head = whole()
    lines = good.splitlines(keepends=True)
    torn = b"".join(lines[:-1]) + lines[-1][:40]
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        for number in range(LINES - 1):
            journal.append("hold", 1_800_000_000.0 + number, unit="*", why=f"reason {number}")
        older = journal.head_path.read_bytes()
    found = reading(torn, older)
    assert (found.finding, found.torn, len(found.entries)) == (None, 40, LINES - 1)
    removed = reading(torn, head)
    assert removed.finding is not None
    assert removed.finding.line == LINES


def test_the_next_line_takes_the_place_of_one_cut_short(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("hold", 1.0, unit="*", why="first")
    with journal.path.open("ab") as file:
        file.write(b'{"hash":"12')
    journal.append("hold", 2.0, unit="*", why="second")
    found = read_journal(journal.path)
    assert (found.finding, found.torn, [entry.fields["why"] for entry in found.entries]) == (
        None,
        0,
        ["first", "second"],
    )


def test_a_kill_between_the_two_files_is_no_tampering_but_two_lines_are() -> None:
    """The second file is one line behind after such a kill, never two."""
    heads = []
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        for number in range(LINES):
            journal.append("hold", 1_800_000_000.0 + number, unit="*", why=f"reason {number}")
            heads.append(journal.head_path.read_bytes())
    assert reading(whole()[0], heads[-2]).finding is None
    assert reading(whole()[0], heads[-3]).finding is not None


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"entries": 5, "hash": "00", "generation": 0}\n'])
def test_a_second_file_that_was_changed_is_found(damage: bytes) -> None:
    assert reading(whole()[0], damage).finding is not None


def test_journal_and_second_file_taken_back_together_are_found_by_the_flag_file(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for number in range(3):
        last = journal.append("hold", float(number), unit="*", why=str(number))
    shorter = Journal(tmp_path / "older" / "journal.jsonl")
    for number in range(2):
        shorter.append("hold", float(number), unit="*", why=str(number))
    mark = Mark(1, last.number, last.hash)
    assert read_journal(journal.path, mark).finding is None
    assert read_journal(shorter.path).finding is None
    finding = read_journal(shorter.path, mark).finding
    assert finding is not None
    assert finding.line == 3


def test_nothing_is_added_to_a_journal_that_was_tampered_with(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("hold", 1.0, unit="*", why="first")
    bad = journal.path.read_bytes().replace(b"first", b"other")
    journal.path.write_bytes(bad)
    with pytest.raises(RunError, match="line 1"):
        journal.append("hold", 2.0, unit="*", why="second")
    assert journal.path.read_bytes() == bad


def test_a_full_disk_is_told_and_what_was_written_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from shadow.rollout import journal as module

    journal = Journal(tmp_path / "journal.jsonl")
    write: Callable[[int, bytes], int] = module.os.write
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "write", lambda descriptor, line: write(descriptor, line[:30]))
        with pytest.raises(ShadowError, match="disk is full"):
            journal.append("hold", 1.0, unit="*", why="first")
    journal.append("hold", 2.0, unit="*", why="second")
    assert [entry.fields["why"] for entry in read_journal(journal.path).entries] == ["second"]


def test_a_journal_that_cannot_be_read_is_no_tampering(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    with pytest.raises(RunError, match="cannot be read"):
        read_journal(tmp_path / "journal.jsonl")
    shutil.rmtree(tmp_path / "journal.jsonl")


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_a_line_with_a_good_hash_of_its_own_is_found_by_those_after_it(line: int) -> None:
    """Whoever changes a line and hashes it anew would have to do so with all that follow, and up to two other files."""
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        for number in range(line):
            why = "forged" if number == line - 1 else f"reason {number}"
            journal.append("hold", 1_800_000_000.0 + number, unit="*", why=why)
        forged = journal.path.read_bytes().splitlines(keepends=True)[-1]
    lines = whole()[0].splitlines(keepends=True)
    finding = reading(b"".join([*lines[: line - 1], forged, *lines[line:]])).finding
    assert finding is not None
    assert finding.line == min(line + 1, LINES)


def test_a_line_is_safe_before_the_second_file_knows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    names = {os.open: "open", os.write: "write", os.fsync: "fsync", os.replace: "replace"}
    for call, name in names.items():
        monkeypatch.setattr(os, name, recorded(call, name, calls))
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("hold", 1.0, unit="*", why="first")
    line, second = ["open", "write", "fsync"], ["open", "fsync", "replace", "open", "fsync"]
    assert calls == line + second


def recorded(call: Callable[..., Any], name: str, calls: list[str]) -> Callable[..., Any]:
    def record(*words: Any) -> Any:
        calls.append(name)
        return call(*words)

    return record
