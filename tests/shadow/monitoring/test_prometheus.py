"""The whole way with a real Prometheus: files, endpoint, scrape, rules, and every query of the dashboard."""

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


class Prometheus:
    """A running server, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **words: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(words)}", timeout=5) as answer:
            return json.load(answer)["data"]

    def firing(self) -> set[str]:
        alerts = self.get("/api/v1/alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


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


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[Prometheus]:
    program, port = shutil.which("prometheus"), free_port()
    if program is None:
        pytest.skip("no prometheus on this machine; install Debian's package `prometheus`")
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "monitoring" / "alerts.yml")],
        "scrape_configs": [{"job_name": "ws-shadow", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    words = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with subprocess.Popen(
        [program, *words, f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield Prometheus(port)
        finally:
            process.terminate()


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

    with prometheus(tmp_path, target) as server:
        known = 'sum(ws_shadow_heartbeats_fresh{kind="judge"}) == 1'
        until(lambda: beat() and server.get("/api/v1/query", query=known)["result"] != [], "the first scrape")
        assert "WsShadowMemory" not in server.firing()
        desk.alarms = [Alarm("memory", BOOK, "+21 %")]
        took_s = until(lambda: beat() and "WsShadowMemory" in server.firing(), "the alert")
        for query in QUERIES:
            assert server.get("/api/v1/query", query=query)["resultType"] == "vector"
        desk.alarms = []
        until(lambda: beat() and "WsShadowMemory" not in server.firing(), "the alert's end")
    with capsys.disabled():
        print(f"\ntrigger told to alert firing in Prometheus: {took_s:.1f} s")  # noqa: T201
