"""The command `shadow`. Heavy imports happen inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from shadow.errors import ShadowError, UsageError

__all__ = ["main"]

EXIT_CODES = {"SHIP": 0, "ROLL_BACK": 10, "HOLD": 11, "NOT_FIT": 12}
LATER = (
    "flip", "rollout", "journal", "record", "import", "drill", "soak", "signoff", "status", "doctor",
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """One line on stderr, exit code 2."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parser() -> Parser:
    parser = Parser(prog="shadow", description="Runs two WebSocket stacks on one feed and says which may serve.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    _add_run(commands.add_parser("run", help="run a session and judge it"))
    _add_venue(commands.add_parser("venue", help="serve a local exchange to any client"))
    judge = commands.add_parser("judge", help="re-derive the verdict from a run's raw data")
    judge.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    judge.add_argument("--json", action="store_true", help="print the verdict to stdout")
    report = commands.add_parser("report", help="render a run's report again")
    report.add_argument("run", type=Path, metavar="RUN", help="a run directory")
    report.add_argument("--share", action="store_true", help="without account data (not built yet)")
    return parser


def _add_feed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=_listed, metavar="LIST", help="default: all that are built")
    parser.add_argument(
        "--feed", default="sim", metavar="FEED", help="sim (default) or capture:PATH; live is not built yet"
    )
    parser.add_argument("--rate", default=None, metavar="N|max", help="messages per second per subject, default 600")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of market, order and schedule, default 1")
    parser.add_argument("--profile", choices=("default", "storm"), default="default")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="SPEC",
        help="KIND@CONNECTION[/legacy|/new][:key=value,...], for example close@gateio.spot.public/new:at=10s,code=1006",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    _add_feed(parser)
    parser.add_argument("--symbols", type=_listed, metavar="LIST", help="Gate.io spelling, default BTC_USDT,ETH_USDT")
    parser.add_argument("--channels", type=_listed, metavar="LIST", help="default: book,trade,book_ticker,ticker")
    parser.add_argument("--duration", default="65s", metavar="TIME", help="sum of the measured phases, default 65s")
    parser.add_argument("--grade", choices=("quick", "release"), default="quick", help="release is not built yet")
    parser.add_argument("--legacy", default="", metavar="CMD", help="the baseline's command; default our legacy stack")
    parser.add_argument("--new", default="", metavar="CMD", help="the candidate's command; default our new stack")
    parser.add_argument("--no-calibration", action="store_true", help="no A/A legs; SHIP is then impossible")
    parser.add_argument("--direct", action="store_true", help="with live (not built yet)")
    parser.add_argument("--known", default=None, metavar="FILE", help="the known-differences list (TOML)")
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="the run directory, new or empty")
    parser.add_argument("--json", action="store_true", help="print the verdict to stdout")


def _add_venue(parser: argparse.ArgumentParser) -> None:
    _add_feed(parser)
    parser.add_argument("--deflate", action="store_true", help="accept permessage-deflate")
    parser.add_argument("--ws-port", type=int, default=0, metavar="N", help="default: any free port")
    parser.add_argument("--rest-port", type=int, default=0, metavar="N", help="default: any free port")
    parser.add_argument("--ledger", type=Path, default=None, metavar="DIR", help="write down all that is sent")


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
    from shadow.config import CHANNELS, DEFAULT_CONNECTIONS, DEFAULT_SYMBOLS, SessionConfig, seconds

    rate, unpaced = _rate(options.rate)
    config = SessionConfig(
        connections=options.connections if options.connections is not None else DEFAULT_CONNECTIONS,
        symbols=options.symbols if options.symbols is not None else DEFAULT_SYMBOLS,
        channels=options.channels if options.channels is not None else CHANNELS,
        feed=options.feed,
        profile=options.profile,
        duration_s=seconds(options.duration),
        rate=rate,
        unpaced=unpaced,
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
    if unpaced and not config.is_replay:
        raise UsageError(
            "--rate max is not built yet for the synthetic feed; give a number, or use --feed capture:PATH"
        )
    config.validate()
    return _measure_and_judge(config, as_json=options.json)


def _measure_and_judge(config: Any, *, as_json: bool) -> int:
    import shutil

    from shadow.plan import make_plan
    from shadow.progress import Progress
    from shadow.session import run_session

    folder = config.out_dir()
    plan = make_plan(config.duration_s, calibration=config.calibration, replay=config.is_replay)
    with Progress(plan.measured_s) as progress:
        progress.note(f"run directory {folder}")
        try:
            run_session(config, folder, progress)
        except UsageError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        progress.step("judging")
        verdict = _judge_folder(folder)
        progress.step("writing the report")
        _render(folder)
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


def _render(folder: Path) -> Path:
    from reports.session import render

    path: Path = render(folder)
    _link_latest(path)
    return path


def _link_latest(report: Path) -> None:
    """Point reports/latest.html at the newest report, where there is such a folder."""
    link = Path("reports") / "latest.html"
    if not link.parent.is_dir():
        return
    link.unlink(missing_ok=True)
    link.symlink_to(report.resolve())


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
    _render(folder)
    return _tell(verdict, folder, as_json=options.json)


def _report(options: argparse.Namespace) -> int:
    if options.share:
        raise UsageError("--share is not built yet; a public run holds no account data and can be shared as it is")
    folder = _existing_run(options.run)
    if not (folder / "verdict.json").is_file():
        raise UsageError(f"{folder} has no verdict yet; run `shadow judge {folder}` first")
    sys.stderr.write(f"report {_render(folder)}\n")
    return 0


def _venue(options: argparse.Namespace) -> int:
    from shadow.config import BUILT, check_connections
    from shadow.venue.alone import run_alone

    connections = options.connections if options.connections is not None else BUILT
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a person's mistake is one line on stderr and code 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and words[0] in LATER:
            raise UsageError(f"`shadow {words[0]}` is not built yet; built are run, venue, judge and report")
        options = _parser().parse_args(words)
        if options.version:
            from importlib.metadata import version

            sys.stdout.write(f"ws-shadow {version('ws-shadow')}\n")
            return 0
        handlers = {"run": _run, "venue": _venue, "judge": _judge, "report": _report}
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
