"""Runs one of our two stacks as a subject, through the door that callers use: `create_websocket_manager()`."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import msgspec

from shadow.subjects.emit import Emitter, make_burn
from shadow.subjects.protocol import PROTOCOL, Command, ConnectionSpec, StartLine, read_command, read_start
from shadow.subjects.sampler import attend

__all__ = ["main", "stdin_lines"]

WARM_UP_S = 0.8
EXCHANGE_NAMES = {
    ("gateio", "spot"): "GATEIO_SPOT",
    ("gateio", "futures"): "GATEIO_FUTURES",
    ("mexc", "spot"): "MEXC_SPOT",
}
HEARTBEAT_S = 30.0
EXTEND_EVERY_S = 1800.0
LIFE_S, RENEW_BEFORE_S = 86_400.0, 600.0
CHANGE_S = 3.0
"""Of the real seconds before a compressed day ends: what it takes to open a second connection and let both run."""
STATES = {"closing": "closed"}


def set_flag(architecture: str, folder: Path) -> None:
    """Point the factory's flag at a file of ours: every flag error would mean legacy, so nothing is left to chance."""
    variant = "complete" if architecture == "new" else "off"
    variants = {name: name for name in ("off", "shadow", "canary", "live", "rampdown", "complete")}
    flags = {"flags": {"websocket-stack": {"state": "ENABLED", "variants": variants, "defaultVariant": variant}}}
    path = folder / "flags.json"
    path.write_text(json.dumps(flags))
    os.environ["WS_SHADOW_FLAGS"] = str(path)
    os.environ["WS_SHADOW_KILL"] = str(folder / "no-kill-file")
    os.environ.pop("WS_SHADOW_FLAG_PROVIDER", None)


def architecture_of(manager: object) -> str:
    """Which stack the factory gave."""
    return "legacy" if type(manager).__module__.split(".")[0] == "legacy" else "new"


def burn_of(options: dict[str, Any], connection: str) -> Callable[[], None] | None:
    """The busy loop for a connection; `burn_ns` is a number or one number per connection."""
    asked = options.get("burn_ns", 0)
    return make_burn(int(asked.get(connection, 0) if isinstance(asked, dict) else asked))


