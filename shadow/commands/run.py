"""`shadow run`: a session, its verdict and its report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from shadow.commands.outcome import Judging, tell
from shadow.commands.words import add_feed, command_of, listed, rate_of
from shadow.errors import UsageError
from shadow.pages import render_report

__all__ = ["HELP", "add_words", "execute"]

HELP = "run a session and judge it"


def add_words(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    add_feed(parser)
    parser.add_argument("--symbols", type=listed, metavar="LIST", help="Gate.io spelling, default BTC_USDT,ETH_USDT")
    parser.add_argument("--channels", type=listed, metavar="LIST", help="default: all of each connection's scope")
    parser.add_argument(
        "--duration",
        default="",
        metavar="TIME",
        help="sum of the measured phases, default 65s (12s with --rate max; at grade release as long as it takes,"
        " at most 60m)",
    )
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        metavar="N",
        help="a compressed day: 24-hour closes and listen keys come N times sooner, default 1",
    )
    parser.add_argument("--grade", choices=("quick", "release"), default="quick", help="default quick")
    parser.add_argument("--legacy", metavar="CMD", help="the baseline's command; default our legacy stack")
    parser.add_argument("--new", metavar="CMD", help="the candidate's command; default our new stack")
    parser.add_argument("--no-calibration", action="store_true", help="no A/A legs; SHIP is then impossible")
    parser.add_argument("--stop-early", action="store_true", help="end the session as soon as a regression is certain")
    parser.add_argument(
        "--direct", action="store_true", help="with live: each stack on connections of its own, through a relay"
    )
    parser.add_argument(
        "--sampled-profile",
        action="store_true",
        help="sample both stacks behind the session, as is done by itself when the performance trigger fires",
    )
    parser.add_argument("--known", default=None, metavar="FILE", help="the known-differences list (TOML)")
    parser.add_argument(
        "--max-disk", default="", metavar="SIZE", help="what the raw data may take, default half of the free disk"
    )
    parser.add_argument(
        "--stretch",
        default="",
        metavar="TIME",
        help="judge and reduce the session in stretches of this length while it goes on, with bounded disk;"
        " default 1m in a session over 1h",
    )
    parser.add_argument(
        "--keep-raw",
        default="",
        metavar="SIZE",
        help="with --stretch: how much of the raw data stays when it has been judged, default 2GB",
    )
    parser.add_argument("--out", type=Path, default=None, metavar="DIR", help="the run directory, new or empty")
    parser.add_argument("--json", action="store_true", help="print the verdict to stdout")


def execute(options: argparse.Namespace) -> int:
    """Do it; gives the exit code."""
    from shadow.capture.room import bytes_of
    from shadow.config import KEEP_RAW, QUICK_S, SessionConfig, seconds
    from shadow.connections import CHANNELS, CONNECTIONS, DEFAULT_SYMBOLS, LIVE_CONNECTIONS
    from shadow.plan import CAPACITY_S

    rate, unpaced = rate_of(options.rate)
    default = LIVE_CONNECTIONS if options.feed == "live" else CONNECTIONS
    default_s = CAPACITY_S if unpaced else QUICK_S
    duration_s = seconds(options.duration) if options.duration else default_s
    is_whole = options.grade == "release" or options.direct or unpaced or options.stop_early
    is_whole = is_whole or options.feed.startswith("capture:")
    if options.keep_raw and stretch_of(options.stretch, duration_s, is_whole=is_whole) is None:
        raise UsageError("--keep-raw goes with a session in stretches; give --stretch as well, for example 1m")
    config = SessionConfig(
        connections=options.connections if options.connections is not None else default,
        symbols=options.symbols if options.symbols is not None else DEFAULT_SYMBOLS,
        channels=options.channels if options.channels is not None else CHANNELS,
        feed=options.feed,
        direct=options.direct,
        profile=options.profile,
        duration_s=duration_s,
        is_sized_by_noise=options.grade == "release" and not options.duration,
        rate=rate,
        unpaced=unpaced,
        time_scale=options.time_scale,
        seed=options.seed,
        grade=options.grade,
        faults=tuple(options.fault),
        legacy=command_of("legacy", options.legacy),
        new=command_of("new", options.new),
        calibration=not options.no_calibration,
        stretch_s=stretch_of(options.stretch, duration_s, is_whole=is_whole),
        keep_raw=bytes_of(options.keep_raw) if options.keep_raw else KEEP_RAW,
        stop_early=options.stop_early,
        sampled_profile=options.sampled_profile,
        known=options.known,
        out=options.out,
        max_disk=bytes_of(options.max_disk) if options.max_disk else None,
    )
    config.validate()
    return _measure_and_judge(config, as_json=options.json)


def stretch_of(asked: str, duration_s: float, *, is_whole: bool) -> float | None:
    """Seconds of a stretch: as asked, else the default of a long session; None for one that is kept whole."""
    from shadow.config import LONG_S, STRETCH_S, seconds

    if asked:
        return seconds(asked)
    return STRETCH_S if duration_s > LONG_S and not is_whole else None


def _measure_and_judge(config: Any, *, as_json: bool) -> int:
    import shutil

    from shadow.capture.room import room_for, spelt
    from shadow.progress import Progress
    from shadow.session import run_session

    folder = config.out_dir()
    with Judging(folder) as judging, Progress(config.plan().measured_s, judging.prepare) as progress:
        config.max_disk = room_for(folder, config.max_disk)
        progress.note(f"run directory {folder}; its raw data may take {spelt(config.max_disk)} (--max-disk)")
        try:
            run_session(config, folder, progress)
        except UsageError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        progress.step("judging")
        verdict = judging.judge()
        _profile(config, folder, verdict, progress)
        progress.step("writing the report")
        render_report(folder)
    return tell(verdict, folder, as_json=as_json)


def _profile(config: Any, folder: Path, verdict: dict[str, Any], progress: Any) -> None:
    """Where the verdict or a person asks for it; the interpreter's default answers to SIGINT apply again."""
    from shadow.profiling import profile_run, reason_to_profile

    asked_by = reason_to_profile(config, verdict)
    if asked_by:
        progress.step(f"sampling both stacks: {asked_by}")
        profile = profile_run(config, folder, asked_by, progress)
        for role, why in profile.missing.items():
            progress.note(f"no profile of {role}: {profile.skipped or why}")
