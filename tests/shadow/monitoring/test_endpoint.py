"""The endpoint over a real socket: one path, this machine's names, the command as a process."""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from shadow.errors import UsageError
from shadow.monitoring.endpoint import make_endpoint

from ..rollout.conftest import Desk
from .conftest import scrape_of, watch_of


@contextmanager
def serving(desk: Desk, host: str) -> Iterator[int]:
    """The port of an endpoint over the desk."""
    watch, registry = watch_of(desk), CollectorRegistry()
    registry.register(watch)
    watch.take()
    with make_endpoint(registry, host, 0) as server:
        assert server.server_address[0] == host
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def port(desk: Desk) -> Iterator[int]:
    with serving(desk, "127.0.0.1") as number:
        yield number


def get(port: int, path: str = "/metrics", host: str = "", at: str = "127.0.0.1") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(at, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def test_it_answers_one_path(port: int) -> None:
    status, kind, text = get(port)
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert scrape_of(text)["flag_readable"] == {(): 1}
    assert get(port, "/metrics?x=1")[0] == 200
    assert [get(port, path)[0] for path in ("/", "/metrics/", "/../flags.json")] == [404, 404, 404]


def test_it_answers_only_those_who_name_this_machine(port: int) -> None:
    assert get(port, host=f"localhost:{port}")[0] == 200
    assert [get(port, host=f"{name}:{port}")[0] for name in ("evil.example", "10.0.0.1")] == [403, 403]
    assert get(port, host="evil.example")[2].find("ws_shadow_") == -1


def test_who_opened_it_to_the_network_is_asked_by_any_name(desk: Desk) -> None:
    with serving(desk, "127.0.0.2") as port:
        assert [get(port, host=f"{name}:{port}", at="127.0.0.2")[0] for name in ("127.0.0.2", "evil.example")] == [
            200,
            403,
        ]
    with serving(desk, "0.0.0.0") as port:
        assert get(port, host=f"desk.example:{port}")[0] == 200


def test_a_port_that_is_taken_is_a_mistake_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="choose another --port"):
        make_endpoint(CollectorRegistry(), "127.0.0.1", taken.getsockname()[1])
    with pytest.raises(UsageError, match="no such port; choose another --port"):
        make_endpoint(CollectorRegistry(), "127.0.0.1", 65_536)


@pytest.mark.checklist("R.8", "S.17")
def test_the_command_serves_on_loopback_until_it_is_ended(desk: Desk, tmp_path: Path) -> None:
    desk.beat()
    words = [sys.executable, "-m", "shadow.cli", "metrics", "--port", "0", "--folder", str(desk.places.folder)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            found = re.fullmatch(r"serving http://127\.0\.0\.1:(\d+)/metrics; Ctrl-C ends it\n", said)
            assert found is not None, said
            assert ("consumer", "desk") in scrape_of(get(int(found[1]))[2])["heartbeat_age_seconds"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
