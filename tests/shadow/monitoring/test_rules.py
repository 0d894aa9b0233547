"""Alerts, dashboard and page speak of metrics that are served, and Prometheus' own checker agrees with them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shadow.rollout.consumers import Alarm, UnitStatus

from ..rollout.conftest import BOOK, Desk
from .conftest import Scraped, exposed, scrape_of, watch_of

ROOT = Path(__file__).parents[3]
ALERTS = (ROOT / "monitoring" / "alerts.yml").read_text()
CASES = (ROOT / "monitoring" / "alerts_test.yml").read_text()
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
PANELS: list[dict[str, Any]] = json.loads((ROOT / "monitoring" / "dashboard.json").read_text())["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def console() -> list[str]:
    blocks = re.findall(r"^```console\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]


def names_in(text: str) -> set[str]:
    return set(re.findall(r"\bws_shadow_(\w+)", text))


@pytest.fixture
def served(desk: Desk) -> Scraped:
    """A rollout in which every metric has a value: a trigger took the book back and the consumer followed."""
    desk.climb(BOOK, "canary")
    watch = watch_of(desk)
    new, legacy = {BOOK: UnitStatus("new", other_ready=True)}, {BOOK: UnitStatus("legacy")}
    desk.alarms = [Alarm("memory", BOOK, "+21 %")]
    desk.beat(units=new)
    watch.take()
    assert desk.controller().turn(holder="watch")[0].kind == "rollback"
    watch.take()
    folder = desk.session()
    metric = {"id": "memory.level", "ratio": {"low": 1.1, "best": 1.2, "high": 1.3}}
    verdict = {
        "verdict": "ROLL_BACK",
        "grade": "quick",
        "triggers": [{"id": "memory", "verdict": "REGRESSION", "worst": "memory.level"}],
        "metrics": [metric],
        "differences": [{"code": "DUP", "side": "new", "count": 1}],
        "coverage": {"events_expected": 2, "matched": 1},
    }
    (folder / "verdict.json").write_text(json.dumps(verdict))
    desk.now_s += 16
    desk.beat(units=legacy)
    watch.take()
    return scrape_of(exposed(watch))


def test_every_metric_of_rules_and_dashboard_is_served_with_a_value(served: Scraped) -> None:
    for text in (ALERTS, CASES, *QUERIES):
        assert names_in(text)
        for name in names_in(text):
            assert served[name], name


def test_labels_that_rules_and_dashboard_choose_by_are_served(desk: Desk, served: Scraped) -> None:
    watch = watch_of(desk)
    watch.take()
    text = exposed(watch)
    for query in (ALERTS, *QUERIES):
        for name, selector in re.findall(r"\bws_shadow_(\w+)\{(\w+=\"\w+\")\}", query):
            assert re.search(rf"^ws_shadow_{name}\{{.*\b{re.escape(selector)}", text, re.MULTILINE), (name, selector)


def test_the_page_lists_what_is_served_and_every_alert(served: Scraped) -> None:
    rows = re.findall(r"^\| (`[^|]+) \|[^|]*\| [^|]+ \|$", PAGE.partition("## Alerts")[0], re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(served)
    told = re.findall(r"`(WsShadow\w+)`", PAGE)
    assert sorted(told) == sorted(re.findall(r"- alert: (\w+)", ALERTS))


def test_each_alert_is_seen_to_fire_and_not_to_fire() -> None:
    cases = re.findall(r"alertname: (\w+)\n\s+exp_alerts:( \[\]|$)", CASES, re.MULTILINE)
    alerts = set(re.findall(r"- alert: (\w+)", ALERTS))
    assert {name for name, quiet in cases if quiet} == alerts
    assert {name for name, quiet in cases if not quiet} == alerts


@pytest.mark.checklist("R.8")
def test_the_alerts_fire_on_what_they_are_for(promtool: Path) -> None:
    words = [str(promtool), "test", "rules", "monitoring/alerts_test.yml"]
    answer = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert " ".join(["promtool", *words[1:]]) in console()


def test_the_cases_find_each_alert_that_never_fires(promtool: Path, tmp_path: Path) -> None:
    alert = re.compile(r"(- alert: \w+\n +expr: )(?:>-\n(?: {10}.*\n)+|.*\n)")
    mute, changed = alert.subn(r"\1vector(1) > 2\n", ALERTS)
    names = re.findall(r"- alert: (\w+)", ALERTS)
    assert changed == len(names)
    (tmp_path / "alerts_test.yml").write_text(CASES)
    (tmp_path / "alerts.yml").write_text(mute)
    words = [str(promtool), "test", "rules", "alerts_test.yml"]
    answer = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=30, check=False)
    assert answer.returncode == 1
    assert set(re.findall(r"alertname: (\w+),", answer.stdout + answer.stderr)) == set(names)


def test_each_query_of_the_dashboard_parses(promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(QUERIES)]
    check = [str(promtool), "check", "rules", str(tmp_path / "queries.yml")]
    for extra, code in (([], 0), ([{"record": "broken", "expr": "sum by ("}], 1)):
        groups = {"groups": [{"name": "dashboard", "rules": [*rules, *extra]}]}
        (tmp_path / "queries.yml").write_text(json.dumps(groups))
        answer = subprocess.run(check, capture_output=True, text=True, timeout=30, check=False)
        assert answer.returncode == code, answer.stderr
    assert len(QUERIES) >= len(PANELS) >= 10


def test_the_page_names_two_commands() -> None:
    """The first is run by test_endpoint.py, the second above."""
    assert console() == ["shadow metrics", "promtool test rules monitoring/alerts_test.yml"]


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for panel in PANELS
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
