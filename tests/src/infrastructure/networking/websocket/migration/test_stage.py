from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from infrastructure.networking.websocket.migration.stage import Stage, serving_architecture, stage_of

VARIANTS = {stage.value: stage.value for stage in Stage}


def flags(default: str, targeting: dict[str, Any] | None = None, state: str = "ENABLED") -> dict[str, Any]:
    flag: dict[str, Any] = {"state": state, "variants": VARIANTS, "defaultVariant": default}
    if targeting is not None:
        flag["targeting"] = targeting
    return {"flags": {"websocket-stack": flag}}


@pytest.fixture
def flag_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "flags.json"
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(path))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    return path


@pytest.mark.checklist("R.5")
@pytest.mark.parametrize("variant", [stage.value for stage in Stage])
def test_the_default_variant_is_the_stage(flag_path: Path, variant: str) -> None:
    flag_path.write_text(json.dumps(flags(variant)))
    assert stage_of("gateio", "spot")[0] is Stage(variant)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        json.dumps({"flags": {}}).encode(),
        json.dumps({"flags": {"websocket-stack": {"state": "ENABLED"}}}).encode(),
        json.dumps(flags("no-such-variant")).encode(),
        json.dumps(flags("complete", state="DISABLED")).encode(),
        json.dumps(
            {
                "flags": {
                    "websocket-stack": flags("complete")["flags"]["websocket-stack"] | {"variants": {"complete": 7}}
                }
            }
        ).encode(),
        json.dumps(
            {
                "flags": {
                    "websocket-stack": flags("complete")["flags"]["websocket-stack"]
                    | {"variants": {"complete": "full"}}
                }
            }
        ).encode(),
    ],
)
def test_every_flag_error_means_legacy(flag_path: Path, content: bytes | None) -> None:
    if content is not None:
        flag_path.write_bytes(content)
    assert serving_architecture(stage_of("gateio", "spot")[0]) == "legacy"


def test_targeting_tells_exchanges_apart(flag_path: Path) -> None:
    rule = {"if": [{"==": [{"var": "exchange"}, "mexc"]}, "complete", "off"]}
    flag_path.write_text(json.dumps(flags("off", rule)))
    assert stage_of("mexc", "spot")[0] is Stage.COMPLETE
    assert stage_of("gateio", "spot")[0] is Stage.OFF


def test_a_restored_older_file_takes_effect(flag_path: Path) -> None:
    flag_path.write_text(json.dumps(flags("complete")))
    os.utime(flag_path, (2_000_000_000, 2_000_000_000))
    assert stage_of("gateio", "spot")[0] is Stage.COMPLETE
    flag_path.write_text(json.dumps(flags("off")))
    os.utime(flag_path, (1_000_000_000, 1_000_000_000))
    assert stage_of("gateio", "spot")[0] is Stage.OFF


def test_the_kill_file_beats_the_flag(flag_path: Path) -> None:
    flag_path.write_text(json.dumps(flags("complete")))
    kill = Path(os.environ["WS_SHADOW_KILL"])
    kill.touch()
    assert stage_of("gateio", "spot") == (Stage.OFF, "killed")
    kill.unlink()
    assert stage_of("gateio", "spot")[0] is Stage.COMPLETE


def test_new_serves_from_canary_on() -> None:
    served = {stage.value: serving_architecture(stage) for stage in Stage}
    assert served == dict.fromkeys(("off", "shadow"), "legacy") | dict.fromkeys(
        ("canary", "live", "rampdown", "complete"), "new"
    )


def test_an_application_provider_is_left_in_place(flag_path: Path) -> None:
    from openfeature import api
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    from infrastructure.networking.websocket.migration.stage import DOMAIN

    flag_path.write_text(json.dumps(flags("off")))
    api.set_provider_and_wait(InMemoryProvider({"websocket-stack": InMemoryFlag("complete", VARIANTS)}), DOMAIN)
    try:
        assert stage_of("gateio", "spot")[0] is Stage.COMPLETE
    finally:
        api.clear_providers()
    assert stage_of("gateio", "spot")[0] is Stage.OFF
