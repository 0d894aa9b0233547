"""`shadow flip`: move units to a stage of their rollout."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shadow.commands.words import say

if TYPE_CHECKING:
    from shadow.rollout.controller import Controller, Outcome
    from shadow.rollout.gates import Ask
    from shadow.rollout.stages import Position
    from shadow.rollout.units import Unit

__all__ = ["HELP", "add_people", "add_words", "ask_of", "execute", "move", "tell"]

HELP = "move units to a stage of their rollout, or back"
ARRIVES_WITHIN_S = 5.0
LOOK_S = 0.05


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("unit", metavar="UNIT", help="gateio.spot.book.BTC_USDT or gateio.spot.private; * for any part")
    parser.add_argument("stage", metavar="STAGE", help="off, shadow, canary, canary:10, live, rampdown or complete")
    parser.add_argument("--dry-run", action="store_true", help="print every gate as it stands now and change nothing")
    add_people(parser)


def add_people(parser: argparse.ArgumentParser) -> None:
    """The options of whatever moves units away from legacy."""
    parser.add_argument(
        "--approve", action="append", default=[], metavar="NAME", help="who answers for it; live and complete take two"
    )
    parser.add_argument("--signoff", type=Path, metavar="FILE", help="the release's sign-off, for complete")
    parser.add_argument(
        "--rehearsal", action="store_true", help="on loopback alone: grade quick, no waiting, no people"
    )
    parser.add_argument("--strict", action="store_true", help="go back also where legacy shows the same trouble")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.rollout.controller import Controller
    from shadow.rollout.places import places
    from shadow.rollout.stages import parse_position
    from shadow.rollout.units import parse_unit

    ask = ask_of(options, parse_unit(options.unit), parse_position(options.stage))
    return move(Controller(places(), rehearsal=options.rehearsal), ask, dry_run=options.dry_run)


def ask_of(options: argparse.Namespace, unit: Unit, position: Position) -> Ask:
    """What is asked for, with names and sign-off as given."""
    from shadow.rollout.evidence import signoff_digest
    from shadow.rollout.gates import Ask

    signoff = signoff_digest(options.signoff) if options.signoff is not None else ""
    return Ask(unit, position, tuple(options.approve), options.rehearsal, signoff, options.strict)


def move(controller: Controller, ask: Ask, *, dry_run: bool) -> int:
    """Move, or with `dry_run` print the gates; gives the exit code."""
    from shadow.rollout.provider import require_provider
    from shadow.rollout.stages import is_irreversible, serving

    if serving(ask.position) == "new":
        require_provider()
    if dry_run:
        return _print_gates(controller, ask)
    if is_irreversible(ask.position):
        _typed(ask)
    return tell(controller, ask.unit, controller.flip(ask))


def tell(controller: Controller, unit: Unit, outcome: Outcome) -> int:
    """Say what was done; of a way back also whether it has arrived, for which it waits: 1 where new serves on."""
    from shadow.rollout.arrival import arrival

    say(f"{outcome.says}; generation {outcome.generation}")
    if outcome.trouble:
        say(f"but {outcome.trouble}")
    if not outcome.is_back:
        return 0
    ends_s = time.monotonic() + ARRIVES_WITHIN_S
    while (found := arrival(controller.seen(), unit, outcome.generation)).behind and time.monotonic() < ends_s:
        time.sleep(LOOK_S)
    for line in found.lines:
        say(f"but {line}")
    return 1 if found.behind else 0


def _print_gates(controller: Controller, ask: Ask) -> int:
    found = controller.gates(ask)
    for gate in found:
        sys.stdout.write(f"{'open' if gate.is_open else 'shut'}  {gate.name}: {gate.says}\n")
    return 0 if all(gate.is_open for gate in found) else 2


def _typed(ask: Ask) -> None:
    """UsageError unless a person types the unit: the flag has no way back from there."""
    from shadow.errors import UsageError

    say(f"{ask.position} cannot be undone by the flag. Type the unit to go on:")
    typed = sys.stdin.readline().strip()
    if typed != str(ask.unit):
        raise UsageError(f"{typed!r} is not {ask.unit}; nothing was changed, type the unit as it is written here")
