"""A rollout's files as the controller's tests make them, and what a scrape of them says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from shadow.monitoring.watch import Watch

from ..rollout.conftest import Desk, _impatient_disk, desk, make_desk

__all__ = ["Scraped", "_impatient_disk", "desk", "exposed", "make_desk", "promtool", "scrape", "scrape_of", "watch_of"]

Scraped = dict[str, dict[tuple[str, ...], float]]
"""By metric, without our prefix: its value by the values of its labels, in the order of the labels' names."""


def exposed(watch: Watch) -> str:
    """What an endpoint would answer."""
    registry = CollectorRegistry()
    registry.register(watch)
    return generate_latest(registry).decode()


def scrape_of(text: str) -> Scraped:
    return {
        family.name.removeprefix("ws_shadow_"): {_values(one.labels): one.value for one in family.samples}
        for family in text_string_to_metric_families(text)
    }


def _values(labels: dict[str, str]) -> tuple[str, ...]:
    return tuple(labels[name] for name in sorted(labels))


def watch_of(desk: Desk) -> Watch:
    return Watch(desk.places, lambda: desk.now_s)


@pytest.fixture
def scrape(desk: Desk) -> Callable[[], Scraped]:
    """Look at the desk's files anew and give what is served."""
    watch = watch_of(desk)

    def again() -> Scraped:
        watch.take()
        return scrape_of(exposed(watch))

    return again


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker; the test is skipped where it is missing."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("no promtool on this machine; install Debian's package `prometheus`")
    return Path(program)
