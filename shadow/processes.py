"""The venue or relays, the recorder and the pipes of one run: how they start, are spoken to, and end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

import msgspec
import orjson

from shadow.children import Child, ChildDied, Message
from shadow.config import SessionConfig
from shadow.connections import channels_of
from shadow.errors import UsageError
from shadow.network.credentials import read_credentials
from shadow.plan import Leg, Plan
from shadow.subjects.protocol import ConnectionSpec
from shadow.upstream import read_upstream
from shadow.venue.credentials import make_credentials, secrets_of

__all__ = ["Processes"]

READY_S = 30.0
FINISH_S = 120.0
FINISH_SHARE = 0.2
"""Of the measured time: what an hour wrote takes longer to compact than what a minute did."""
ROLES = ("legacy", "new", "legacy2")
PIPE_BYTES = 1024 * 1024
Pipes = dict[tuple[str, str], tuple[int, int, int, int]]
"""By leg and role the ends of stdout and of stderr, read before write; -1 for one that the recorder has taken."""
Hear = Callable[[Message], None]


class Processes:
    """Owned by a session, which orders their steps; what they say goes to `on_venue` and `on_recorder`.

    `on_recorder_end` is called when the recorder has ended, told to or not: nothing is written down any more.
    """

    def __init__(
        self,
        config: SessionConfig,
        folder: Path,
        on_venue: Hear,
        on_recorder: Hear,
        on_recorder_end: Callable[[], None],
    ) -> None:
        self._config = config
        self._folder = folder
        self._on_venue = on_venue
        self._on_recorder = on_recorder
        self._on_recorder_end = on_recorder_end
        self._credentials = make_credentials()
        self._account = read_credentials(read_upstream(), config.connections) if config.is_live else {}
        self._pipes: Pipes = {}
        self._ledger_write = -1
        self._venue: Child | None = None
        self._recorder: Child | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._lanes: Message = {}
        self._spelt: Message = {}

    @property
    def venue(self) -> Child:
        """The venue, or the relays in its place, once started."""
        assert self._venue is not None
        return self._venue

    @property
    def recorder(self) -> Child:
        """The recorder, once started."""
        assert self._recorder is not None
        return self._recorder

    def open_pipes(self, plan: Plan) -> None:
        """All subjects' pipes, made before the recorder so that it can inherit their read ends."""
        for leg in plan.legs:
            for role in leg.roles:
                out_read, out_write = os.pipe()
                err_read, err_write = os.pipe()
                with contextlib.suppress(OSError):
                    fcntl.fcntl(out_read, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                self._pipes[leg.leg, role] = (out_read, out_write, err_read, err_write)

    def take_pipes(self, leg: Leg) -> dict[str, tuple[int, int]]:
        """By role the write ends of stdout and stderr; who takes them closes them."""
        taken = {role: self._pipes.pop((leg.leg, role)) for role in leg.roles}
        return {role: (fds[1], fds[3]) for role, fds in taken.items()}

    def close_pipes(self) -> None:
        """Those that nobody took."""
        for fds in self._pipes.values():
            for fd in fds:
                if fd >= 0:
                    with contextlib.suppress(OSError):
                        os.close(fd)

    async def start_recorder(self) -> None:
        """Let it read the pipes and the ledger; ChildDied or TimeoutError when it does not come up."""
        ledger_read, self._ledger_write = os.pipe()
        read_ends = [ledger_read, *(fd for fds in self._pipes.values() for fd in (fds[0], fds[2]))]
        self._recorder = await Child.start(
            "recorder",
            "shadow.capture.recorder",
            log=self._folder / "recorder.log",
            first=self._recorder_options(ledger_read),
            on_message=self._on_recorder,
            pass_fds=read_ends,
        )
        await self._recorder.expect(lambda m: m["k"] == "ready", READY_S)
        for fd in read_ends:
            os.close(fd)
        for key, fds in self._pipes.items():
            self._pipes[key] = (-1, fds[1], -1, fds[3])
        self._watcher = asyncio.ensure_future(self._watch(self._recorder))

    async def _watch(self, recorder: Child) -> None:
        await recorder.process.wait()
        self._on_recorder_end()

    def _recorder_options(self, ledger_fd: int) -> Message:
        return {
            "dir": str(self._folder),
            "ledger_fd": ledger_fd,
            "subjects": [
                {"leg": leg, "role": role, "stdout_fd": fds[0], "stderr_fd": fds[2]}
                for (leg, role), fds in self._pipes.items()
            ],
            "secrets": [*secrets_of(self._credentials), *secrets_of(self._account)],
            "max_bytes": self._config.max_disk,
        }

    async def start_venue(self, plan: Plan) -> None:
        """Open the exchange; in direct mode one relay for each role in its place.

        UsageError with what it says it cannot do; ChildDied or TimeoutError when it does not come up.
        """
        if self._config.direct:
            await self._start_venue("relay", "shadow.network", self._relay_options(plan))
        else:
            await self._start_venue("venue", "shadow.venue", self._venue_options(plan))

    async def _start_venue(self, name: str, module: str, options: Message) -> None:
        self._venue = await Child.start(
            name,
            module,
            log=self._folder / f"{name}.log",
            first={**options, "ledger_fd": self._ledger_write},
            on_message=self._on_venue,
            pass_fds=[self._ledger_write],
        )
        os.close(self._ledger_write)
        answer = await self._venue.expect(lambda m: m["k"] in ("ready", "failed"), READY_S)
        if answer["k"] == "failed":
            raise UsageError(answer["text"])
        self._lanes, self._spelt = answer["lanes"], answer["symbols"]

    def _venue_options(self, plan: Plan) -> Message:
        config = self._config
        return {
            "roles": list(ROLES),
            "connections": list(config.connections),
            "symbols": list(config.symbols),
            "channels": sorted({name for one in config.connections for name in channels_of(one, config.channels)}),
            "feed": config.feed,
            "rate": config.rate,
            "seed": config.seed,
            "profile": config.profile,
            "faults": list(config.faults),
            "gap_us": plan.gap_us,
            "deflate": False,
            "ws_port": 0,
            "rest_port": 0,
            "ledger_dir": None,
            "host": "127.0.0.1",
            "unpaced": config.unpaced,
            "time_scale": config.time_scale,
            "credentials": self._credentials,
        }

    def _relay_options(self, plan: Plan) -> Message:
        config = self._config
        return {
            "roles": list(plan.legs[0].roles),
            "channels": {one: list(channels_of(one, config.channels)) for one in config.connections},
            "symbols": list(config.symbols),
            "upstream": msgspec.to_builtins(msgspec.structs.replace(read_upstream(), credentials={})),
            "faults": list(config.faults),
        }

    def specs(self, role: str) -> list[ConnectionSpec]:
        """Where a subject of this role connects, and what it asks for there."""
        lane = self._lanes[role]
        account = self._account if self._config.direct else self._credentials
        return [
            ConnectionSpec(
                id=connection,
                exchange=(parts := connection.split("."))[0],
                market=parts[1],
                scope=parts[2],
                ws_url=lane["ws"].get(connection) or lane["ws"][f"{parts[0]}.{parts[1]}"],
                rest_url=lane["rest"][parts[0]],
                symbols=tuple(self._spelt[connection]),
                channels=channels_of(connection, self._config.channels),
                credentials=account[parts[0]] if parts[2] == "private" else None,
            )
            for connection in self._config.connections
        ]

    async def mark(self, leg: str, role: str, name: str, detail: Message) -> None:
        """A line of our own in the raw data, empty `leg` and `role` for the session as a whole.

        Nothing before there is a recorder; ChildDied when it has ended.
        """
        if self._recorder is not None:
            row = [perf_counter_ns(), leg, role, name, orjson.dumps(detail).decode()]
            await self._recorder.send({"cmd": "mark", "row": row})

    async def freed(self, sizes: dict[str, int]) -> None:
        """So many bytes of each table were deleted; a recorder that has ended counts no more."""
        if self._recorder is not None:
            with contextlib.suppress(ChildDied):
                await self._recorder.send({"cmd": "freed", "bytes": sizes})

    async def stop_venue(self) -> None:
        """End it, where it has been started."""
        if self._venue is not None:
            with contextlib.suppress(ChildDied):
                await self._venue.send({"cmd": "stop"})
            await self._venue.end()

    async def finish_recorder(self, measured_s: float) -> bool:
        """Let it compact what so many measured seconds wrote, and end it; whether it could, where it was started."""
        if self._recorder is None:
            return True
        patience_s = max(FINISH_S, measured_s * FINISH_SHARE)
        try:
            await self._recorder.ask({"cmd": "finish"}, lambda m: m["k"] == "finished", timeout_s=patience_s)
            is_whole = True
        except (ChildDied, TimeoutError):
            is_whole = False
        await self._recorder.end()
        return is_whole
