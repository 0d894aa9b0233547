import json
from pathlib import Path

import pytest

from shadow.errors import UsageError
from shadow.upstream import read_upstream


def test_without_the_variable_it_is_the_exchanges() -> None:
    upstream = read_upstream({})
    assert upstream.ws["mexc.spot"] == "wss://wbs-api.mexc.com/ws"
    assert all(url.startswith("wss://") for url in upstream.ws.values())
    assert all(url.startswith("https://") for url in upstream.rest.values())
    assert upstream.credentials == {}


def test_the_line_of_a_ready_venue_is_an_upstream(tmp_path: Path) -> None:
    ready = {
        "ready": True,
        "ws": {"gateio.spot": "ws://127.0.0.1:1/ws/v4/"},
        "rest": {"gateio": "http://127.0.0.1:2"},
        "credentials": {"gateio": {"key": "k", "secret": "s", "uid": "1"}},
    }
    file = tmp_path / "ready.json"
    file.write_text(json.dumps(ready))
    upstream = read_upstream({"WS_SHADOW_UPSTREAM": str(file)})
    assert (upstream.ws, upstream.rest, upstream.ca) == (ready["ws"], ready["rest"], None)
    assert upstream.credentials["gateio"]["uid"] == "1"


@pytest.mark.parametrize(
    ("text", "says"), [(None, "No such file"), ("[]", "no line of a ready venue"), ("{", "no line")]
)
def test_a_file_that_is_no_upstream_is_one_line(tmp_path: Path, text: str | None, says: str) -> None:
    file = tmp_path / "ready.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        read_upstream({"WS_SHADOW_UPSTREAM": str(file)})
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
