"""The stage of a unit, asked of OpenFeature. The coded default and every error mean `off`: legacy serves."""

from __future__ import annotations

import logging
from enum import Enum

from infrastructure.networking.websocket.migration.kill_switch import is_killed

__all__ = ["DOMAIN", "FLAG", "Stage", "serving_architecture", "stage_of"]

FLAG = "websocket-stack"
DOMAIN = "ws-shadow"

logger = logging.getLogger(__name__)


class Stage(Enum):
    """The flag's variants, in order of a rollout."""

    OFF = "off"
    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"
    RAMPDOWN = "rampdown"
    COMPLETE = "complete"


def _ensure_provider() -> None:
    from openfeature import api

    from infrastructure.networking.websocket.migration.file_provider import FileProvider

    if api.get_provider_metadata(DOMAIN).name != "No-op Provider":
        return
    api.set_provider_and_wait(FileProvider(), DOMAIN)


def stage_of(
    exchange: str, market: str, *, channel: str = "*", symbol: str = "*", account: str = "*"
) -> tuple[Stage, str]:
    """The unit's stage and why (OpenFeature's reason, or `killed`).

    An application that has set an OpenFeature provider for the domain `ws-shadow`, or a global one, is asked first;
    otherwise the flag file is read. Nothing here raises.
    """
    if is_killed():
        return Stage.OFF, "killed"
    try:
        from openfeature import api
        from openfeature.evaluation_context import EvaluationContext

        from infrastructure.networking.websocket.migration.file_provider import flag_file

        _ensure_provider()
        unit = f"{exchange}.{market}.{channel}.{symbol}"
        attributes = {
            "exchange": exchange,
            "market": market,
            "channel": channel,
            "symbol": symbol,
            "account": account,
        }
        context = EvaluationContext(targeting_key=unit, attributes=attributes)
        answer = api.get_client(DOMAIN).get_string_details(FLAG, Stage.OFF.value, context)
        if answer.error_code is not None:
            # Without a flag file nothing is wrong: nobody has begun a migration here.
            level = logging.WARNING if flag_file().exists() else logging.DEBUG
            logger.log(level, "flag %s: %s; legacy serves", FLAG, answer.error_message or answer.error_code)
            return Stage.OFF, str(answer.reason)
        return Stage(answer.value), str(answer.reason)
    except Exception as error:  # noqa: BLE001 - whatever a provider does, consumers get legacy, never nothing
        logger.warning("flag %s: %s; legacy serves", FLAG, error)
        return Stage.OFF, "ERROR"


def serving_architecture(stage: Stage) -> str:
    """`new` at complete, else `legacy`: the stages between need both stacks, and legacy serves until they are built."""
    return "new" if stage is Stage.COMPLETE else "legacy"