class StackSubject:
    """Holds one manager per connection and writes what they deliver."""

    def __init__(self, architecture: str, start: StartLine, emitter: Emitter) -> None:
        self._architecture = architecture
        self._start = start
        self._emitter = emitter
        self._time_scale = float(start.options.get("time_scale", 1.0))
        self._managers: dict[str, Any] = {}
        self._symbols: dict[str, dict[str, Any]] = {}
        self._counts: Any = None

    async def open(self) -> None:
        """Create and initialise every connection's manager."""
        if self._start.options.get("count_only"):
            from shadow.subjects.counted import Counts

            self._counts = Counts(self._emitter)
            self._counts.start()
        for spec in self._start.connections:
            await self._open(spec)

    async def reopen(self, connection: str, away_s: float) -> None:
        """Close one connection, stay away, and open it as at the start: what a drill of stability does."""
        await self._managers[connection].close()
        await asyncio.sleep(away_s)
        await self._open(next(spec for spec in self._start.connections if spec.id == connection))

    async def _open(self, spec: ConnectionSpec) -> None:
        self._managers[spec.id] = manager = self._create(spec)
        await manager.initialize(list(self._symbols[spec.id].values()), self._channels(spec))

    async def obey(self, command: Command) -> None:
        """Carry out a subscribe or unsubscribe line; a refusal is an error line."""
        manager = self._managers.get(command.c)
        if manager is None:
            return
        known = self._symbols[command.c]
        symbols = [known.setdefault(name, self._read_symbol(command.c, name)) for name in command.symbols]
        try:
            await (manager.subscribe(symbols) if command.cmd == "subscribe" else manager.unsubscribe(symbols))
        except Exception as error:  # noqa: BLE001 - whatever the stack raises is a finding, never the subject's end
            self.error(command.c, "subscribe", error)

    async def close(self) -> None:
        """Close every manager, all at once: one that stands still does not keep the others waiting."""
        await asyncio.gather(*(manager.close() for manager in self._managers.values()))
        if self._counts is not None:
            self._counts.finish()

    def error(self, connection: str, kind: str, error: BaseException) -> None:
        """Write an error line."""
        text = f"{type(error).__name__}: {error}"[:500]
        self._emitter.put({"k": "error", "c": connection, "t": perf_counter_ns(), "kind": kind, "message": text})

    def _create(self, spec: ConnectionSpec) -> Any:
        from exchanges.structs import ExchangeConfig, WebSocketConfig
        from infrastructure.networking.websocket.utils import create_websocket_manager
        from shadow.subjects.events import message_sink

        symbols = {name: self._read_symbol(spec.id, name) for name in spec.symbols}
        self._symbols[spec.id] = symbols
        config = ExchangeConfig(
            name=EXCHANGE_NAMES[spec.exchange, spec.market],
            base_url=spec.rest_url,
            websocket_url=spec.ws_url,
            websocket=WebSocketConfig(spec.ws_url, heartbeat_interval=max(1.0, HEARTBEAT_S / self._time_scale)),
            transport=self._start.options.get("transport"),
            credentials=_credentials(spec),
        )
        state = self._state_writer(spec.id)
        burn = burn_of(self._start.options, spec.id)
        renewal = self._compress_renewal(spec)
        if self._architecture == "new" and self._start.options.get("door") == "direct":
            return self._direct_door(spec, config, burn, state, renewal)
        sink = message_sink(
            self._emitter,
            spec.id,
            {symbol: name for name, symbol in symbols.items()},
            burn,
            lambda: state("subscribed"),
        )
        if self._counts is not None:
            sink = self._counts.instead_of(sink, spec.id)

        async def on_state(new_state: Any) -> None:
            state(STATES.get(new_state.value, new_state.value))

        manager = create_websocket_manager(config, spec.scope == "private", sink, on_state, **renewal, **self.placing())
        self.accept(manager)
        return manager

    def placing(self) -> dict[str, Any]:
        """What the factory is told of processes; one stack alone runs in this one."""
        return {}

    def accept(self, manager: Any) -> None:
        """RuntimeError where the factory gave the other stack."""
        given = architecture_of(manager)
        if given != self._architecture:
            raise RuntimeError(f"asked for the {self._architecture} stack, the factory gave {given}")

    def _compress_renewal(self, spec: ConnectionSpec) -> dict[str, Any]:
        """In a compressed day a connection is renewed and a listen key extended as much sooner.

        Both are options of new; legacy renews no connection, and its other time is a constant.
        """
        if self._time_scale == 1.0 or spec.exchange != "mexc":
            return {}
        every_s = EXTEND_EVERY_S / self._time_scale
        if self._architecture == "new":
            before_s = max(RENEW_BEFORE_S / self._time_scale, CHANGE_S)
            renewal = {"renew_after_s": LIFE_S / self._time_scale - before_s}
            return renewal | ({"extend_every_s": every_s} if spec.scope == "private" else {})
        if spec.scope == "public":
            return {}
        from legacy.mexc.strategies.spot_private import connection

        vars(connection)["_EXTEND_EVERY_S"] = every_s
        return {}

    def _direct_door(
        self,
        spec: ConnectionSpec,
        config: Any,
        burn: Callable[[], None] | None,
        state: Callable[[str], None],
        renewal: dict[str, float],
    ) -> Any:
        from shadow.subjects.direct import DirectDoor, typed_callbacks, typed_private_callbacks

        if spec.scope == "public":
            callbacks = typed_callbacks(self._emitter, spec.id, burn, state)
            return DirectDoor(spec.exchange, config, callbacks, False, renewal)
        names = {symbol: name for name, symbol in self._symbols[spec.id].items()}
        return DirectDoor(
            spec.exchange, config, typed_private_callbacks(self._emitter, spec.id, names, burn, state), True, renewal
        )

    def _state_writer(self, connection: str) -> Callable[[str], None]:
        last = ""

        def write(state: str) -> None:
            nonlocal last
            if state != last:
                last = state
                self._emitter.put({"k": "state", "c": connection, "t": perf_counter_ns(), "state": state})

        return write

    def _read_symbol(self, connection: str, name: str) -> Any:
        from exchanges.structs.symbols import from_gateio, from_mexc

        exchange, market, _ = connection.split(".")
        return from_mexc(name) if exchange == "mexc" else from_gateio(name, market == "futures")

    @staticmethod
    def _channels(spec: ConnectionSpec) -> list[Any]:
        from exchanges.structs import PrivateWebsocketChannelType as Private
        from exchanges.structs import PublicWebsocketChannelType as Public

        by_name = {
            "book": Public.ORDERBOOK,
            "trade": Public.TRADES,
            "book_ticker": Public.BOOK_TICKER,
            "ticker": Public.TICKER,
            "order": Private.ORDER,
            "fill": Private.TRADE,
            "balance": Private.BALANCE,
            "position": Private.POSITION,
        }
        return [by_name[name] for name in spec.channels]


