"""probe.json: read as it was written, refused when damaged, and part of what the manifest vouches for."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadow.capture.manifest import data_sha256, verify_raw, write_manifest
from shadow.capture.probe_file import Probe, read_probe, write_probe
from shadow.errors import RunError

PROBE = Probe(missing={"legacy": "foreign stack"}, figures={"new": {"template": [370, 380]}})


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_probe(tmp_path, PROBE)
    assert read_probe(tmp_path) == PROBE


def test_a_run_without_one_says_so(tmp_path: Path) -> None:
    assert read_probe(tmp_path) == Probe(skipped="this run has no probe")


@pytest.mark.parametrize("text", ["", "[]", '{"schema":2}', '{"figures":{"new":{"template":["x"]}}}', "\udcff"])
def test_a_damaged_one_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "probe.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RunError, match=r"probe\.json is unreadable"):
        read_probe(tmp_path)


def test_it_is_raw_data(tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text("{}")
    empty = data_sha256(tmp_path)
    write_probe(tmp_path, PROBE)
    assert "probe.json" in write_manifest(tmp_path).raw
    assert data_sha256(tmp_path) != empty
    write_probe(tmp_path, Probe(figures={"new": {"template": [1]}}))
    with pytest.raises(RunError, match=r"probe\.json does not match the manifest"):
        verify_raw(tmp_path)
