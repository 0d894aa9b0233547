"""The command `shadow`. Heavy imports happen inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shadow.arguments import parser
from shadow.errors import ShadowError, UsageError
from shadow.pages import RUNS, render_copy, render_report, render_sessions

__all__ = ["main"]

EXIT_CODES = {"SHIP": 0, "ROLL_BACK": 10, "HOLD": 11, "NOT_FIT": 12}
LATER = ("flip", "rollout", "journal", "record", "drill", "signoff", "status")
BUILT = "run, venue, soak, faults, judge, report, import, doctor and reproduce"


def _rate(text: str | None) -> tuple[int, bool]:
    """Messages per second and whether it is `max`."""
    from shadow.config import DEFAULT_RATE

    if text is None:
        return DEFAULT_RATE, False
    if text == "max":
        return DEFAULT_RATE, True
    if not text.isdigit() or int(text) <= 0:
        raise UsageError(f"--rate {text!r} must be a positive whole number of messages per second, or max")
    return int(text), False


def _run(options: argparse.Namespace) -> int:
    from shadow.config import CHANNELS, CONNECTIONS, DEFAULT_SYMBOLS, QUICK_S, SessionConfig, seconds
    from shadow.plan import CAPACITY_S

    rate, unpaced = _rate(options.rate)
    default_s = CAPACITY_S if unpaced else QUICK_S
    config = SessionConfig(
        connections=options.connections if options.connections is not None else CONNECTIONS,
        symbols=options.symbols if options.symbols is not None else DEFAULT_SYMBOLS,
        channels=options.channels if options.channels is not None else CHANNELS,
        feed=options.feed,
        profile=options.profile,
        duration_s=seconds(options.duration) if options.duration else default_s,
        rate=rate,
        unpaced=unpaced,
        time_scale=options.time_scale,
        seed=options.seed,
        grade=options.grade,
        faults=tuple(options.fault),
        legacy=options.legacy,
        new=options.new,
        calibration=not options.no_calibration,
        known=options.known,
        out=options.out,
    )
    if options.direct:
        raise UsageError("--direct goes with --feed live, which is not built yet")
    config.validate()
    return _measure_and_judge(config, as_json=options.json)


def _measure_and_judge(config: Any, *, as_json: bool) -> int:
    import shutil

    from shadow.progress import Progress
    from shadow.session import run_session

    folder = config.out_dir()
    with Progress(config.plan().measured_s) as progress:
        progress.note(f"run directory {folder}")
        try:
            run_session(config, folder, progress)
        except UsageError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        progress.step("judging")
        verdict = _judge_folder(folder)
        progress.step("writing the report")
        render_report(folder)
    return _tell(verdict, folder, as_json=as_json)


def _judge_folder(folder: Path) -> dict[str, Any]:
    from shadow.capture.reader import RunData
    from shadow.verdict.judge import judge
    from shadow.verdict.write import write

    if not (folder / "manifest.json").is_file():
        _seal_interrupted(folder)
    run = RunData(folder)
    run.verify()
    judgement = judge(run)
    write(folder, judgement)
    verdict: dict[str, Any] = judgement.verdict
    return verdict


def _seal_interrupted(folder: Path) -> None:
    """A run without a manifest ended before its data were sealed; it is judged as interrupted, never as whole."""
    from shadow.capture.manifest import write_manifest

    write_manifest(folder, interrupted="the session ended before its data were sealed")


def _tell(verdict: dict[str, Any], folder: Path, *, as_json: bool) -> int:
    code = EXIT_CODES[verdict["verdict"]]
    words = verdict["verdict"].replace("_", " ")
    sys.stderr.write(f"{words} ({verdict['grade']}): {verdict['reason']}\nreport {folder / 'report.html'}\n")
    if as_json:
        sys.stdout.write(json.dumps(verdict) + "\n")
    return code


def _existing_run(path: Path) -> Path:
    if not (path / "session.json").is_file():
        raise UsageError(
            f"{path} is no run directory (it has no session.json); give the folder that `shadow run` wrote"
        )
    return path


def _judge(options: argparse.Namespace) -> int:
    folder = _existing_run(options.run)
    verdict = _judge_folder(folder)
    render_report(folder)
    return _tell(verdict, folder, as_json=options.json)


def _report(options: argparse.Namespace) -> int:
    if options.index is not None:
        if options.run is not None or options.share:
            raise UsageError("--index goes without RUN and --share; it takes folders: shadow report --index [DIR]...")
        sys.stderr.write(f"index {render_sessions(options.index or [RUNS])}\n")
        return 0
    if options.run is None:
        raise UsageError("give a run directory, or --index for the index of all sessions (see shadow report --help)")
    folder = _existing_run(options.run)
    if not (folder / "verdict.json").is_file():
        raise UsageError(f"{folder} has no verdict yet; run `shadow judge {folder}` first")
    sys.stderr.write(f"report {render_copy(folder) if options.share else render_report(folder)}\n")
    return 0


def _reproduce(options: argparse.Namespace) -> int:
    from shadow.reproducer.run import Options, reproduce

    folder = _existing_run(options.run)
    if not (folder / "differences.parquet").is_file():
        raise UsageError(f"{folder} has no differences yet; run `shadow judge {folder}` first")
    for name in ("tries", "limit"):
        if getattr(options, name) < 1:
            raise UsageError(f"--{name} {getattr(options, name)} must be a positive whole number")
    asked = Options(options.code, options.out, options.new, options.accounts, options.tries, options.limit)
    return 0 if reproduce(folder, asked, _say) else EXIT_CODES["HOLD"]


def _venue(options: argparse.Namespace) -> int:
    from shadow.config import CONNECTIONS, check_connections
    from shadow.venue.alone import run_alone

    own = () if options.feed.startswith("capture:") else CONNECTIONS
    connections = options.connections if options.connections is not None else own
    check_connections(connections)
    for name, port in (("--ws-port", options.ws_port), ("--rest-port", options.rest_port)):
        if not 0 <= port <= 65535:
            raise UsageError(f"{name} {port} is no port; give a number from 0 (any free one) to 65535")
    if options.ledger is not None:
        try:
            options.ledger.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UsageError(f"--ledger {options.ledger}: {error.strerror}") from None
    rate, unpaced = _rate(options.rate)
    if unpaced:
        raise UsageError("--rate max does not go with `shadow venue`; give a number")
    code: int = run_alone(
        connections=connections,
        feed=options.feed,
        rate=rate,
        seed=options.seed,
        profile=options.profile,
        faults=tuple(options.fault),
        deflate=options.deflate,
        ws_port=options.ws_port,
        rest_port=options.rest_port,
        ledger_dir=options.ledger,
    )
    return code


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _soak(options: argparse.Namespace) -> int:
    from shadow.config import CONNECTIONS, DEFAULT_SYMBOLS, check_connections, check_symbols, seconds
    from shadow.soak import SoakConfig, run_soak
    from shadow.soak_figures import as_json, complaints, summary

    public = tuple(name for name in CONNECTIONS if name.endswith(".public"))
    connections = options.connections if options.connections is not None else public
    symbols = options.symbols if options.symbols is not None else DEFAULT_SYMBOLS
    check_connections(connections)
    check_symbols(symbols)
    rate, unpaced = _rate(options.rate)
    if unpaced:
        raise UsageError("--rate max does not go with `shadow soak`; give a number")
    if not (connections and symbols and options.subjects):
        raise UsageError("an empty list of connections, symbols or subjects leaves nothing to soak")
    config = SoakConfig(
        connections=connections,
        symbols=symbols,
        rate=rate,
        duration_s=seconds(options.duration),
        seed=options.seed,
        subjects=options.subjects,
        transport=options.transport,
    )
    soaks = run_soak(config, _say)
    sys.stderr.write("\n".join(summary(soaks)) + "\n")
    if options.json:
        sys.stdout.write(json.dumps([as_json(soaked) for soaked in soaks]) + "\n")
    return 10 if any(complaints(soaked) for soaked in soaks) else 0


def _faults(options: argparse.Namespace) -> int:
    from shadow.config import CONNECTIONS, check_connections
    from shadow.fault_table.cells import holds
    from shadow.fault_table.page import as_json, asked, check_page, page, table
    from shadow.fault_table.plan import Common, plan_sessions
    from shadow.fault_table.run import run_sessions
    from shadow.venue.faults import KINDS

    connections = options.connections if options.connections is not None else CONNECTIONS
    check_connections(connections)
    sessions = plan_sessions(connections, options.kinds if options.kinds is not None else tuple(KINDS))
    if options.out is not None:
        check_page(options.out)
    common = Common(options.seed, options.door, options.legacy, options.new)
    cells = run_sessions(sessions, common, RUNS, _say)
    if options.out is not None:
        options.out.write_text(page(cells, asked(options)))
    sys.stdout.write(json.dumps(as_json(cells)) + "\n" if options.json else table(cells))
    return 0 if holds(cells) else EXIT_CODES["ROLL_BACK"]


def _import(options: argparse.Namespace) -> int:
    from shadow.importing.run import import_capture
    from shadow.importing.totals import summary

    totals = import_capture(options.source, options.dest, options.connection)
    sys.stderr.write(summary(totals, options.dest))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from shadow.doctor.command import run_doctor

    return run_doctor(options.duration, options.rate, options.out, live=options.live, json=options.json)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a person's mistake is one line on stderr and code 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in LATER:
            raise UsageError(f"`shadow {words[0]}` is not built yet; built are {BUILT}")
        options = parser().parse_args(words)
        if options.version:
            from importlib.metadata import version

            sys.stdout.write(f"ws-shadow {version('ws-shadow')}\n")
            return 0
        handlers = {
            "run": _run, "venue": _venue, "soak": _soak, "faults": _faults, "judge": _judge, "report": _report,
            "import": _import, "doctor": _doctor, "reproduce": _reproduce,
        }  # fmt: skip
        if options.command is None:
            raise UsageError("no command given (see shadow --help)")
        return handlers[options.command](options)
    except ShadowError as error:
        sys.stderr.write(f"shadow: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("shadow: stopped\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
