"""Markdown for a pull request: compact, with the numbers of the verdict, and nothing that starts markup."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.markdown import code, words
from reports.session import render

MakeRun = Callable[[str], Path]


@pytest.mark.parametrize(
    "text", ["[a](http://b)", "<img src=x>", "@team", "a|b", "**x**", "`x`", "# x", "$x$", "a\n# b"]
)
def test_words_hold_nothing_that_markdown_or_html_acts_on(text: str) -> None:
    escaped = words(text)
    assert not set("[]<>@|*`$\n") & set(escaped)
    assert "# " not in escaped
    assert "://" not in escaped


def test_code_spans_cannot_be_left_early() -> None:
    assert code("a`b|c\nd") == "`a'b¦c d`"
    assert code(" ") == ""


def test_triggers_and_hashes_are_in_the_text(rendered: MakeRun) -> None:
    run = rendered("roll_back")
    text = (run / "report.md").read_text("utf-8")
    verdict = json.loads((run / "verdict.json").read_text())
    assert text.startswith("## Rollback-trigger report: ROLL BACK\n")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len([row for row in rows if "**REGRESSION**" in row]) == 2
    best = verdict["metrics"][3]["ratio"]["best"]
    assert f"{best:.3f}" in next(row for row in rows if row.startswith("| Performance"))
    assert "| `MISSING` | new | critical | `gateio.spot.public trade` | 5 | 0 |" in rows
    assert verdict["data_sha256"] in text
    assert len(text.splitlines()) < 120


def test_without_a_verdict_no_difference_table_claims_none(tmp_path: Path) -> None:
    render(tmp_path)
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "**Differences**: no data" in text
    assert "**Metrics**: no data" in text
