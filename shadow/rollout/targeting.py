"""Rules of a rollout as a flag's targeting in flagd's format, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from infrastructure.networking.websocket.migration.stage import Stage
from shadow.errors import UsageError
from shadow.rollout.stages import OFF, Position, Rule, Rules, position_of
from shadow.rollout.units import ANY, NOBODY, PRIVATE, Unit, representatives

__all__ = ["read_targeting", "targeting_of"]

_KNOWN: Final = ("exchange", "market", "channel", "symbol", "account")


def targeting_of(rules: Rules) -> dict[str, Any]:
    """The targeting that gives each unit its stage: the first rule that covers it, else `off`."""
    arms = [arm for pair in _manager_arms(rules) for arm in pair]
    for rule in rules:
        arms += [_condition(rule.unit), _variant(rule)]
    return {"if": [*arms, OFF.stage.value]} if arms else {}


def _manager_arms(rules: Rules) -> list[tuple[Any, str]]:
    """For a manager as a whole, which asks with channel and symbol `*`: where its units differ it needs both stacks.

    From the named market to the general one; a market whose units are alike needs no rule but before a wider one.
    """
    public = [one for one in representatives(rule.unit for rule in rules) if one.scope == "public"]
    markets: dict[Unit, set[str]] = {}
    for unit in public:
        exchange, place = (ANY if part == NOBODY else part for part in (unit.exchange, unit.market))
        market = Unit(exchange, place)
        markets.setdefault(market, set()).add(position_of(rules, unit).stage.value)
    named = sorted(markets, key=lambda market: (market.exchange == ANY, market.market == ANY, market))
    mixed = [len(markets[market]) > 1 for market in named]
    last = max((at for at, found in enumerate(mixed) if found), default=-1)
    return [(_manager(market), _whole(markets[market])) for market in named[: last + 1]]


def _manager(market: Unit) -> dict[str, Any]:
    parts = (("exchange", market.exchange), ("market", market.market))
    tests = [_equals(part, value) for part, value in parts if value != ANY]
    tests.append(_equals("channel", ANY))
    return {"and": tests} if len(tests) > 1 else tests[0]


def _whole(stages: set[str]) -> str:
    return next(iter(stages)) if len(stages) == 1 else Stage.SHADOW.value


def _condition(unit: Unit) -> Any:
    equal = {part: value for part, value in (("exchange", unit.exchange), ("market", unit.market)) if value != ANY}
    tests: list[Any] = [_equals(part, value) for part, value in equal.items()]
    if unit.scope == "private":
        tests.append(_equals("channel", PRIVATE))
    elif unit.channel != ANY:
        tests.append(_equals("channel", unit.channel))
    elif unit.scope == "public":
        tests.append({"!=": [{"var": "channel"}, PRIVATE]})
    if unit.name != ANY:
        tests.append(_equals("account" if unit.scope == "private" else "symbol", unit.name))
    if not tests:
        return True
    return tests[0] if len(tests) == 1 else {"and": tests}


def _equals(part: str, value: str) -> dict[str, Any]:
    return {"==": [{"var": part}, value]}


def _variant(rule: Rule) -> Any:
    """A share of one unit is that unit: it cannot be split."""
    share = rule.position.share
    if share is None or rule.unit.is_single:
        return rule.position.stage.value
    return {"fractional": [[Stage.CANARY.value, share], [Stage.SHADOW.value, 100 - share]]}


def read_targeting(targeting: object) -> Rules:
    """The rules behind a targeting, as written here or by hand in the same words; UsageError for any other."""
    if targeting in (None, {}):
        return ()
    arms = targeting.get("if") if isinstance(targeting, Mapping) and len(targeting) == 1 else None
    if not isinstance(arms, Sequence) or isinstance(arms, str) or len(arms) % 2 == 0 or arms[-1] != OFF.stage.value:
        raise _strange(targeting, 'the rules have to be {"if": [condition, stage, ..., "off"]}')
    pairs = [(arms[at], arms[at + 1]) for at in range(0, len(arms) - 1, 2)]
    rules = tuple(Rule(_read_unit(test), _read_position(stage)) for test, stage in pairs if not _is_manager(test))
    for test, stage in pairs:
        if _is_manager(test) and stage != Stage.SHADOW.value and (test, stage) not in _manager_arms(rules):
            raise _strange(test, 'what a whole manager gets, channel "*", follows from the other rules; leave it out')
    return rules


def _is_manager(condition: Any) -> bool:
    tests = condition.get("and", [condition]) if isinstance(condition, Mapping) else []
    return isinstance(tests, list) and _equals("channel", ANY) in tests


def _read_unit(condition: Any) -> Unit:
    if condition is True:
        return Unit()
    tests = [condition]
    if isinstance(condition, Mapping) and isinstance(condition.get("and"), list) and len(condition) == 1:
        tests = condition["and"]
    found: dict[str, str] = {}
    for test in tests:
        part, value = _read_test(test)
        if part in found:
            raise _strange(condition, f"{part} is asked for twice")
        found[part] = value
    return _unit_of(found, condition)


def _read_test(test: Any) -> tuple[str, str]:
    """A part and what it has to be; `!private` for the one inequality."""
    try:
        (
            (
                operator,
                ((variable, value)),
            ),
        ) = test.items()
        ((word, part),) = variable.items()
    except (AttributeError, TypeError, ValueError):
        raise _strange(test, "a condition compares one part with one text") from None
    not_private = (operator, part, value) == ("!=", "channel", PRIVATE)
    if word != "var" or part not in _KNOWN or not isinstance(value, str) or not (operator == "==" or not_private):
        raise _strange(test, f"a condition is == on one of {', '.join(_KNOWN)}")
    return part, f"!{PRIVATE}" if not_private else value


def _unit_of(found: dict[str, str], condition: Any) -> Unit:
    exchange, market = found.get("exchange", ANY), found.get("market", ANY)
    channel, symbol, account = found.get("channel", ANY), found.get("symbol", ANY), found.get("account", ANY)
    if channel == PRIVATE and symbol == ANY:
        return Unit(exchange, market, "private", ANY, account)
    if account == ANY and channel not in (ANY, PRIVATE):
        return Unit(exchange, market, "public", ANY if channel == f"!{PRIVATE}" else channel, symbol)
    if account == ANY and symbol == ANY:
        return Unit(exchange, market)
    raise _strange(condition, "a symbol goes with a public channel, an account with the channel private")


def _read_position(value: Any) -> Position:
    if isinstance(value, str) and value in {stage.value for stage in Stage}:
        return Position(Stage(value))
    try:
        ((canary, share), (rest, others)) = value["fractional"]
        whole = len(value) == 1 and share + others == 100 and 1 <= share <= 99
    except (KeyError, TypeError, ValueError):
        whole, canary, rest = False, None, None
    if not whole or (canary, rest) != (Stage.CANARY.value, Stage.SHADOW.value):
        raise _strange(value, 'a stage is one of the variants or {"fractional": [["canary", 10], ["shadow", 90]]}')
    return Position(Stage.CANARY, int(share))


def _strange(what: object, rule: str) -> UsageError:
    text = str(what)
    return UsageError(
        f"the flag's rule {text if len(text) < 80 else text[:77] + '...'} is not understood: {rule};"
        " mend it by hand, or `shadow rollout rollback '*'` to write it anew with legacy serving"
    )
