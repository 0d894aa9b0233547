"""A reproducer on disk: what is written is read again, and what is hostile stays data."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shadow.diff.frames import FrameStore
from shadow.errors import RunError
from shadow.reproducer import case as case_module
from shadow.reproducer.case import Case, Fault, Fed, RestBook, read_case, write_case

HOSTILE = b'\x00\xff"""\n$(touch owned)`{{7*7}}`\nimport os; os.system("x")\r\n</script>\\u0000\n'
ODD = "]](x)\n```\nimport os\n`$(id)`<b>"
CONNECTIONS = (
    "gateio.spot.public", "gateio.futures.public", "mexc.spot.public",
    "gateio.spot.private", "gateio.futures.private", "mexc.spot.private",
)  # fmt: skip


def make(payloads: list[bytes], connection: str = "gateio.spot.public", **more: Any) -> Case:
    decode = FrameStore({}).decode
    is_text = not connection.startswith("mexc")
    fields = {"code": "FIELD", "connection": connection, "type": "book", "symbol": "BTC_USDT", "field": "bids:type"}
    return Case(
        fault=Fault(**{**fields, **more}),
        command="python my_stack.py",
        options={"door": "direct"},
        symbols=("BTC_USDT",),
        channels=("book",),
        held={"trade": ["id"]},
        books=[RestBook("BTC_USDT", 7, [("1", "2")], [("3", "4.50")])],
        frames=[Fed(at, "book", "BTC_USDT", payload, is_text, "") for at, payload in enumerate(payloads)],
        expected=[decode(connection, payload, is_text)[0] for payload in payloads],
    )


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_what_is_written_is_read_again(connection: str, good_frames: Any, tmp_path: Path) -> None:
    case = make(good_frames(connection), connection)
    assert all(case.expected)
    write_case(case, tmp_path / "one", ["said"])
    assert msgspec.to_builtins(read_case(tmp_path / "one")) == msgspec.to_builtins(case)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(payloads=st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_any_bytes_survive(payloads: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any") / "one"
    write_case(make(payloads), folder, [])
    assert [frame.payload for frame in read_case(folder).frames] == payloads


def test_hostile_payloads_and_names_stay_data(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_case(make([HOSTILE], symbol=ODD, field=ODD), folder, ["said"])
    template = Path(case_module.__file__).with_name("template.py").read_bytes()
    assert (folder / "test_reproducer.py").read_bytes() == template
    page = (folder / "README.md").read_text()
    assert page.startswith("# FIELD gateio.spot.public book ??")
    assert not {"$(id)", "import os", "<b>"} & set(page.splitlines())
    assert page.count("```") == 2
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".json", ".jsonl", ".md", ".py"]
    assert b"touch owned" not in b"".join(path.read_bytes() for path in folder.iterdir())
    found = read_case(folder)
    assert found.frames[0].payload == HOSTILE
    assert found.fault.symbol == ODD


def test_the_fixed_test_reads_its_folder_and_holds_no_data() -> None:
    tree = ast.parse(Path(case_module.__file__).with_name("template.py").read_text())
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls == {"read_case", "differences", "replay", "Path"}


def test_a_reproducer_is_for_its_owner_and_never_written_over(tmp_path: Path) -> None:
    write_case(make([b"{}"]), tmp_path / "one", [])
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        write_case(make([b"{}"]), tmp_path / "one", [])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("case.json", b"{}"),
        ("frames.jsonl", b""),
        ("frames.jsonl", b'{"kind":"ws","symbol":"","payload":"%%%"}\n'),
        ("frames.jsonl", b'{"kind":"ws","symbol":""}\n{"kind":"ws","symbol":""}\n'),
        ("expected.json", b'[[{"type":"candle"}]]'),
        ("expected.json", b"[]"),
        ("expected.json", None),
    ],
)
def test_a_damaged_reproducer_is_named(name: str, content: bytes | None, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    write_case(make([b"{}"]), folder, [])
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(RunError, match="no whole reproducer"):
        read_case(folder)
