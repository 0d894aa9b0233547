"""One session: venue, recorder and legs, from a checked configuration to a complete run directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import msgspec
import orjson

from shadow.capture.room import spelt
from shadow.children import Child, ChildDied, Message
from shadow.config import SessionConfig, channels_of, machine
from shadow.errors import ShadowError, UsageError
from shadow.leg_run import LegRun, Listener
from shadow.network.credentials import read_credentials
from shadow.online.companion import FROM_S, Companion
from shadow.placement import Placement, choose_placement
from shadow.plan import MIX, Leg, Plan
from shadow.probing import probe_targets
from shadow.release_plan import Power, fit
from shadow.stretches.companion import Stretches
from shadow.subjects.protocol import ConnectionSpec
from shadow.upstream import UPSTREAM_VARIABLE, read_upstream
from shadow.venue.credentials import make_credentials, secrets_of

__all__ = ["Session", "run_session"]

READY_S = 30.0
FINISH_S = 120.0
FINISH_SHARE = 0.2
"""Of the measured time: what an hour wrote takes longer to compact than what a minute did."""
ROLES = ("legacy", "new", "legacy2")
CONTROL_SHARE = 0.30
PIPE_BYTES = 1024 * 1024
Pipes = dict[tuple[str, str], tuple[int, int, int, int]]


class Session:
    """Owns the processes of one run; without a placement the one that suits the rate."""

    def __init__(
        self, config: SessionConfig, folder: Path, listener: Listener, placement: Placement | None = None
    ) -> None:
        self.config = config
        self.folder = folder
        self._listener = listener
        self.plan: Plan = config.plan()
        self._placement = placement or choose_placement(config.rate, unpaced=config.unpaced)
        self._venue: Child | None = None
        self._recorder: Child | None = None
        self._leg: LegRun | None = None
        self._lanes: Message = {}
        self._spelt: Message = {}
        self._credentials = make_credentials()
        self._power: Power | None = None
        self._started = datetime.now(UTC)
        self._account = read_credentials(read_upstream(), config.connections) if config.is_live else {}
        self._running: asyncio.Task[Any] | None = None
        self._stopped = "stopped by a signal"
        self._early: str | None = None
        self._online = Companion(folder, self.plan.measured_s, listener.note_look, self._on_regression)
        self._freed: list[asyncio.Task[None]] = []
        self._told: set[tuple[str, str]] = set()
        self._service_ns: dict[str, dict[str, float]] = {}
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
        pipes = self._open_pipes()
        interrupted: str | None = None
        try:
            await self._start_recorder(pipes)
            await self._start_venue()
            if self._stretches is not None:
                await self._stretches.start()
            elif self.config.stop_early or self.plan.measured_s >= FROM_S:
                await self._online.start()
            for number in range(len(self.plan.legs)):
                await self._run_leg(self.plan.legs[number], pipes)
                if self._leg is not None and self._leg.failures:
                    break
                await self._measure_service(self.plan.legs[number])
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
            _close_all(pipes)
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

    async def _start_recorder(self, pipes: Pipes) -> None:
        self._ledger_read, self._ledger_write = os.pipe()
        subjects = [
            {"leg": leg, "role": role, "stdout_fd": fds[0], "stderr_fd": fds[2]} for (leg, role), fds in pipes.items()
        ]
        read_ends = [fd for fds in pipes.values() for fd in (fds[0], fds[2])]
        self._recorder = await Child.start(
            "recorder",
            "shadow.capture.recorder",
            log=self.folder / "recorder.log",
            first={
                "dir": str(self.folder),
                "ledger_fd": self._ledger_read,
                "subjects": subjects,
                "secrets": [*secrets_of(self._credentials), *secrets_of(self._account)],
                "max_bytes": self.config.max_disk,
            },
            on_message=self._on_recorder,
            pass_fds=[self._ledger_read, *read_ends],
        )
        await self._recorder.expect(lambda m: m["k"] == "ready", READY_S)
        for fd in (self._ledger_read, *read_ends):
            os.close(fd)
        for key, fds in pipes.items():
            pipes[key] = (-1, fds[1], -1, fds[3])

    async def _start_venue(self) -> None:
        if self.config.direct:
            await self._start_relays()
            return
        config = self.config
        self._venue = await Child.start(
            "venue",
            "shadow.venue",
            log=self.folder / "venue.log",
            first={
                "roles": list(ROLES),
                "connections": list(config.connections),
                "symbols": list(config.symbols),
                "channels": sorted({name for one in config.connections for name in channels_of(one, config.channels)}),
                "feed": config.feed,
                "rate": config.rate,
                "seed": config.seed,
                "profile": config.profile,
                "faults": list(config.faults),
                "gap_us": self.plan.gap_us,
                "deflate": False,
                "ws_port": 0,
                "rest_port": 0,
                "ledger_fd": self._ledger_write,
                "ledger_dir": None,
                "host": "127.0.0.1",
                "unpaced": config.unpaced,
                "time_scale": config.time_scale,
                "credentials": self._credentials,
            },
            on_message=self._on_venue,
            pass_fds=[self._ledger_write],
        )
        await self._until_ready(self._venue)

    async def _start_relays(self) -> None:
        """In direct mode: one relay for each role in the venue's place."""
        config = self.config
        self._venue = await Child.start(
            "relay",
            "shadow.network",
            log=self.folder / "relay.log",
            first={
                "roles": list(self.plan.legs[0].roles),
                "channels": {one: list(channels_of(one, config.channels)) for one in config.connections},
                "symbols": list(config.symbols),
                "upstream": msgspec.to_builtins(msgspec.structs.replace(read_upstream(), credentials={})),
                "ledger_fd": self._ledger_write,
                "faults": list(config.faults),
            },
            on_message=self._on_venue,
            pass_fds=[self._ledger_write],
        )
        await self._until_ready(self._venue)

    async def _until_ready(self, venue: Child) -> None:
        """Take over where the subjects connect; UsageError with what the venue says it cannot do."""
        os.close(self._ledger_write)
        answer = await venue.expect(lambda m: m["k"] in ("ready", "failed"), READY_S)
        if answer["k"] == "failed":
            raise UsageError(answer["text"])
        self._lanes, self._spelt = answer["lanes"], answer["symbols"]

    async def _run_leg(self, leg: Leg, pipes: Pipes) -> None:
        assert self._venue is not None
        assert self._recorder is not None
        commands = self.config.commands()
        if leg.leg == "control":
            commands = {**commands, "legacy": self.config.control_command(), "legacy2": self.config.control_command()}
        taken = {role: pipes.pop((leg.leg, role)) for role in leg.roles}
        self._leg = LegRun(
            leg,
            venue=self._venue,
            recorder=self._recorder,
            pipes={role: (fds[1], fds[3]) for role, fds in taken.items()},
            commands=commands,
            specs={role: self._specs(role) for role in leg.roles},
            options=await self._options(leg),
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

    async def _options(self, leg: Leg) -> dict[str, dict[str, Any]]:
        """By role: what the settings say, the compressed day, and CPU burned for the positive control or a drill."""
        scale = self.config.time_scale
        day = {} if scale == 1.0 else {"time_scale": scale}
        options: dict[str, dict[str, Any]] = {role: day | self.config.options.get(role, {}) for role in leg.roles}
        asked = self.config.burn
        if leg.leg == "control":
            options["legacy2"] |= await self._measured_burn(leg, "legacy2", "legacy2", CONTROL_SHARE)
        elif asked is not None and asked.role in leg.roles and leg.leg.startswith("main"):
            options[asked.role] |= await self._measured_burn(leg, asked.role, "legacy", asked.share)
        return options

    async def _measure_service(self, leg: Leg) -> None:
        """Right behind the leg that later burns are measured by: by then its raw data may be gone."""
        from shadow.burn import service_ns

        if leg.leg == "aa1":
            for role in leg.roles:
                self._service_ns[role] = await asyncio.to_thread(service_ns, self.folder, leg.leg, role)

    async def _measured_burn(self, leg: Leg, role: str, measured_role: str, share: float) -> dict[str, Any]:
        measured = self._service_ns.get(measured_role, {})
        burn_ns = {connection: round(share * value) for connection, value in measured.items()}
        assert self._recorder is not None
        detail = orjson.dumps({"burn_ns": burn_ns, "share": share, "service_ns": measured}).decode()
        row = [perf_counter_ns(), leg.leg, role, "burn", detail]
        await self._recorder.send({"cmd": "mark", "row": row})
        return {"burn_ns": burn_ns}

    def _specs(self, role: str) -> list[ConnectionSpec]:
        lane = self._lanes[role]
        account = self._account if self.config.direct else self._credentials
        return [
            ConnectionSpec(
                id=connection,
                exchange=(parts := connection.split("."))[0],
                market=parts[1],
                scope=parts[2],
                ws_url=lane["ws"].get(connection) or lane["ws"][f"{parts[0]}.{parts[1]}"],
                rest_url=lane["rest"][parts[0]],
                symbols=tuple(self._spelt[connection]),
                channels=channels_of(connection, self.config.channels),
                credentials=account[parts[0]] if parts[2] == "private" else None,
            )
            for connection in self.config.connections
        ]

    def _open_pipes(self) -> Pipes:
        """All subjects' pipes, made before the recorder so that it can inherit their read ends."""
        import fcntl

        pipes: Pipes = {}
        for leg in self.plan.legs:
            for role in leg.roles:
                out_read, out_write = os.pipe()
                err_read, err_write = os.pipe()
                with contextlib.suppress(OSError):
                    fcntl.fcntl(out_read, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                pipes[leg.leg, role] = (out_read, out_write, err_read, err_write)
        return pipes

    async def _finish(self, interrupted: str | None) -> str | None:
        """Stop the venue, let the recorder compact; survives a second cancellation by the processes' own end."""
        await self._online.end()
        if self._venue is not None:
            with contextlib.suppress(ChildDied):
                await self._venue.send({"cmd": "stop"})
            await self._venue.end()
        interrupted = await self._stretched(Stretches.hold, interrupted)
        if self._recorder is not None:
            for name, reason in (("interrupted", interrupted), ("stopped-early", self._early)):
                if reason is not None:
                    row = [perf_counter_ns(), "", "", name, orjson.dumps({"reason": reason}).decode()]
                    with contextlib.suppress(ChildDied):
                        await self._recorder.send({"cmd": "mark", "row": row})
            patience_s = max(FINISH_S, self.plan.measured_s * FINISH_SHARE)
            try:
                await self._recorder.ask({"cmd": "finish"}, lambda m: m["k"] == "finished", timeout_s=patience_s)
            except (ChildDied, TimeoutError):
                interrupted = interrupted or "the recorder could not finish"
            await self._recorder.end()
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

    async def _tell_freed(self, sizes: dict[str, int]) -> None:
        """A recorder that has ended counts no more."""
        if self._recorder is not None:
            with contextlib.suppress(ChildDied):
                await self._recorder.send({"cmd": "freed", "bytes": sizes})

    def _on_stretches(self, message: Message) -> None:
        """What was deleted no longer counts against the disk limit."""
        if message["freed"]:
            self._freed = [task for task in self._freed if not task.done()]
            self._freed.append(asyncio.ensure_future(self._tell_freed(message["freed"])))
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


def _close_all(pipes: Pipes) -> None:
    for fds in pipes.values():
        for fd in fds:
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)


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
