"""The report for a pull request: compact, and safe whatever names the run brings."""

from __future__ import annotations

import re
from typing import Final

from reports.first_screen import Fact, FirstScreen
from reports.tables import DifferenceLine, Table
from reports.targets import HEAD, TargetRow, summary
from reports.text import shorten

__all__ = ["code", "render", "table_head", "table_row", "words"]

SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|~<>@&$])")
DIFFERENCES_SHOWN: Final = 15


def words(text: str) -> str:
    """`text` on one line with Markdown's and HTML's characters taken as they are; no link, mention or formula starts.

    Characters become numeric entities: a backslash does not stop a mention.
    """
    flat = " ".join(text.split())
    return SPECIAL.sub(lambda found: f"&#{ord(found[0])};", flat).replace("://", ":&#47;&#47;")


def code(text: str) -> str:
    """`text` as a code span that cannot be left early, fit for a table cell."""
    return "`" + " ".join(text.replace("`", "'").split()).replace("|", "¦") + "`" if text.strip() else ""


def render(screen: FirstScreen, differences: list[DifferenceLine], metrics: Table, targets: list[TargetRow]) -> str:
    """The Markdown document."""
    lines = [f"## Rollback-trigger report: {words(screen.word)}", ""]
    lines.append(f"**{words(screen.meaning)}** {words(screen.reason)}".rstrip())
    since = f"; {words(screen.since)}" if screen.since else ""
    lines += ["", f"Decided by: {words(screen.decided_by)}{since}. Grade: {words(screen.grade)}.", ""]
    lines += [f"> {words(problem)}" for problem in screen.problems] + [""] * bool(screen.problems)
    lines += _triggers(screen)
    for title, facts in (
        ("Coverage", screen.coverage),
        ("Flip safety", screen.flips),
        ("Exceptions", screen.exceptions),
        ("Scope", screen.scope),
    ):
        lines += _facts(title, facts)
    lines += _differences(differences) if screen.verdict != "NONE" else ["**Differences**: no data", ""]
    lines += _metrics(metrics)
    lines += _targets(targets)
    lines += _facts("Sign-off", screen.signoff)
    return "\n".join(lines).rstrip("\n") + "\n"


def table_row(cells: list[str]) -> str:
    """One line of a table; the cells are safe already."""
    return "| " + " | ".join(cells) + " |"


def table_head(cells: list[str]) -> list[str]:
    """The head of a table with its rule."""
    return [table_row(cells), "|" + "---|" * len(cells)]


def _triggers(screen: FirstScreen) -> list[str]:
    lines = table_head(["Trigger", "Threshold", "Measured [low, best, high]", "Verdict", "Evidence", "Smallest effect"])
    for line in screen.triggers:
        verdict = f"**{words(line.verdict)}**" if line.verdict == "REGRESSION" else words(line.verdict)
        figures = "; ".join(filter(None, (line.measured, line.sides)))
        measured = f"{words(figures)} ({code(line.worst)})"
        evidence = words("; ".join(filter(None, (line.evidence, line.note))))
        lines.append(
            table_row([words(line.name), words(line.threshold), measured, verdict, evidence, words(line.smallest)])
        )
    return [*lines, ""]


def _facts(title: str, facts: list[Fact]) -> list[str]:
    return [f"**{title}**", "", *(f"- {words(fact.label)}: {words(fact.text)}" for fact in facts), ""]


def _differences(differences: list[DifferenceLine]) -> list[str]:
    if not differences:
        return ["**Differences**: none", ""]
    lines = ["**Differences**", "", *table_head(["Code", "Side", "Severity", "Where", "Count", "A/A floor"])]
    for line in differences[:DIFFERENCES_SHOWN]:
        lines.append(
            table_row(
                [code(line.code), words(line.side), words(line.severity), code(line.where), line.count, line.floor]
            )
        )
    rest = len(differences) - DIFFERENCES_SHOWN
    return [*lines, *([f"\n{rest} more in report.html"] if rest > 0 else []), ""]


def _metrics(metrics: Table) -> list[str]:
    if not metrics.rows:
        return ["**Metrics**: no data", ""]
    lines = [
        f"<details><summary>{len(metrics.rows)} metrics</summary>",
        "",
        *table_head([words(h) for h in metrics.head[:5]]),
    ]
    lines += [table_row([code(shorten(row[0], 80)), *(words(cell) for cell in row[1:5])]) for row in metrics.rows]
    return [*lines, "", "</details>", ""]


def _targets(rows: list[TargetRow]) -> list[str]:
    if not rows:
        return ["**Targets**: no data", ""]
    lines = [f"<details><summary>Targets: {summary(rows)}</summary>", "", *table_head([words(name) for name in HEAD])]
    lines += [table_row([words(f"{row.id} {row.what}"), *(words(cell) for cell in row.cells)]) for row in rows]
    return [*lines, "", "</details>", ""]
