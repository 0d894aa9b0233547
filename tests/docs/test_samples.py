"""The pages keep their word: samples parse and do what is said of them, links lead somewhere, figures are real."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from shadow.commands.outcome import EXIT_CODES
from shadow.subjects.protocol import read_start

from .documented import PAGES, ROOT, blocks


def test_the_samples_of_a_log_are_lines_of_one(tmp_path: Path) -> None:
    from shadow.importing.log_lines import Kind, read_log

    for sample in blocks(ROOT / "docs" / "capture-format.md", "json"):
        (tmp_path / "log.jsonl").write_text(sample)
        assert [line.kind for line in read_log(tmp_path / "log.jsonl")] == [Kind.FRAME]


def test_the_recorder_is_as_short_as_said() -> None:
    text = (ROOT / "docs" / "examples" / "record_capture.py").read_text()
    code = [line for line in text.splitlines() if line.strip() and not line.startswith(("import", "from", '"""'))]
    assert len(code) <= 20


def test_the_minimal_subject_is_as_short_as_said() -> None:
    text = (ROOT / "docs" / "examples" / "minimal_subject.py").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 50
    assert "shadow" not in re.sub(r'""".*?"""', "", text, flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_samples_parse(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert link.startswith("http") or (page.parent / link).exists(), link
    for sample in blocks(page, "json"):
        json.loads(sample)
    for sample in blocks(page, "python"):
        compile(sample, str(page), "exec")


def test_the_start_line_sample_is_one() -> None:
    (sample,) = blocks(ROOT / "docs" / "subjects.md", "json")
    start = read_start(sample.replace("\n", " ").encode())
    assert [spec.id for spec in start.connections] == ["gateio.spot.public"]
    assert start.protocol == 1


def stack_of(name: str) -> str:
    """The top package of the stack that a caller gets."""
    from exchanges.structs import ExchangeConfig, ParsedMessage
    from infrastructure.networking.websocket.utils import create_websocket_manager

    async def handler(message: ParsedMessage) -> None:
        """Nothing is connected."""

    url, rest = "ws://127.0.0.1:1/", "http://127.0.0.1:1/api/v4"
    config = ExchangeConfig(name, base_url=rest, websocket_url=url)
    module = type(create_websocket_manager(config, message_handler=handler)).__module__
    return "both" if module.endswith(".dual_run") else module.partition(".")[0]


def test_the_flag_sample_flips_mexc_and_nothing_else(flags: Path) -> None:
    from infrastructure.networking.websocket.migration.stage import Stage, stage_of

    sample, _ = blocks(ROOT / "docs" / "flag.md", "json")
    assert (stack_of("MEXC_SPOT"), stack_of("GATEIO_SPOT")) == ("legacy", "legacy")
    flags.write_text(sample)
    assert stage_of("mexc", "spot")[0] is Stage.COMPLETE
    assert stage_of("gateio", "spot")[0] is Stage.OFF
    assert (stack_of("MEXC_SPOT"), stack_of("GATEIO_SPOT")) == ("infrastructure", "legacy")
    flags.with_name("websocket.kill").touch()
    assert stack_of("MEXC_SPOT") == "legacy"


def test_the_flag_table_tells_which_stacks_are_behind_the_manager(flags: Path) -> None:
    sample, _ = blocks(ROOT / "docs" / "flag.md", "json")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([a-z ]+) \|$", (ROOT / "docs" / "flag.md").read_text(), re.MULTILINE)
    assert [variant for variant, _ in rows] == list(json.loads(sample)["flags"]["websocket-stack"]["variants"])
    for variant, connected in rows:
        content = json.loads(sample)
        content["flags"]["websocket-stack"] |= {"defaultVariant": variant, "targeting": {}}
        flags.write_text(json.dumps(content))
        stacks = {"legacy": "legacy", "new": "infrastructure", "legacy and new": "both"}
        assert stack_of("GATEIO_SPOT") == stacks[connected], variant


def test_the_flag_sample_of_a_share_takes_a_tenth_of_the_units(flags: Path) -> None:
    from infrastructure.networking.websocket.migration.stage import Stage, stage_of

    _, sample = blocks(ROOT / "docs" / "flag.md", "json")
    flags.write_text(sample)
    assert stack_of("GATEIO_SPOT") == "both"
    stages = [stage_of("gateio", "spot", channel="book", symbol=f"S{number}_USDT")[0] for number in range(200)]
    assert set(stages) == {Stage.SHADOW, Stage.CANARY}
    assert 8 <= stages.count(Stage.CANARY) <= 35


def test_the_readme_names_the_real_codes() -> None:
    rows = re.findall(r"^\| ([A-Z ]+) \| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {word.replace(" ", "_"): int(code) for word, code in rows} == EXIT_CODES


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    dated = re.findall(r"^## (\S+), (\d{4}-\d{2}-\d{2})$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert dated[0][0] == version


def test_the_picture_is_small() -> None:
    assert 10_000 < (ROOT / "docs" / "report.png").stat().st_size < 250_000
