"""The whole way with a real Prometheus and Alertmanager: files, endpoint, scrape, rules, alert, dashboard queries."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from shadow.monitoring.endpoint import make_endpoint
from shadow.monitoring.watch import Watch
from shadow.rollout.consumers import Alarm, UnitStatus

from ..rollout.conftest import BOOK, Desk
from .test_rules import QUERIES, ROOT

WITHIN_S = 15.0


class Servers:
    """A running Prometheus and a running Alertmanager, asked over HTTP."""

    def __init__(self, prometheus: int, alertmanager: int) -> None:
        self._prometheus = f"http://127.0.0.1:{prometheus}"
        self._alertmanager = f"http://127.0.0.1:{alertmanager}"

    def query(self, text: str) -> Any:
        data = asked(f"{self._prometheus}/api/v1/query?{urllib.parse.urlencode({'query': text})}")["data"]
        assert data["resultType"] == "vector"
        return data["result"]

    def told(self) -> set[str]:
        """Alerts that Alertmanager would tell a person of."""
        alerts = asked(f"{self._alertmanager}/api/v2/alerts?active=true")
        return {alert["labels"]["alertname"] for alert in alerts}


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def until(holds: Callable[[], bool], what: str) -> float:
    """Seconds until it holds; another process cannot be waited for but by asking again."""
    began_s = time.monotonic()
    while time.monotonic() - began_s < WITHIN_S:
        try:
            if holds():
                return time.monotonic() - began_s
        except OSError:
            pass
        threading.Event().wait(0.1)
    raise AssertionError(f"not within {WITHIN_S:g} s: {what}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine; install Debian's packages `prometheus` and `prometheus-alertmanager`")
    return found


@contextmanager
def running(*words: str) -> Iterator[None]:
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def servers(folder: Path, target: int) -> Iterator[Servers]:
    """Both, watching the endpoint at that port."""
    watcher, teller = program("prometheus"), program("prometheus-alertmanager")
    asks, tells = free_port(), free_port()
    watched = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "monitoring" / "alerts.yml")],
        "scrape_configs": [{"job_name": "ws-shadow", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{tells}"]}]}]},
    }
    told = {"route": {"receiver": "desk"}, "receivers": [{"name": "desk"}]}
    for name, config in (("prometheus", watched), ("alertmanager", told)):
        (folder / f"{name}.yml").write_text(json.dumps(config))
    with (
        running(
            *(teller, f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'told'}"),
            *("--cluster.listen-address=", f"--web.listen-address=127.0.0.1:{tells}"),
        ),
        running(
            *(watcher, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"),
            f"--web.listen-address=127.0.0.1:{asks}",
        ),
    ):
        yield Servers(asks, tells)


@pytest.fixture
def target(desk: Desk) -> Iterator[int]:
    """The port of an endpoint over the desk, on the wall's clock."""
    desk.now_s = time.time()
    watch, registry = Watch(desk.places), CollectorRegistry()
    registry.register(watch)
    with make_endpoint(registry, "127.0.0.1", 0) as server:
        watch.start()
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
        watch.stop()


@pytest.mark.long
@pytest.mark.checklist("R.8")
def test_an_open_trigger_fires_within_15_s_and_every_query_is_answered(
    desk: Desk, target: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def beat() -> bool:
        desk.now_s = time.time()
        desk.beat(units={BOOK: UnitStatus("legacy", other_ready=True)})
        return True

    with servers(tmp_path, target) as both:
        known = 'sum(ws_shadow_heartbeats_fresh{kind="judge"}) == 1'
        until(lambda: beat() and both.query(known) != [], "the first scrape")
        until(lambda: beat() and "WsShadowMemory" not in both.told(), "Alertmanager")
        desk.alarms = [Alarm("memory", BOOK, "+21 %")]
        took_s = until(lambda: beat() and "WsShadowMemory" in both.told(), "the alert")
        for query in QUERIES:
            both.query(query)
    with capsys.disabled():
        print(f"\ntrigger told to alert active in Alertmanager: {took_s:.1f} s")  # noqa: T201
