"""The index of sessions: one page in HTML and one in Markdown over all run directories of some folders.

Same input, same bytes: nothing is taken from the clock or the machine; links are relative to the page.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from reports.first_screen import ALL_CONNECTIONS, WORDS, decider, describe, spoken
from reports.history import Past, read_sessions
from reports.markdown import code, table_head, table_row, words
from reports.records import Metric
from reports.sparks import draw_trend
from reports.templates import page, write_whole
from reports.text import NO_DATA, count, seconds, shorten
from reports.trends import RULE, SetUp, set_ups
from reports.triggers import find_trigger, interval

__all__ = ["render_index"]

NOTE_LENGTH: Final = 220
COMMAND_LENGTH: Final = 70
SET_UPS_SHOWN: Final = 8
PRIVATE: Final = 0o600
"""A run directory is its owner's alone, and the index repeats some of what stands there."""
OWN: Final = {"(own new)": "own new", "(own legacy)": "own legacy"}


class Row(msgspec.Struct, frozen=True):
    """One session, ready to print; `href` is empty where there is no report."""

    when: str
    name: str
    href: str
    code: str
    word: str
    reason: str
    problems: list[str]
    grade: str
    load: str
    connections: str
    new: str
    legacy: str
    version: str
    duration: str
    decided: str
    worst: str
    worst_ratio: str
    events: str


def render_index(places: Iterable[Path], folder: Path) -> Path:
    """Write index.html and index.md into `folder`, for its owner alone; returns the path of index.html.

    `places` are run directories, or folders that hold some. A damaged run is a row that says so; only a `folder` that
    cannot be written raises (OSError).
    """
    sessions = read_sessions(places)
    rows = [_row(past, folder) for past in sessions]
    groups = set_ups(sessions)
    write_whole(folder / "index.md", _markdown(rows, groups), PRIVATE)
    write_whole(folder / "index.html", _html(rows, groups), PRIVATE)
    return folder / "index.html"


def _row(past: Past, folder: Path) -> Row:
    data, session = past.data, past.data.session
    commands = session.commands or {}
    coverage = data.verdict.coverage if data.verdict else None
    worst = _worst(past)
    return Row(
        when=past.when,
        name=past.name,
        href=_href(past.folder / "report.html", folder),
        code=past.code if past.code in WORDS else "NONE",
        word=spoken(past.code),
        reason=shorten(data.verdict.reason, NOTE_LENGTH) if data.verdict else "",
        problems=[shorten(problem, NOTE_LENGTH) for problem in past.problems],
        grade=(data.verdict.grade if data.verdict else "") or session.grade or NO_DATA,
        load=f"{session.feed or NO_DATA}, {past.rate}",
        connections=_connections(session.connections),
        new=_command(commands.get("new")),
        legacy=_command(commands.get("legacy")),
        version=f"ws-shadow {describe((session.versions or {}).get('ws-shadow'))}",
        duration=seconds(session.duration_s),
        decided=decider(data) if data.verdict else NO_DATA,
        worst=worst.id if worst else NO_DATA,
        worst_ratio=interval(worst.ratio) if worst and worst.ratio else "",
        events=f"{count(coverage.matched)} / {count(coverage.events_expected)}" if coverage else NO_DATA,
    )


def _href(report: Path, folder: Path) -> str:
    """A link that no name can turn into another address; relative, so that a moved tree keeps its links."""
    if not report.is_file():
        return ""
    return quote(os.fsencode(os.path.relpath(report, folder)), safe="/")


def _worst(past: Past) -> Metric | None:
    """The worst metric that the performance trigger names."""
    trigger = find_trigger(past.data, "performance")
    return past.metric(trigger.worst) if trigger and trigger.worst else None


def _connections(names: Sequence[str]) -> str:
    return "all six" if set(names) == set(ALL_CONNECTIONS) else ", ".join(names) or NO_DATA


def _command(command: object) -> str:
    text = describe(command)
    return OWN.get(text, shorten(text, COMMAND_LENGTH))


def _html(rows: Sequence[Row], groups: Sequence[SetUp]) -> str:
    from markupsafe import Markup

    # Markup: every outside string in an SVG has been escaped by its XML writer.
    shown = groups[:SET_UPS_SHOWN]
    drawn = [(group, [(trend, Markup(draw_trend(trend))) for trend in group.trends]) for group in shown]
    return page(
        "index.html.jinja",
        rows=rows,
        tally=_tally(rows),
        groups=drawn,
        hidden=len(groups) - len(drawn),
        said=[sentence for group in groups for sentence in _sentences(group)],
        rule=RULE,
    )


def _tally(rows: Sequence[Row]) -> str:
    """How many sessions ended with each word."""
    counts = {word: sum(row.word == word for row in rows) for word in (*WORDS.values(), "NO VERDICT")}
    return ", ".join(f"{number} {word}" for word, number in counts.items() if number)


def _sentences(group: SetUp) -> list[str]:
    return [f"{sentence} ({group.title})" for sentence in group.said]


def _markdown(rows: Sequence[Row], groups: Sequence[SetUp]) -> str:
    lines = ["## Sessions", "", f"{count(len(rows))} sessions. {_tally(rows)}".rstrip(), ""]
    said = [sentence for group in groups for sentence in _sentences(group)]
    lines += ["**Pointed out**", "", *(f"- {words(sentence)}" for sentence in said or ["nothing"]), "", words(RULE), ""]
    lines += table_head(["When", "Verdict", "Set-up", "New", "Legacy", "Decided by", "Worst metric", "Events matched"])
    lines += [_markdown_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def _markdown_row(row: Row) -> str:
    link = f"[{words(row.name)}]({row.href})" if row.href else words(row.name)
    said = "; ".join(row.problems)
    return table_row(
        [
            f"{words(row.when)} {link}",
            f"**{words(row.word)}** {words(said)}".rstrip(),
            words(f"{row.grade}, {row.load}, {row.duration}, {row.connections}"),
            words(f"{row.new}, {row.version}"),
            words(row.legacy),
            words(row.decided),
            f"{code(row.worst)} {words(row.worst_ratio)}".rstrip(),
            words(row.events),
        ]
    )
