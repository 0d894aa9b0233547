"""One session: what is started and done in which order, from a checked configuration to a complete run directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from shadow.burn import Burns
from shadow.capture.room import spelt
from shadow.children import ChildDied, Message
from shadow.config import SessionConfig, machine
from shadow.connections import channels_of
from shadow.errors import ShadowError, UsageError
from shadow.leg_run import LegRun, Listener
from shadow.online.companion import FROM_S, Companion
from shadow.placement import Placement, choose_placement
from shadow.plan import MIX, Leg, Plan
from shadow.probing import probe_targets
from shadow.processes import Processes
from shadow.release_plan import Power, fit
from shadow.stretches.companion import Stretches
from shadow.upstream import UPSTREAM_VARIABLE

__all__ = ["Session", "run_session"]


class Session:
    """One run from its first process to its last; without a placement the one that suits the rate."""

    def __init__(
        self, config: SessionConfig, folder: Path, listener: Listener, placement: Placement | None = None
    ) -> None:
        self.config = config
        self.folder = folder
        self._listener = listener
        self.plan: Plan = config.plan()
        self._placement = placement or choose_placement(config.rate, unpaced=config.unpaced)
        self._processes = Processes(config, folder, self._on_venue, self._on_recorder, self._on_recorder_end)
        self._burns = Burns(config, folder, self._processes.mark)
        self._leg: LegRun | None = None
        self._power: Power | None = None
        self._started = datetime.now(UTC)
        self._running: asyncio.Task[Any] | None = None
        self._stopped = "stopped by a signal"
        self._early: str | None = None
        self._online = Companion(folder, self.plan.measured_s, listener.note_look, self._on_regression)
        self._freed: list[asyncio.Task[None]] = []
        self._told: set[tuple[str, str]] = set()
        self._stretches: Stretches | None = None
        if config.stretch_s is not None:
            self._stretches = Stretches(
                folder,
                config.stretch_s,
                config.keep_raw,
                self.plan.keep_one_in,
                self._on_stretches,
                self._on_reducer_end,
            )

    async def run(self) -> str | None:
        """Run all legs; returns why the run was interrupted, or None for a whole one."""
        with self._placement.harness():
            return await self._run()

    async def _run(self) -> str | None:
        self._running = asyncio.current_task()
        self._keep_known_list()
        self._write_session_json()
        self._processes.open_pipes(self.plan)
        interrupted: str | None = None
        try:
            await self._processes.start_recorder()
            await self._processes.start_venue(self.plan)
            if self._stretches is not None:
                await self._stretches.start()
            elif self.config.stop_early or self.plan.measured_s >= FROM_S:
                await self._online.start()
            for number in range(len(self.plan.legs)):
                await self._run_leg(self.plan.legs[number])
                if self._leg is not None and self._leg.failures:
                    break
                await self._burns.measure(self.plan.legs[number])
                if number == 0 and self.config.is_sized_by_noise:
                    await self._work_out_length()
            failures = self._leg.failures if self._leg is not None else {}
            await probe_targets(self.config, self.folder, failures, self._placement.settle_subject, self._listener)
        except asyncio.CancelledError:
            interrupted = None if self._early is not None else self._stopped
        except (ChildDied, TimeoutError) as error:
            interrupted = str(error) or "a part of the harness did not answer in time"
        finally:
            self._running = None
            self._processes.close_pipes()
            interrupted = await self._finish(interrupted)
        return interrupted

    async def _work_out_length(self) -> None:
        """Replace what was planned after the first calibration by what its noise asks for."""
        from shadow.verdict.pilot import read_needs

        self._listener.note("release: working out how long the session has to be")
        self.plan, self._power = fit(await read_needs(self.folder, self.plan.legs[0].leg))
        self._listener.note(self._power.sentence(self.plan.measured_s))
        self._listener.lengthen(self.plan.measured_s)
        self._write_session_json()

    def write_manifest(self, interrupted: str | None) -> None:
        """Hash the raw files."""
        from shadow.capture.manifest import write_manifest

        write_manifest(self.folder, interrupted=interrupted)

    async def _run_leg(self, leg: Leg) -> None:
        commands = self.config.commands()
        if leg.leg == "control":
            commands = {**commands, "legacy": self.config.control_command(), "legacy2": self.config.control_command()}
        self._leg = LegRun(
            leg,
            venue=self._processes.venue,
            recorder=self._processes.recorder,
            pipes=self._processes.take_pipes(leg),
            commands=commands,
            specs={role: self._processes.specs(role) for role in leg.roles},
            options=await self._burns.options(leg),
            run=self.folder.name,
            rate=self.config.rate,
            listener=self._listener,
            settle=self._placement.settle_subject,
        )
        try:
            await self._leg.run()
        except BaseException:
            self._leg.kill()
            raise

    async def _finish(self, interrupted: str | None) -> str | None:
        """Stop the venue, let the recorder compact; survives a second cancellation by the processes' own end."""
        await self._online.end()
        await self._processes.stop_venue()
        interrupted = await self._stretched(Stretches.hold, interrupted)
        for name, reason in (("interrupted", interrupted), ("stopped-early", self._early)):
            if reason is not None:
                with contextlib.suppress(ChildDied):
                    await self._processes.mark("", "", name, {"reason": reason})
        finishing = asyncio.ensure_future(self._processes.finish_recorder(self.plan.measured_s))
        await asyncio.sleep(0)
        self._placement.lift()
        self._listener.sealing()
        if not await finishing:
            interrupted = interrupted or "the recorder could not finish"
        return await self._stretched(Stretches.finish, interrupted)

    async def _stretched(
        self, step: Callable[[Stretches], Coroutine[Any, Any, None]], interrupted: str | None
    ) -> str | None:
        """Do one step of what reduces the session; without its figures the session is not whole."""
        if self._stretches is None:
            return interrupted
        try:
            await step(self._stretches)
        except (ChildDied, TimeoutError):
            return interrupted or "what reduces the session in stretches ended before it, see stretches.log"
        return interrupted

    def _on_stretches(self, message: Message) -> None:
        """What was deleted no longer counts against the disk limit."""
        if message["freed"]:
            self._freed = [task for task in self._freed if not task.done()]
            self._freed.append(asyncio.ensure_future(self._processes.freed(message["freed"])))
        for code, side, severity in message["differences"]:
            if severity in ("critical", "major") and (code, side) not in self._told:
                self._told.add((code, side))
                self._listener.note(f"{code} of {side}, {severity}")

    def _on_reducer_end(self, reason: str) -> None:
        """Without it the raw data would only grow, and nothing would be known of what is deleted."""
        if self._running is not None:
            self._stopped = f"what reduces the session in stretches ended: {reason}"
            self._listener.note(self._stopped)
            self._running.cancel()

    def _keep_known_list(self) -> None:
        """Copy the known-differences list into the run, so that the verdict can be derived again from the run alone."""
        if self.config.known is not None:
            (self.folder / "known.toml").write_bytes(Path(self.config.known).read_bytes())
            self.config.known = "known.toml"

    def _write_session_json(self) -> None:
        config = self.config
        record = {
            "schema": 1,
            "run": self.folder.name,
            "grade": config.grade,
            "feed": "capture" if config.is_replay else config.feed,
            "direct": config.direct,
            "feed_name": Path(config.feed.partition(":")[2]).name if config.is_replay else "",
            "connections": list(config.connections),
            "symbols": list(config.symbols),
            "channels": {one: list(channels_of(one, config.channels)) for one in config.connections},
            "profile": config.profile,
            "time_scale": config.time_scale,
            "duration_s": self.plan.measured_s,
            "rate": config.rate,
            "seed": config.seed,
            "faults": list(config.faults),
            "commands": {"legacy": config.legacy or "(own legacy)", "new": config.new or "(own new)"},
            "calibration": config.calibration and config.feed == "sim" and not config.unpaced,
            "mix": MIX,
            "plan": self.plan.as_json(),
            "options": config.options,
            "own_upstream": config.is_live and bool(os.environ.get(UPSTREAM_VARIABLE)),
            "cores": self._placement.name,
            "known": config.known,
            "stretch_s": config.stretch_s,
            "keep_raw": config.keep_raw if config.stretch_s is not None else None,
            "versions": {name: version(name) for name in ("ws-shadow", "websockets", "msgspec", "orjson", "numpy")},
            "machine": machine(),
            "started_utc": self._started.isoformat(timespec="seconds"),
        }
        if config.is_sized_by_noise:
            record["power"] = self._power.as_json() if self._power is not None else None
        (self.folder / "session.json").write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))

    def _on_recorder(self, message: Message) -> None:
        if message["k"] == "full" and self._running is not None:
            self._stopped = f"the raw data took the {spelt(message['max_bytes'])} that they may, see --max-disk"
            self._running.cancel()
        if self._leg is not None:
            self._leg.on_recorder(message)

    def _on_recorder_end(self) -> None:
        """What is measured without it is lost, however long it goes on."""
        if self._running is not None:
            self._stopped = "the recorder ended before it was told to"
            self._running.cancel()

    def _on_regression(self, reason: str) -> None:
        if self.config.stop_early and self._running is not None:
            self._early = reason
            self._listener.note(f"stopped early by {reason}")
            self._running.cancel()

    def _on_venue(self, message: Message) -> None:
        if message.get("k") == "progress":
            self._listener.note_rate(message)
        if self._leg is not None:
            self._leg.on_venue(message)


def run_session(config: SessionConfig, folder: Path, listener: Listener) -> str | None:
    """Run a session to its end and hash its raw files; returns why it was interrupted, or None.

    SIGINT and SIGTERM end it early: what came so far is kept, and the manifest says so. Only the first one counts:
    another would take the time to seal it.
    """
    session = Session(config, folder, listener)

    async def main() -> str | None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(session.run())
        stopped: list[bool] = []

        def stop() -> None:
            if not stopped:
                stopped.append(task.cancel())
                listener.note("stopping; what came so far is sealed and judged")

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        return await task

    try:
        interrupted = asyncio.run(main())
    except UsageError:
        raise
    except OSError as error:
        raise ShadowError(f"the session could not go on: {error}") from error
    session.write_manifest(interrupted)
    return interrupted
