"""A flag provider by import path: used in place of the file, and whatever it does, consumers are never nowhere."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openfeature import api

from exchanges.structs import ExchangeConfig, FlagProviderError, WebSocketConfig
from infrastructure.networking.websocket.migration import provider_check, stage
from infrastructure.networking.websocket.migration.provider import PROVIDER_VARIABLE, make_provider
from infrastructure.networking.websocket.migration.provider_check import check_provider
from infrastructure.networking.websocket.migration.stage import Stage, stage_of
from infrastructure.networking.websocket.utils import create_websocket_manager
from tests.src.infrastructure.networking.websocket.migration import teams_flags
from tests.src.infrastructure.networking.websocket.migration.teams_flags import InMemory, NeverReady, Unsteady
from tests.src.infrastructure.networking.websocket.migration.test_flag import BOOK, Reader, flags, reading, until

HERE = teams_flags.__name__


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The place of a flag file that says `complete`, so that asking the wrong one shows."""
    monkeypatch.setenv("WS_SHADOW_FLAGS", str(tmp_path / "flags.json"))
    monkeypatch.setenv("WS_SHADOW_KILL", str(tmp_path / "websocket.kill"))
    (tmp_path / "flags.json").write_text(flags("complete"))
    yield tmp_path / "flags.json"
    # The next test has a question of its own.
    until(lambda: not any(thread.name in ("flag", "flag-check") for thread in threading.enumerate()))
    api.clear_providers()


