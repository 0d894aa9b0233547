"""Looks at a flag file before it is used: whoever would be sent nowhere by it is not sent at all."""

from __future__ import annotations

from typing import Any

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import OpenFeatureError

from infrastructure.networking.websocket.migration.stage import FLAG, Stage

__all__ = ["check_flags"]

SAMPLES = (
    ("gateio", "spot", "book", "BTC_USDT"),
    ("gateio", "futures", "trade", "ETH_USDT"),
    ("gateio", "spot", "private", "*"),
    ("mexc", "spot", "ticker", "BTC_USDT"),
    ("mexc", "spot", "*", "*"),
)


def check_flags(parsed: Any, core: FlagdCore) -> None:
    """Hand flags to the core; ValueError, TypeError or KeyError for a file that does not give every unit a stage."""
    if not isinstance(parsed, dict):
        raise ValueError("not a JSON object")
    flag = parsed.get("flags", {}).get(FLAG)
    if not isinstance(flag, dict):
        raise ValueError(f"no flag {FLAG}")
    if flag.get("state") not in ("ENABLED", "DISABLED"):
        raise ValueError(f"{FLAG}: state is ENABLED or DISABLED, not {flag.get('state')!r}")
    _check_variants(flag.get("variants"), flag.get("defaultVariant"))
    core.set_flags(parsed)
    if flag["state"] == "ENABLED":
        _check_answers(core)


def _check_variants(variants: Any, default: Any) -> None:
    stages = {stage.value for stage in Stage}
    if not isinstance(variants, dict) or not variants:
        raise ValueError(f"{FLAG}: no variants")
    wrong = [name for name, value in variants.items() if name != value or name not in stages]
    if wrong:
        raise ValueError(f"{FLAG}: variants are {', '.join(sorted(stages))}, each meaning itself; not {wrong[0]!r}")
    if default not in variants:
        raise ValueError(f"{FLAG}: defaultVariant {default!r} is no variant")


def _check_answers(core: FlagdCore) -> None:
    """Ask for a few units, so that a rule that cannot be worked out shows before anyone depends on it."""
    for exchange, market, channel, symbol in SAMPLES:
        attributes = {"exchange": exchange, "market": market, "channel": channel, "symbol": symbol, "account": "*"}
        context = EvaluationContext(f"{exchange}.{market}.{channel}.{symbol}", attributes)
        try:
            Stage(core.resolve_string_value(FLAG, "", context).value)
        except OpenFeatureError as error:
            raise ValueError(f"{FLAG}: {error.error_message or type(error).__name__}") from error