def _credentials(spec: ConnectionSpec) -> Any:
    """What the start line gave for a private connection, as the stacks take it."""
    from exchanges.structs import ExchangeCredentials

    given = spec.credentials
    return None if given is None else ExchangeCredentials(given["key"], given["secret"])


async def stdin_lines() -> asyncio.StreamReader:
    """Stdin as a stream of lines of at most 8 MiB."""
    reader = asyncio.StreamReader(limit=8 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def freeze_heap() -> None:
    """The same collector policy for every subject: what warm-up left is frozen, thresholds stay."""
    gc.collect()
    gc.freeze()


async def run(architecture: str, folder: Path, emitter: Emitter) -> int:
    """Speak the protocol until stop; the exit code is 1 when the stack could not be started."""
    set_flag(architecture, folder)
    return await speak(architecture, emitter, lambda start: StackSubject(architecture, start, emitter))


async def speak(name: str, emitter: Emitter, make: Callable[[StartLine], StackSubject]) -> int:
    """The same for the subject that `make` makes of the start line."""
    reader = await stdin_lines()
    start = read_start(await reader.readline())
    attend(start.options.get("profile"))
    emitter.start()
    subject = make(start)
    emitter.attend(subject)
    hello = {"k": "hello", "protocol": PROTOCOL, "name": f"ws-shadow {name}", "version": "1", "pid": os.getpid()}
    emitter.put({**hello, "t": perf_counter_ns()})
    failed = 0
    try:
        await subject.open()
        asyncio.get_running_loop().call_later(WARM_UP_S, freeze_heap)
        await _obey_until_stop(subject, reader)
        await subject.close()
    except Exception as error:  # noqa: BLE001 - the protocol's own way to report a stack that fails
        subject.error("", "internal", error)
        failed = 1
    emitter.put({"k": "bye", "t": perf_counter_ns(), "emit_ns": emitter.emit_ns})
    await emitter.finish()
    return failed


async def _obey_until_stop(subject: StackSubject, reader: asyncio.StreamReader) -> None:
    while text := await reader.readline():
        try:
            command = read_command(text)
        except msgspec.DecodeError:
            continue
        if command.cmd == "stop":
            return
        await subject.obey(command)


def main(architecture: str, emitter: Emitter | None = None) -> int:
    """Entry of `python -m shadow.subjects.legacy`, `.new` and, with an emitter of its own, `.saboteur`."""
    with tempfile.TemporaryDirectory(prefix="ws-shadow-") as folder:
        return asyncio.run(run(architecture, Path(folder), emitter or Emitter(sys.stdout.fileno())))
