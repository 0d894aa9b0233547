"""Reproducers that lie in a run are named at the difference that they show, and nowhere else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reports.session import render, render_shared

MakeRun = Callable[[str], Path]
Edit = Callable[[Path, Callable[[Any], None]], None]
GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"


def put(run: Path, name: str, **fault: str) -> None:
    folder = run / "reproducer" / name
    folder.mkdir(parents=True)
    (folder / "case.json").write_text(json.dumps({"schema": 1, "fault": {"symbol": "BTC_USDT", **fault}}))


def links_by_row(page: str) -> dict[str, list[str]]:
    rows = re.findall(r'<tr><th scope="row">([A-Z]+).*?</tr>', page, re.DOTALL)
    cells = re.findall(r'<tr><th scope="row">[A-Z]+.*?</tr>', page, re.DOTALL)
    found = {code: re.findall(r'href="(reproducer/[^"]*)"', cell) for code, cell in zip(rows, cells, strict=True)}
    return {code: links for code, links in found.items() if links}


def test_each_is_linked_at_its_own_difference(make_run: MakeRun) -> None:
    run = make_run("roll_back")
    put(run, f"MISSING-{GATEIO}-1", code="MISSING", connection=GATEIO, type="trade", field="")
    put(run, f"MISSING-{GATEIO}-2", code="MISSING", connection=GATEIO, type="book", field="")
    put(run, f"FIELD-{MEXC}-1", code="FIELD", connection=MEXC, type="ticker", field="volume:value")
    put(run, f"DUP-{GATEIO}-1", code="DUP", connection=GATEIO, type="book", field="")
    assert links_by_row(render(run).read_text("utf-8")) == {
        "MISSING": [f"reproducer/MISSING-{GATEIO}-1/README.md"],
        "FIELD": [f"reproducer/FIELD-{MEXC}-1/README.md"],
    }


def test_other_folders_are_passed_over_and_a_damaged_one_is_named(make_run: MakeRun) -> None:
    run = make_run("roll_back")
    put(run, "javascript:alert(1)", code="MISSING", connection=GATEIO, type="trade", field="")
    put(run, f"MISSING-{GATEIO}-1", code="MISSING", connection=GATEIO, type="trade", field="")
    (run / "reproducer" / f"MISSING-{GATEIO}-1" / "case.json").write_text("{")
    page = render(run).read_text("utf-8")
    assert links_by_row(page) == {}
    assert "javascript" not in page
    assert "case.json cannot be used" in page


def test_a_copy_that_is_shared_names_none(make_run: MakeRun, edit: Edit) -> None:
    run = make_run("roll_back")
    put(run, f"MISSING-{GATEIO}-1", code="MISSING", connection=GATEIO, type="trade", field="")
    assert "reproducer/" not in render_shared(run).read_text("utf-8")
    edit(run / "session.json", lambda session: session["connections"].append("gateio.spot.private"))
    assert "reproducer/" not in render_shared(run).read_text("utf-8")
