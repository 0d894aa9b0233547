"""The page in a real browser: fits its screen, follows the colour scheme, loads nothing from elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.sync.client import ClientConnection, connect

from reports.index import render_index
from reports.rollback import render as render_rollback

from .conftest import rollback_sample

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
)  # fmt: skip
OPEN_ALL = "document.querySelectorAll('details').forEach(part => { part.open = true })"
CUT_LABELS = """
JSON.stringify([...document.querySelectorAll('svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBoundingClientRect();
    return box.left < frame.left - 2 || box.right > frame.right + 2 || box.bottom > frame.bottom + 2;
  }).map(text => text.textContent);
}))
"""


class Tab:
    """One page of the browser, spoken to by the DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; events on the way are kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._socket.recv(timeout=20))
        return message

    def open(self, page: Path, width: int, scheme: str) -> None:
        """Load `page` at that width and colour scheme."""
        metrics = {"width": width, "height": 1200, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.call("Runtime.evaluate", expression=expression)["result"]["value"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running browser; the tests are skipped where none is installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine; install Debian's package `chromium`")
    profile = tmp_path_factory.mktemp("profile")
    process = subprocess.Popen([program, *FLAGS, f"--user-data-dir={profile}"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        lines = (re.search(r"listening on (ws://\S+)", line) for line in process.stderr)
        address = next((found[1] for found in lines if found), None)
        if address is None:
            pytest.skip("chromium does not start on this machine")
        yield address
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_page_fits_its_screen_and_scheme(
    browser: str, rendered: Callable[[str], Path], width: int, scheme: str
) -> None:
    look_at(browser, rendered("roll_back") / "report.html", width, scheme)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_index_fits_its_screen_and_scheme(
    browser: str, make_run: Callable[[str], Path], make_history: Callable[..., Path], width: int, scheme: str
) -> None:
    runs = make_history([0.6, 0.58, 0.62, 0.61, 0.59, 0.66, 0.72, 1.69])
    for kind in ("roll_back", "not_fit", "interrupted"):
        make_run(kind).rename(runs / kind)
    (runs / "a-name-that-is-much-too-long-for-any-column-and-has-no-place-to-break" / "frames").mkdir(parents=True)
    look_at(browser, render_index([runs], runs), width, scheme)


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_the_page_after_a_rollback_fits_its_screen_and_scheme(
    browser: str, make_run: Callable[[str], Path], tmp_path: Path, width: int, scheme: str
) -> None:
    found = rollback_sample(str(make_run("roll_back")))
    (tmp_path / "rollback.json").write_bytes(msgspec.json.encode(found))
    look_at(browser, render_rollback(tmp_path), width, scheme)


def look_at(browser: str, page: Path, width: int, scheme: str) -> None:
    """Nothing runs over, no label is cut, the colours are the scheme's, and nothing else is loaded."""
    with connect(browser, max_size=None) as socket:
        tab = Tab(socket)
        tab.open(page, width, scheme)
        tab.call("Runtime.evaluate", expression=OPEN_ALL)
        assert tab.value("document.documentElement.scrollWidth") <= width
        assert json.loads(tab.value(CUT_LABELS)) == []
        ground = [
            int(part) for part in re.findall(r"\d+", tab.value("getComputedStyle(document.body).backgroundColor"))
        ]
        assert (sum(ground[:3]) < 200) == (scheme == "dark")
        asked = [event["params"] for event in tab.events if event.get("method") == "Network.requestWillBeSent"]
        assert [request["request"]["url"] for request in asked] == [page.as_uri()]
        assert [event for event in tab.events if event.get("method") == "Log.entryAdded"] == []
