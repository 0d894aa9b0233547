"""The stage of a unit, asked of OpenFeature. The coded default and every error mean `off`: legacy serves."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from enum import Enum
from importlib import import_module

from infrastructure.networking.websocket.migration.kill_switch import is_killed
from infrastructure.networking.websocket.migration.unit import Unit
from infrastructure.networking.websocket.migration.words import in_one_line

__all__ = ["DOMAIN", "FLAG", "Stage", "answer", "ask", "serving_architecture", "stage_of"]

FLAG = "websocket-stack"
DOMAIN = "ws-shadow"
ANSWER_WITHIN_S = 1.0

logger = logging.getLogger(__name__)


class Stage(Enum):
    """The flag's variants, in order of a rollout."""

    OFF = "off"
    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"
    RAMPDOWN = "rampdown"
    COMPLETE = "complete"


def stage_of(
    exchange: str, market: str, *, channel: str = "*", symbol: str = "*", account: str = "*"
) -> tuple[Stage, str]:
    """The unit's stage and why (OpenFeature's reason, or `killed`).

    An application that has set an OpenFeature provider for the domain `ws-shadow`, or a global one, is asked first;
    then the provider that the environment names; otherwise the flag file is read. Nothing here raises, and a provider
    that hangs is given one second.
    """
    if is_killed():
        return Stage.OFF, "killed"
    stage, reason = _bounded.ask(Unit(exchange, market, channel, symbol, account))
    return (Stage.OFF if stage is None else stage), reason


def ask(unit: Unit) -> tuple[Stage | None, str]:
    """What the provider says of a unit, and why; None where it gives no stage. May hang if the provider does."""
    try:
        stage, reason = answer(unit)
    except Exception as error:  # noqa: BLE001 - whatever a provider does, consumers get legacy, never nothing
        _trouble.tell(in_one_line(error))
        return None, "ERROR"
    _trouble.forget()
    return stage, reason


def answer(unit: Unit) -> tuple[Stage, str]:
    """As `ask`; raises what is wrong: FlagProviderError, OpenFeatureError, ValueError, or the provider's own."""
    from openfeature import api
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import GeneralError

    _ensure_provider()
    attributes = {
        "exchange": unit.exchange,
        "market": unit.market,
        "channel": unit.channel,
        "symbol": unit.symbol,
        "account": unit.account,
    }
    context = EvaluationContext(targeting_key=unit.targeting_key, attributes=attributes)
    details = api.get_client(DOMAIN).get_string_details(FLAG, Stage.OFF.value, context)
    if details.error_code is not None:
        raise GeneralError(details.error_message or details.error_code.value)
    return Stage(details.value), str(details.reason)


def _ensure_provider() -> None:
    from openfeature import api

    from infrastructure.networking.websocket.migration.provider import make_provider

    if api.get_provider_metadata(DOMAIN).name != "No-op Provider":
        return
    api.set_provider_and_wait(make_provider(), DOMAIN)


class _Trouble:
    """Tells why there is no stage once for each reason, however often it is asked for."""

    def __init__(self) -> None:
        self._last = ""

    def tell(self, problem: str) -> None:
        """At level WARNING, unless nobody has begun a migration here: then there is no flag file, and nothing wrong."""
        from infrastructure.networking.websocket.migration.file_provider import flag_file
        from infrastructure.networking.websocket.migration.provider import provider_path

        if problem != self._last:
            level = logging.WARNING if provider_path() or flag_file().exists() else logging.DEBUG
            logger.log(level, "flag %s: %s; legacy serves, or the last good stage stays", FLAG, problem)
        self._last = problem

    def forget(self) -> None:
        """There is a stage again."""
        self._last = ""


_trouble = _Trouble()


class _Bounded:
    """Asks on a thread of its own, one at a time, so that a provider that hangs costs one thread and one second."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def ask(self, unit: Unit) -> tuple[Stage | None, str]:
        """As `ask`; None and `TIMEOUT` when there is no answer within a second, or the last one is still awaited."""
        with self._lock:
            return self._ask(unit)

    def _ask(self, unit: Unit) -> tuple[Stage | None, str]:
        if self._thread is not None and self._thread.is_alive():
            return None, "TIMEOUT"
        # The first time this takes a while on a busy machine, and is not what the provider is given its second for.
        with suppress(ImportError):
            import_module("infrastructure.networking.websocket.migration.file_provider")
        answers: list[tuple[Stage | None, str]] = []
        thread = threading.Thread(target=lambda: answers.append(ask(unit)), name="flag", daemon=True)
        self._thread = thread
        thread.start()
        thread.join(ANSWER_WITHIN_S)
        if not answers:
            logger.warning("flag %s: no answer within %g s; legacy serves", FLAG, ANSWER_WITHIN_S)
            return None, "TIMEOUT"
        return answers[0]


_bounded = _Bounded()


def serving_architecture(stage: Stage) -> str:
    """Which stack serves a unit in a stage: `new` from canary on, else `legacy`."""
    return "legacy" if stage in (Stage.OFF, Stage.SHADOW) else "new"
