"""JUnit XML: one case for the verdict, each trigger, each declared metric and each critical code.

Only SHIP passes the case `verdict`, so that a pipeline cannot take HOLD or NOT FIT for success.
"""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree

from reports.first_screen import FirstScreen
from reports.records import Metric
from reports.run_data import ReportInput
from reports.tables import is_declared
from reports.text import count, ratio
from reports.triggers import DEFAULT_SEVERITY, interval, serious, sides

__all__ = ["declared", "render"]

# All codes that are, or may become, critical or major.
CODES: Final = tuple(DEFAULT_SEVERITY)


def render(data: ReportInput, screen: FirstScreen) -> str:
    """The document as text; counts of failures and skips stand in the suite's attributes."""
    suite = ElementTree.Element("testsuite", name="Rollback-trigger report")
    _verdict_case(suite, screen)
    for line in screen.triggers:
        text = f"threshold {line.threshold}; worst {line.worst}; measured {line.measured} {line.sides}".rstrip()
        _case(suite, "trigger", line.id, line.verdict, text)
    for metric in declared(data):
        _case(suite, "metric", metric.id, metric.verdict, _metric_text(metric))
    _code_cases(suite, data)
    for kind in ("failure", "skipped"):
        number = sum(case.find(kind) is not None for case in suite)
        suite.set({"failure": "failures", "skipped": "skipped"}[kind], str(number))
    suite.set("tests", str(len(suite)))
    suite.set("errors", "0")
    _properties(suite, data)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return "<?xml version='1.0' encoding='utf-8'?>\n" + ElementTree.tostring(root, encoding="unicode") + "\n"


def declared(data: ReportInput) -> list[Metric]:
    """Metrics that the session declared, and any other whose regression is confirmed; all where no list is given."""
    drawn = {row.id: row for row in data.analysis.forest}
    metrics = data.verdict.metrics if data.verdict else []
    return [m for m in metrics if is_declared(m, drawn.get(m.id)) is not False or m.verdict == "REGRESSION"]


def _verdict_case(suite: ElementTree.Element, screen: FirstScreen) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname="verdict", name="verdict")
    if screen.verdict != "SHIP":
        message = f"{screen.word}: {screen.reason or screen.meaning}"
        ElementTree.SubElement(
            case, "failure", type=screen.verdict, message=message
        ).text = f"decided by {screen.decided_by}"


def _case(suite: ElementTree.Element, group: str, name: str, verdict: str, text: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=group, name=name)
    if verdict == "REGRESSION":
        ElementTree.SubElement(case, "failure", type=verdict, message=text)
    elif verdict != "PASS":
        ElementTree.SubElement(case, "skipped", message=f"{verdict}: {text}")


def _metric_text(metric: Metric) -> str:
    figures = "; ".join(filter(None, (f"ratio {interval(metric.ratio)}", sides(metric))))
    return f"{figures}; n {count(metric.n)}; smallest effect {ratio(metric.detectable)}" + (
        f"; {metric.note}" if metric.note else ""
    )


def _code_cases(suite: ElementTree.Element, data: ReportInput) -> None:
    found = dict(serious(data))
    compared = data.verdict.coverage.matched if data.verdict and data.verdict.coverage else None
    for code in dict.fromkeys([*CODES, *sorted(found)]):
        case = ElementTree.SubElement(suite, "testcase", classname="difference", name=code)
        if found.get(code):
            message = f"{count(found[code])} of the new side or of both"
            ElementTree.SubElement(case, "failure", type="REGRESSION", message=message)
        elif not compared:
            ElementTree.SubElement(case, "skipped", message="no events were compared")


def _properties(suite: ElementTree.Element, data: ReportInput) -> None:
    properties = ElementTree.Element("properties")
    suite.insert(0, properties)
    values = {
        "run": data.session.run,
        "grade": data.session.grade,
        "feed": data.session.feed,
        "data_sha256": data.verdict.data_sha256 if data.verdict else None,
    }
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", name=name, value=value or "no data")
