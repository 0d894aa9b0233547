import os
from pathlib import Path

import orjson
import pytest

from shadow.capture.manifest import (
    add_derived,
    config_sha256,
    data_sha256,
    read_manifest,
    verify_derived,
    write_manifest,
)
from shadow.capture.reader import RunData
from shadow.capture.tables import SESSION_TABLES
from shadow.capture.writer import SegmentWriter, compact
from shadow.errors import RunError

SESSION = {"schema": 1, "run": "a", "rate": 600, "started_utc": "2026-11-22T10:00:00Z", "machine": {"cpus": 2}}
TABLES = (*SESSION_TABLES, "events/legacy", "events/new")


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A small run with all its tables, sealed."""
    (tmp_path / "session.json").write_bytes(orjson.dumps(SESSION))
    for table in TABLES:
        sink = SegmentWriter(tmp_path, table)
        if table == "marks":
            sink.append((1, "main", "", "leg-begin", "{}"))
        if table.startswith("events/"):
            sink.append(("main", 0, "event", "c", "trade", "BTC_USDT", 1, 2, b"{}"))
        sink.close()
        compact(tmp_path, table)
    write_manifest(tmp_path)
    return tmp_path


def flip_one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_sealed_run_verifies_and_names_its_files(sealed: Path) -> None:
    run = RunData(sealed)
    run.verify()
    assert run.complete
    assert set(run.manifest.raw) == {"session.json", *(f"{table}.parquet" for table in TABLES)}
    assert run.session == SESSION
    assert run.roles() == ["legacy", "new"]


@pytest.mark.parametrize("name", ["session.json", "frames.parquet", "marks.parquet", "events/new.parquet"])
def test_one_changed_byte_is_refused_by_name(sealed: Path, name: str) -> None:
    flip_one_byte(sealed / name)
    with pytest.raises(RunError, match=name):
        RunData(sealed).verify()


def test_a_missing_raw_file_is_refused_by_name(sealed: Path) -> None:
    (sealed / "sends.parquet").unlink()
    with pytest.raises(RunError, match=r"sends\.parquet"):
        RunData(sealed).verify()
    with pytest.raises(RunError, match=r"sends\.parquet"):
        RunData(sealed).table("sends")


def test_a_file_slipped_in_is_refused_by_name(sealed: Path) -> None:
    (sealed / "events" / "legacy2.parquet").write_bytes((sealed / "events" / "new.parquet").read_bytes())
    with pytest.raises(RunError, match="legacy2"):
        RunData(sealed).verify()


def test_damaged_manifests_are_refused(sealed: Path) -> None:
    (sealed / "manifest.json").write_bytes(b'{"schema":1,"complete":"yes"}')
    with pytest.raises(RunError, match=r"manifest\.json"):
        RunData(sealed).verify()
    (sealed / "manifest.json").unlink()
    run = RunData(sealed)
    assert not run.complete
    with pytest.raises(RunError, match=r"manifest\.json"):
        run.verify()


def test_a_manifest_may_not_point_outside_the_run(sealed: Path) -> None:
    manifest = orjson.loads((sealed / "manifest.json").read_bytes())
    manifest["raw"]["../elsewhere"] = "0" * 64
    (sealed / "manifest.json").write_bytes(orjson.dumps(manifest))
    with pytest.raises(RunError, match="outside the run"):
        RunData(sealed).verify()


def test_a_damaged_parquet_file_is_no_traceback(sealed: Path) -> None:
    (sealed / "frames.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(RunError, match=r"frames\.parquet"):
        RunData(sealed).table("frames")


def test_derived_files_are_hashed_apart(sealed: Path) -> None:
    before = read_manifest(sealed).raw
    (sealed / "verdict.json").write_bytes(b"{}")
    (sealed / "report.html").write_bytes(b"<p>")
    add_derived(sealed, ["verdict.json", sealed / "report.html"])
    manifest = verify_derived(sealed)
    assert set(manifest.derived) == {"verdict.json", "report.html"}
    assert manifest.raw == before
    flip_one_byte(sealed / "verdict.json")
    RunData(sealed).verify()
    with pytest.raises(RunError, match=r"verdict\.json"):
        verify_derived(sealed)


def test_an_interrupted_run_says_why_and_reads_its_segments(tmp_path: Path) -> None:
    sink = SegmentWriter(tmp_path, "marks")
    sink.append((1, "main", "", "leg-begin", "{}"))
    sink.flush()
    write_manifest(tmp_path, interrupted="power")
    run = RunData(tmp_path)
    run.verify()
    assert not run.complete
    assert run.manifest.interrupted == "power"
    assert run.table("marks").num_rows == 1
    assert run.table("sends").num_rows == 0
    flip_one_byte(tmp_path / "marks" / "000001.arrows")
    with pytest.raises(RunError, match=r"marks/000001\.arrows"):
        RunData(tmp_path).verify()


def test_hashes_follow_data_and_configuration_only(sealed: Path) -> None:
    data, config = data_sha256(RunData(sealed)), config_sha256(sealed)
    (sealed / "session.json").write_bytes(orjson.dumps(SESSION | {"run": "b", "started_utc": "later"}))
    assert (data_sha256(sealed), config_sha256(sealed)) == (data, config)
    (sealed / "session.json").write_bytes(orjson.dumps(SESSION | {"rate": 601}))
    assert data_sha256(sealed) == data
    assert config_sha256(sealed) != config
    flip_one_byte(sealed / "marks.parquet")
    assert data_sha256(sealed) != data


def test_no_run_and_no_table(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run directory"):
        RunData(tmp_path / "absent")
    with pytest.raises(RunError, match="no such table"):
        RunData(tmp_path).table("event")
    with pytest.raises(RunError, match=r"session\.json"):
        _ = RunData(tmp_path).session
    assert os.fspath(RunData(tmp_path)) == str(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 99),
        ("connections", None),
        ("connections", "zz"),
        ("symbols", -1),
        ("channels", "zz"),
        ("seed", "zz"),
        ("faults", -1),
        ("mix", "zz"),
        ("plan", "zz"),
        ("plan", {"legs": [{"leg": "main"}]}),
        ("known", [1]),
        ("grade", [1]),
    ],
)
def test_a_session_of_other_types_is_refused_by_name(sealed: Path, field: str, value: object) -> None:
    (sealed / "session.json").write_bytes(orjson.dumps(SESSION | {field: value}))
    with pytest.raises(RunError, match=r"session\.json is no session of schema 1"):
        _ = RunData(sealed).session