@pytest.fixture
def running(path: Path) -> Iterator[list[Reader]]:
    """Readers that are stopped behind the test."""
    readers: list[Reader] = []
    yield readers
    for one in readers:
        one.reader.stop()


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Names a provider to this process: by its import path, or as the attribute PROVIDER of a module."""

    def tell(provider: Any) -> Any:
        if not isinstance(provider, str):
            monkeypatch.setattr(teams_flags, "PROVIDER", provider, raising=False)
        named = provider if isinstance(provider, str) else f"{HERE}:PROVIDER"
        monkeypatch.setenv(PROVIDER_VARIABLE, named)
        return provider

    return tell


def manager() -> Any:
    """What a caller gets."""

    async def handler(_: Any) -> None:
        """Nothing is connected."""

    url = "ws://127.0.0.1:1/"
    config = ExchangeConfig(
        "GATEIO_SPOT", base_url="http://127.0.0.1:1/api/v4", websocket_url=url, websocket=WebSocketConfig(url)
    )
    return create_websocket_manager(config, message_handler=handler)


def top(made: Any) -> str:
    """The package that a manager comes from."""
    module = type(made).__module__
    return "both" if module.endswith(".dual_run") else module.partition(".")[0]


@pytest.mark.parametrize(
    ("named", "given"),
    [(f"{HERE}:InMemory", Stage.LIVE), (f"{HERE}:make", Stage.CANARY), (InMemory("shadow"), Stage.SHADOW)],
)
def test_a_class_a_function_and_a_provider_are_asked_instead_of_the_file(name: Any, named: Any, given: Stage) -> None:
    name(named)
    check_provider(keeps=True)
    assert stage_of("gateio", "spot")[0] is given
    assert top(manager()) == "both"


def test_without_a_path_the_file_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PROVIDER_VARIABLE, "")
    check_provider(keeps=True)
    assert top(manager()) == "infrastructure"


def test_the_kill_file_beats_it(name: Any, path: Path) -> None:
    name(f"{HERE}:InMemory")
    path.with_name("websocket.kill").touch()
    assert stage_of("gateio", "spot") == (Stage.OFF, "killed")
    assert top(manager()) == "legacy"


def test_an_applications_own_provider_goes_first(name: Any) -> None:
    name(f"{HERE}:InMemory")
    api.set_provider_and_wait(InMemory("canary"))
    assert stage_of("gateio", "spot")[0] is Stage.CANARY


WRONG = {
    "flags.of.nobody:provider": "cannot be imported: ModuleNotFoundError",
    f"{HERE}": "is no import path; write module:attribute",
    f"{HERE}:": "is no import path; write module:attribute",
    f"{HERE}:a b": "is no import path; write module:attribute",
    f"{HERE}:Nobody": f"does not exist: {HERE} has no Nobody",
    f"{HERE}:NUMBER": "is no OpenFeature provider: a int without attach",
    f"{HERE}:threading": "is no OpenFeature provider: a module without attach",
    f"{HERE}:NeedsWords": "cannot be made: TypeError: NeedsWords.__init__() missing 1 required positional argument",
}


@pytest.mark.checklist("R.5")
@pytest.mark.parametrize("named", WRONG)
def test_a_path_that_gives_no_provider_is_a_line_and_legacy(
    name: Any, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    name(named)
    with pytest.raises(FlagProviderError) as raised:
        make_provider()
    said = str(raised.value)
    assert said.startswith(f"flag provider {named!r} {WRONG[named]}")
    assert said.endswith("; mend $WS_SHADOW_FLAG_PROVIDER, or unset it for the flag file")
    assert "\n" not in said
    with pytest.raises(FlagProviderError) as checked:
        check_provider(keeps=True)
    assert str(checked.value) == said
    assert [top(manager()) for _ in range(3)] == ["legacy"] * 3
    assert [record.levelno for record in caplog.records if said in record.message] == [logging.WARNING]


def test_a_module_that_fails_or_exits_is_no_end_of_the_process(
    name: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for number, line in enumerate(("1 / 0", "raise SystemExit('no flags here')")):
        (tmp_path / f"failing_flags_{number}.py").write_text(line)
        name(f"failing_flags_{number}:provider")
        with pytest.raises(FlagProviderError, match=r"cannot be imported: (ZeroDivision|SystemExit)"):
            make_provider()
        assert top(manager()) == "legacy"


def test_flagd_without_its_extra_says_what_to_install(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openfeature.contrib.provider.flagd", None)
    name("infrastructure.networking.websocket.migration.flagd:make_flagd")
    with pytest.raises(FlagProviderError, match=r"cannot be made: ConfigurationError: .*; install ws-shadow\[flagd\]"):
        make_provider()
    assert top(manager()) == "legacy"


@pytest.mark.checklist("R.5")
def test_one_that_is_never_ready_means_legacy_in_time(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stage, provider_check):
        monkeypatch.setattr(module, "ANSWER_WITHIN_S", 0.1)
    provider = name(NeverReady())
    try:
        with pytest.raises(FlagProviderError, match=r"does not answer within 0.1 s; mend"):
            check_provider(keeps=True)
        api.clear_providers()
        assert stage_of("gateio", "spot") == (Stage.OFF, "TIMEOUT")
        assert top(manager()) == "legacy"
    finally:
        provider.go_on.set()


@pytest.mark.parametrize(
    ("named", "says"),
    [(f"{HERE}:RefusesToStart", "gives no stage: the flag service is away"), ("nonsense", "'everything' is not a")],
)
def test_one_that_gives_no_stage_means_legacy(name: Any, named: str, says: str) -> None:
    if named == "nonsense":
        name(Unsteady()).mood = named
    else:
        name(named)
    with pytest.raises(FlagProviderError, match=says):
        check_provider(keeps=True)
    assert top(manager()) == "legacy"


@pytest.mark.checklist("R.5")
@pytest.mark.parametrize("mood", ["frozen", "raising", "flapping", "nonsense"])
def test_a_running_process_keeps_the_last_good_stage(name: Any, mood: str, running: list[Reader]) -> None:
    provider = name(Unsteady())
    assert stage_of("gateio", "spot")[0] is Stage.LIVE
    one = reading(running, Stage.SHADOW)
    until(lambda: one.stage is Stage.LIVE)
    provider.mood = mood
    asked = provider.asked
    if mood != "flapping":
        provider.turn("off")
    until(lambda: provider.asked > asked)
    if mood in ("raising", "nonsense"):
        age_s = one.reader.age_s
        one.reader.read_once()
        assert one.reader.age_s > age_s
    if mood != "frozen":
        for _ in range(5):
            one.reader.read_once()
            assert one.reader.stage(BOOK) is Stage.LIVE
        assert one.reader.errors > 0
    assert one.stage is Stage.LIVE
    provider.mood = ""
    provider.turn("canary")
    provider.go_on.set()
    until(lambda: one.stage is Stage.CANARY)


def test_a_check_may_leave_nothing_behind(name: Any) -> None:
    name(f"{HERE}:InMemory")
    check_provider(keeps=False)
    until(lambda: api.get_provider_metadata("ws-shadow").name == "No-op Provider")


def test_a_provider_is_not_charged_for_the_time_that_openfeature_takes_to_be_loaded(path: Path) -> None:
    """In a process of its own, which has loaded nothing before."""
    program = (
        "import sys\n"
        "from infrastructure.networking.websocket.migration import stage\n"
        "began = []\n"
        "def ask(unit):\n"
        "    began.append('openfeature.contrib.tools.flagd.core' in sys.modules)\n"
        "    return None, ''\n"
        "stage.ask = ask\n"
        "stage.stage_of('gateio', 'spot')\n"
        "sys.exit(began != [True])\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
