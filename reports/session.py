"""Renders a session's report: HTML, Markdown and JUnit XML, from the run directory alone.

Same input, same bytes: nothing is taken from the clock, the machine or the path of the directory.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import msgspec

from reports import dual, first_screen, junit, markdown, profile_tables, tables, views
from reports.run_data import ReportInput, load
from reports.share import shareable
from reports.targets import HEAD, missed, summary, target_rows
from reports.templates import page, write_whole

__all__ = ["render", "render_shared"]

DERIVED: Final = ("verdict.json", "analysis.json", "differences.parquet", "report.html", "report.md", "junit.xml")


def render(run_dir: Path) -> Path:
    """Write report.html, report.md and junit.xml into `run_dir` and their hashes into its manifest.

    Returns the path of report.html. Missing or damaged inputs are named on the page; only a directory that cannot be
    written raises (OSError).
    """
    _write_all(load(run_dir), run_dir, "", "the same input gives the same bytes")
    _update_manifest(run_dir)
    return run_dir / "report.html"


def render_shared(run_dir: Path) -> Path:
    """Write report-share.html, report-share.md and junit-share.xml, without account data; nothing else is touched.

    Their pseudonyms are new each time, so that they belong to no manifest. Returns the path of report-share.html.
    """
    _write_all(shareable(load(run_dir)), run_dir, "-share", "each rendering has pseudonyms of its own")
    return run_dir / "report-share.html"


def _write_all(data: ReportInput, run_dir: Path, ending: str, footing: str) -> None:
    screen = first_screen.build(data)
    differences, metrics = tables.differences(data), tables.metrics(data)
    write_whole(run_dir / f"report{ending}.md", markdown.render(screen, differences, metrics, target_rows(data)))
    write_whole(run_dir / f"junit{ending}.xml", junit.render(data, screen))
    write_whole(run_dir / f"report{ending}.html", _html(data, screen, differences, metrics, footing))


def _html(
    data: ReportInput,
    screen: first_screen.FirstScreen,
    differences: list[tables.DifferenceLine],
    metrics: tables.Table,
    footing: str,
) -> str:
    from markupsafe import Markup

    from reports.figures import draw_all

    # Markup: it comes from this package; every outside string in an SVG has been escaped by its XML writer.
    drawn = {key: (figure, Markup(figure.svg or "")) for key, figure in draw_all(data).items()}
    return page(
        "session.html.jinja",
        screen=screen,
        footing=footing,
        run=data.session.run or "no data",
        started=data.session.started_utc or "no data",
        feed=data.session.feed or "no data",
        figures=drawn,
        differences=differences,
        metrics=metrics,
        targets=(rows := target_rows(data)),
        targets_head=HEAD,
        targets_met=summary(rows),
        targets_missed=missed(rows),
        outages=tables.outages_table(data),
        connect=tables.connect_times(data),
        first=views.first_arrival(data),
        by_load=views.by_load(data),
        symbols=views.worst_symbols(data),
        top=views.top_of_book(data),
        profile=data.profile,
        profile_says=profile_tables.explain(data.profile),
        profile_tables=[
            profile_tables.functions(data.profile),
            profile_tables.stages(data.profile),
            profile_tables.stacks(data.profile),
        ],
        dual=dual.rates(data),
        upstream=dual.upstream(data),
        conservation=tables.conservation(data),
        load=tables.load(data),
        setup=tables.connections(data),
        method=tables.method(data),
        not_judged=[first_screen.describe(item) for item in (data.verdict.not_judged if data.verdict else [])],
    )


def _update_manifest(run_dir: Path) -> None:
    path = run_dir / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        derived = dict(manifest.get("derived") or {})
    except (OSError, ValueError, TypeError, AttributeError):
        # A manifest made up here would vouch for raw files that nobody hashed.
        return
    for name in DERIVED:
        if (run_dir / name).is_file():
            derived[name] = hashlib.sha256((run_dir / name).read_bytes()).hexdigest()
    manifest["derived"] = dict(sorted(derived.items()))
    write_whole(path, msgspec.json.format(msgspec.json.encode(manifest), indent=1).decode() + "\n")
