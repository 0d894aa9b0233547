"""How a rehearsal is played: the table `[rehearsal]` of a plan file, beside its steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from shadow.config import seconds
from shadow.connections import CONNECTIONS, check_connections
from shadow.errors import UsageError
from shadow.rollout.plan_file import REHEARSAL, read_content, read_plan
from shadow.rollout.stages import serving
from shadow.rollout.state import Step

__all__ = ["HARMS", "RehearsalPlan", "read_rehearsal"]

HARMS: Final = ("alter", "mute", "die", "leak")
OF_A_PROCESS: Final = ("die", "leak")
TIMES: Final = ("after", "rollback_within", "session")


class RehearsalPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`harm` is what the new stack does once the last step is reached; `after_s` how long legacy serves behind it.

    `rollback_within_s` runs from the first open trigger until every unit is with legacy and the flag says so;
    `session_s` is the length of the comparison that is run before where none says SHIP; `kill_controller`: in the
    middle the controller is killed, and another one goes on from the journal.
    """

    steps: tuple[Step, ...]
    connections: tuple[str, ...] = CONNECTIONS
    symbols: tuple[str, ...] = ("BTC_USDT", "ETH_USDT")
    rate: int = 600
    seed: int = 1
    placement: str = "sidecar"
    harm: str = "alter"
    kill_controller: bool = True
    after_s: float = 5.0
    rollback_within_s: float = 3.0
    session_s: float = 65.0


def read_rehearsal(path: Path) -> RehearsalPlan | None:
    """The rehearsal of a plan file; None where it holds none. UsageError says what is wrong with it."""
    table = read_content(path).get(REHEARSAL)
    if table is None:
        return None
    if not isinstance(table, dict):
        raise UsageError(f"plan {path}: write [{REHEARSAL}] and its settings below it")
    settings = {"steps": tuple(read_plan(path))} | {
        (f"{name}_s" if name in TIMES else name): _read(path, name, value) for name, value in table.items()
    }
    try:
        plan = msgspec.convert(settings, RehearsalPlan, strict=True)
        unknown = set(settings) - set(RehearsalPlan.__struct_fields__)
    except msgspec.ValidationError as error:
        raise UsageError(f"plan {path}, [{REHEARSAL}]: {error}") from None
    if unknown:
        raise UsageError(f"plan {path}, [{REHEARSAL}]: unknown {', '.join(sorted(unknown))}")
    _check(path, plan)
    return plan


def _read(path: Path, name: str, value: Any) -> Any:
    if name not in TIMES:
        return value
    try:
        return seconds(str(value))
    except UsageError:
        raise UsageError(f"plan {path}, [{REHEARSAL}]: {name} is a time, for example 5s or 2m") from None


def _check(path: Path, plan: RehearsalPlan) -> None:
    check_connections(plan.connections)
    where = f"plan {path}, [{REHEARSAL}]"
    if plan.harm not in HARMS:
        raise UsageError(f"{where}: harm is one of {', '.join(HARMS)}, not {plan.harm!r}")
    if plan.placement not in ("inline", "sidecar"):
        raise UsageError(f"{where}: placement is inline or sidecar, not {plan.placement!r}")
    if plan.harm in OF_A_PROCESS and plan.placement == "inline":
        raise UsageError(
            f'{where}: a stack that dies or leaks inline takes the consumer along; write placement = "sidecar"'
        )
    if plan.rate <= 0 or not plan.symbols:
        raise UsageError(f"{where}: rate is messages per second, and symbols are at least one")
    if serving(plan.steps[-1].position) != "new" or serving(plan.steps[0].position) != "legacy":
        raise UsageError(
            f"plan {path}: the steps of a rehearsal begin with shadow and end with a stage that new serves"
        )
