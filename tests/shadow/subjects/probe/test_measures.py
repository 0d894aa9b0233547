"""The probe measures: every figure that a target names is there, and work that is added to a layer shows in it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import pytest

from exchanges.integrations.mexc.ws.handlers.public_handler import MexcPublicHandler
from infrastructure.networking.websocket.handlers.public_message_handler import PublicMessageHandler
from infrastructure.networking.websocket.mixins.gateio_auth_mixin import GateioAuthMixin
from shadow.subjects.emit import make_burn
from shadow.subjects.probe import layers, logins, messages
from shadow.subjects.probe.samples import Samples, in_turn, timed
from shadow.verdict.checklist import load_checklist

TARGETS = [target for target in load_checklist().target if target.source in ("probe", "stamps")]
# The legacy cuts its work otherwise: it has no template, and neither detection nor routing of its own.
NEW_ONLY = ("template", "detect.", "route.")
BURN_US = 300


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, list[int]]]:
    """What the process of a session writes."""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-m", "shadow.subjects.probe"],
        input='{"roles":{"legacy":"legacy","new":"new"}}\n',
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert answer.stderr == ""
    found: dict[str, dict[str, list[int]]] = json.loads(answer.stdout)["figures"]
    return found


@pytest.mark.checklist(
    "1.1.14", "1.1.15", "1.1.16", "1.3.14", "1.3.15", "2.1.12", "2.1.16", "2.1.17", "2.1.18", "2.2.14", "2.2.15",
    "2.2.16", "2.3.15", "2.3.16", "2.3.17", "3.1.18", "5.3.1", "5.3.4", "5.3.5", "5.3.11",
)  # fmt: skip
def test_a_target_has_its_figure_with_enough_values(figures: dict[str, dict[str, list[int]]]) -> None:
    for role, found in figures.items():
        for target in TARGETS:
            for name in filter(None, (target.figure, target.over)):
                values = [v for key in found if f"{key}.".startswith(f"{name}.") for v in found[key]]
                if role == "legacy" and name.startswith(NEW_ONLY):
                    assert values == []
                else:
                    assert len(values) >= target.minimum, (role, name)
                    assert statistics.median(values) > 0


def test_the_stacks_are_told_apart_by_what_is_known_of_them(figures: dict[str, dict[str, list[int]]]) -> None:
    """The legacy's login waits a fixed tenth of a second; the new one waits for its answer."""
    assert min(figures["legacy"]["auth"]) >= 100_000_000
    assert statistics.median(figures["new"]["auth"]) < 50_000_000


def slowed(method: Callable[..., Any]) -> Callable[..., Any]:
    burn = make_burn(BURN_US * 1000)
    assert burn is not None

    def slow(*args: Any, **kwargs: Any) -> Any:
        burn()
        return method(*args, **kwargs)

    return slow


@pytest.mark.parametrize(
    ("owner", "method", "figure"),
    [
        (MexcPublicHandler, "_detect_message_type", "detect.mexc"),
        (PublicMessageHandler, "_route_message", "route.book"),
        (GateioAuthMixin, "create_auth_message", "auth_message"),
    ],
)
async def test_work_added_to_a_layer_shows_in_its_figure(
    owner: Any, method: str, figure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "CALLS", 20)
    monkeypatch.setattr(owner, method, slowed(getattr(owner, method)))
    found = layers._new_layers()
    assert min(found[figure]) >= BURN_US * 1000
    quick = {"template", "queueing", "route.position"} - {figure}
    assert all(statistics.median(found[name]) < BURN_US * 1000 for name in quick)


@pytest.mark.checklist("5.3.1", "5.3.5")
async def test_work_added_to_a_stack_shows_in_its_messages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in (("SINGLES", 32), ("WARM_UP", 32), ("CHUNK", 20), ("ROUNDS", 2)):
        monkeypatch.setattr(messages, name, few)
    monkeypatch.setattr(messages, "EXCHANGES", ("mexc",))
    monkeypatch.setattr(MexcPublicHandler, "_detect_message_type", slowed(MexcPublicHandler._detect_message_type))
    samples, roles = Samples(), {"legacy": "legacy", "new": "new"}
    await messages.measure_processing(roles, samples)
    await messages.measure_rates(roles, samples)
    new, legacy = samples.by_role["new"], samples.by_role["legacy"]
    for figure in ("process.mexc.book", "process.mexc.ticker", "burst.mexc"):
        assert min(new[figure]) >= BURN_US * 1000
        assert statistics.median(legacy[figure]) < BURN_US * 1000
    assert len(new["process.mexc.book"]) == len(legacy["process.mexc.book"]) == 32


@pytest.mark.checklist("5.3.4")
async def test_blocks_that_a_message_holds_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "RETAINED", 100)
    monkeypatch.setattr(messages, "EXCHANGES", ("gateio",))
    lean = await held_blocks()
    hoard: list[list[object]] = []
    consume = messages._Keeper.handler

    async def wasteful(self: Any, message: Any) -> None:
        hoard.append([object() for _ in range(1000)])
        await consume(self, message)

    monkeypatch.setattr(messages._Keeper, "handler", wasteful)
    assert 0 < lean < 500
    assert await held_blocks() - lean >= 1000


async def held_blocks() -> float:
    samples = Samples()
    await messages.measure_blocks({"new": "new"}, samples)
    return statistics.median(samples.by_role["new"]["blocks.gateio"])


@pytest.mark.checklist("1.3.14")
async def test_a_login_that_the_server_refuses_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "PATIENCE_S", 0.3)
    monkeypatch.setattr(logins, "LOGINS", 1)
    monkeypatch.setattr(GateioAuthMixin, "_hmac", lambda self, text: "0" * 128)
    with pytest.raises(TimeoutError):
        await logins.measure_logins({"new": "new"}, Samples())


def test_times_are_of_each_call_and_roles_take_turns() -> None:
    def busy(us: int) -> None:
        until = perf_counter_ns() + 1000 * us
        while perf_counter_ns() < until:
            pass

    slow, quick = timed(busy, [400, 1])
    assert slow >= 400_000 > quick
    assert in_turn(["a", "b"], 0) == ["a", "b"]
    assert in_turn(["a", "b"], 1) == ["b", "a"]
