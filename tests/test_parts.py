"""The runner of `make test` fails whenever one of its parts does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("parts", Path(__file__).with_name("parts.py"))
assert SPEC is not None
assert SPEC.loader is not None
parts = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(parts)
ALL = {**parts.PARTS, **parts.BESIDE}


@pytest.mark.parametrize(
    ("codes", "answer"),
    [
        ((0, 0), 0),
        ((1, 0), 1),
        ((0, 2), 1),
        ((0, -9), 1),
        ((-9, 0), 1),
        ((5, 0), 0),
        ((0, 5), 0),
        ((5, 5), 1),
        ((5, 1), 1),
    ],
)
def test_one_failing_part_is_a_failure(codes: tuple[int, int], answer: int) -> None:
    assert parts.verdict(codes) == answer


def test_every_test_file_is_in_one_part() -> None:
    """As pytest picks them: below a path that is given, and below none that is ignored."""
    for path in sorted((parts.ROOT / "tests").rglob("test_*.py")):
        name = path.relative_to(parts.ROOT).as_posix()
        homes = [part for part, words in ALL.items() if is_in(name, words)]
        assert len(homes) == 1, (name, homes)


def is_in(name: str, words: tuple[str, ...]) -> bool:
    ignored = [word.removeprefix("--ignore=") for word in words if word.startswith("--ignore=")]
    given = [word for word in words if not word.startswith("--")]
    return any(is_below(name, path) for path in given) and not any(is_below(name, path) for path in ignored)


def is_below(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}/")


@pytest.mark.parametrize(
    ("fixture", "part"),
    [(r"\blive: Live\b", "live sessions"), (r"\b(recorded: Path|judge_damaged: Judge)\b", "recorded sessions")],
)
def test_sessions_that_files_share_are_made_in_one_part(fixture: str, part: str) -> None:
    users = {path for path in (parts.ROOT / parts.SESSIONS).glob("test_*.py") if re.search(fixture, path.read_text())}
    assert users
    assert {path.relative_to(parts.ROOT).as_posix() for path in users} <= set(parts.PARTS[part])


def test_every_path_of_a_part_is_there() -> None:
    named = {word.removeprefix("--ignore=") for words in ALL.values() for word in words}
    assert [path for path in named if not path.startswith("--") and not (parts.ROOT / path).exists()] == []


def test_every_part_runs_and_what_it_says_is_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(parts, "PARTS", {"one": ("tests/test_parts.py",), "two": ("tests/no_such_file.py",)})
    monkeypatch.setattr(parts, "BESIDE", {"filling": ("tests/conftest.py",)})
    monkeypatch.setattr(parts, "run_check", lambda nice: 0)
    assert parts.main(["--collect-only"]) == 1
    said = capfd.readouterr().out
    assert "tests/test_parts.py::test_every_path_of_a_part_is_there" in said[said.index("one, ") :]
    assert "file or directory not found: tests/no_such_file.py" in said[said.index("two, ") :]
    assert "no tests collected" in said[said.index("filling, ") :]


@pytest.mark.parametrize(("check", "filling", "answer"), [(0, 0, 0), (2, 0, 2), (0, 1, 1), (0, -9, 1)])
def test_what_runs_beside_counts_like_the_rest(
    check: int, filling: int, answer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "run_check", lambda nice: check)
    monkeypatch.setattr(parts, "run_part", lambda name, *_: filling if name in parts.BESIDE else 0)
    assert parts.main([]) == answer


@pytest.mark.parametrize("words", [["--collect-only"], ["--collect-only", "tests/test_parts.py"]])
def test_a_failing_check_is_a_failure_whatever_the_tests_say(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A path given runs under coverage; the figures of the whole suite are not its to replace.
    monkeypatch.setenv("COVERAGE_FILE", str(tmp_path / "coverage"))
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr(parts, "PARTS", {"one": ("tests/test_parts.py",)})
    monkeypatch.setattr(parts, "BESIDE", {"filling": ("tests/test_parts.py",)})
    for code in (0, 2):
        monkeypatch.setattr(parts, "run_check", lambda nice=0, code=code: code)
        assert parts.main(words) == code
