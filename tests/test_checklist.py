"""The checklist's lines: all listed, none invented, and every marker names one that exists."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

LINES = tomllib.loads((Path(__file__).parent / "checklist.toml").read_text())
HEADINGS = {"## Rollback Plan": "R", "## Success Criteria": "S", "## Timeline Validation": "W"}


def listed() -> set[str]:
    return {f"{section}.{number}" for section, lines in LINES.items() for number in lines}


def boxes(page: str) -> Counter[str]:
    section, count = "", Counter[str]()
    for line in page.splitlines():
        heading = re.match(r"### (\d\.\d) ", line)
        section = heading[1] if heading else HEADINGS.get(line.strip(), section)
        if re.match(r"\s*(?:-|\d+\.) \[ \] ", line):
            count[section] += 1
    return count


def test_every_check_box_of_the_page_is_listed_and_no_other(captures: Path) -> None:
    page = captures.parent / "migration-checklist.md"
    if not page.is_file():
        pytest.skip(f"no checklist page at {page}")
    expected = {f"{section}.{n}" for section, total in boxes(page.read_text()).items() for n in range(1, total + 1)}
    assert len(expected) > 200
    assert listed() == expected


def test_each_line_has_its_own_words() -> None:
    words = [text for lines in LINES.values() for text in lines.values()]
    assert all(words)
    assert [text for text, n in Counter(words).items() if n > 1] == []


def test_markers_name_lines_that_exist() -> None:
    known = listed()
    for path in Path(__file__).parent.rglob("test_*.py"):
        for call in re.findall(r"@?pytest\.mark\.checklist\(([^)]*)\)", path.read_text()):
            for name in re.findall(r"\"([^\"]+)\"", call):
                assert name in known, f"{path.name}: no checklist line {name}"
