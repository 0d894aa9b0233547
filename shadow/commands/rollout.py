"""`shadow rollout`: a plan, the controller that watches it, and its moves."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadow.commands.flip import add_people, ask_of, move, tell
from shadow.commands.words import Parser, say

if TYPE_CHECKING:
    from shadow.rehearsal.plan import RehearsalPlan
    from shadow.rollout.controller import Controller

__all__ = ["HELP", "add_words", "execute"]

HELP = "plan a rollout, watch it, move it on, hold it, take it back"
TURN_S = 0.5
CODES = {"failed": 1, "rollback": 10, "hold": 11}


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its actions with their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", parser_class=Parser, required=True)
    plan = actions.add_parser("plan", help="print a plan as TOML, to be edited and started")
    plan.add_argument("unit", nargs="?", default="*", metavar="UNIT", help="default: everything")
    start = actions.add_parser("start", help="watch the rollout until Ctrl-C; nothing advances while nobody watches")
    start.add_argument("plan", nargs="?", type=Path, metavar="PLAN", help="a file as `shadow rollout plan` prints it")
    actions.add_parser("status", help="where everything stands (0, 10 taken back, 11 held)")
    actions.add_parser("report", help="write the page about the last rollback into the rollout's folder")
    advance = actions.add_parser("advance", help="make the plan's next move")
    advance.add_argument("--dry-run", action="store_true", help="print every gate as it stands now and change nothing")
    hold = actions.add_parser("hold", help="keep units where they are until a person lets them go on")
    rollback = actions.add_parser("rollback", help="back to shadow, at once and asking nobody")
    for one in (hold, rollback):
        one.add_argument("unit", nargs="?", default="*", metavar="UNIT", help="default: everything")
    for one in (start, advance, hold, rollback):
        add_people(one)


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.rollout.controller import Controller
    from shadow.rollout.places import places

    action: Any = _ACTIONS[options.action]
    code: int = action(options, Controller(places(), rehearsal=getattr(options, "rehearsal", False)))
    return code


def _plan(options: argparse.Namespace, _: Controller) -> int:
    from shadow.rollout.plan_file import default_plan, plan_text
    from shadow.rollout.units import parse_unit

    sys.stdout.write(plan_text(default_plan(parse_unit(options.unit))))
    return 0


def _start(options: argparse.Namespace, controller: Controller) -> int:
    from shadow.rollout.plan_file import read_plan
    from shadow.rollout.provider import require_provider

    if options.plan is not None and (rehearsal := _rehearsal(options)) is not None:
        from shadow.rehearsal.command import play_rehearsal

        return play_rehearsal(rehearsal, controller.places.runs, say)
    require_provider()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    if options.plan is not None:
        controller.begin(read_plan(options.plan))
    try:
        kinds = _turn(controller, strict=options.strict)
        say(f"watching {controller.places.flags}; Ctrl-C ends it, and then nothing advances")
        while not stopped.wait(TURN_S):
            kinds |= _turn(controller, strict=options.strict)
    finally:
        controller.stop()
    return next((code for kind, code in CODES.items() if kind in kinds), 0)


def _rehearsal(options: argparse.Namespace) -> RehearsalPlan | None:
    """How the plan is played on loopback, if it says so; UsageError unless that is meant."""
    from shadow.errors import UsageError
    from shadow.rehearsal.plan import read_rehearsal

    found = read_rehearsal(options.plan)
    if found is not None and not options.rehearsal:
        raise UsageError(f"plan {options.plan} is that of a rehearsal; add --rehearsal, or take its [rehearsal] out")
    return found


def _turn(controller: Controller, *, strict: bool) -> set[str]:
    """One look; what fails is told and tried again at the next one, but for a person's mistake."""
    from shadow.errors import ShadowError, UsageError

    try:
        reactions = controller.turn(strict=strict)
    except UsageError:
        raise
    except ShadowError as error:
        say(str(error))
        return {"failed"}
    for reaction in reactions:
        say(f"{reaction.kind} {reaction.unit}: {reaction.why}")
    return {reaction.kind for reaction in reactions}


def _status(_: argparse.Namespace, controller: Controller) -> int:
    from shadow.rollout.telling import code_of, table

    state, scene = controller.books().state, controller.seen()
    sys.stdout.write(table(state, scene))
    return code_of(state, scene.now_s)


def _advance(options: argparse.Namespace, controller: Controller) -> int:
    from shadow.errors import UsageError
    from shadow.rollout.controller import next_step

    state = controller.books().state
    step = next_step(state)
    if step is None:
        way_out = "it has reached its end" if state.steps else "give one: shadow rollout start PLAN"
        raise UsageError(f"there is no next move in the plan; {way_out}")
    return move(controller, ask_of(options, step.unit, step.position), dry_run=options.dry_run)


def _hold(options: argparse.Namespace, controller: Controller) -> int:
    from shadow.rollout.units import parse_unit

    say(controller.hold(parse_unit(options.unit), _by(options)).says)
    return 0


def _rollback(options: argparse.Namespace, controller: Controller) -> int:
    from shadow.errors import ShadowError, UsageError
    from shadow.rollout.units import parse_unit

    unit = parse_unit(options.unit)
    try:
        outcome = controller.rollback(unit, why=_by(options))
    except UsageError:
        raise
    except ShadowError as error:
        raise ShadowError(f"{error}; use the kill file: touch websocket.kill") from error
    code = tell(controller, unit, outcome)
    scene = controller.seen()
    if scene.consumers and not scene.held(unit):
        say(f"but no consumer holds a unit of {unit}; look at the name")
    return code


def _report(_: argparse.Namespace, controller: Controller) -> int:
    from reports.rollback import render
    from shadow.monitoring.aftermath import aftermath, encoded
    from shadow.rollout.flag_file import replace_file

    folder = controller.places.folder
    replace_file(folder / "rollback.json", encoded(aftermath(controller.places, controller.clock())))
    sys.stdout.write(f"{render(folder)}\n")
    return 0


def _by(options: argparse.Namespace) -> str:
    return f"by {', '.join(options.approve)}" if options.approve else "by hand"


_ACTIONS = {
    "plan": _plan,
    "start": _start,
    "status": _status,
    "advance": _advance,
    "hold": _hold,
    "rollback": _rollback,
    "report": _report,
}
