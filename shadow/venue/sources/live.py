"""The live feed: what the exchange sends, byte for byte to both sides through the tee.

One upstream subscription serves each variant (channel, speed, depth, header) that somebody asks for; variants whose
pushes could not be told apart go over connections of their own. An upstream that ends takes both sides' connections
with it, at the same moment and with its own code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import msgspec

from shadow.network.budget import Budget
from shadow.network.credentials import read_credentials
from shadow.upstream import Upstream
from shadow.venue.client_link import ClientLink
from shadow.venue.outgoing import Frame
from shadow.venue.personas.registry import persona_of
from shadow.venue.relay.dialect import Answer, Data
from shadow.venue.relay.line import Line, LineSettings
from shadow.venue.relay.oddities import Oddities
from shadow.venue.relay.persona import LiveMarket, RelayedPersona, RelayedSession
from shadow.venue.relay.pool import LinePool
from shadow.venue.relay.whole_books import WholeBook, comes_whole
from shadow.venue.stage import Stage
from shadow.venue.wire import Push, Reply

__all__ = ["LiveSource"]

HOLD_S: Final = 2.0
IDLE_S: Final = 10.0
PROGRESS_S: Final = 0.5
REST_POLL_S: Final = 0.01
ABNORMAL: Final = 1006
SENDABLE: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, *range(3000, 5000)})


class LiveSource:
    """The upstream side of a venue; `attach` gives it the stage that it feeds.

    `made` are the credentials that clients sign with; the account's own stay here.
    """

    def __init__(
        self,
        upstream: Upstream,
        connections: list[str],
        symbols: list[str],
        budget: Budget | None = None,
        settings: LineSettings | None = None,
        made: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self.frames = 0
        self.is_flowing = False
        self._stage: Stage
        credentials = read_credentials(upstream, connections)
        self._pool = LinePool(upstream, connections, self, self.budget, settings, credentials)
        self._books: dict[tuple[str, str], WholeBook] = {}
        self._oddities: dict[tuple[str, str], Oddities] = {}
        self._resting: dict[str, list[tuple[Frame, str]]] = {}
        self._refused: dict[tuple[str, str], tuple[float, Answer, set[str]]] = {}
        self._idle: dict[tuple[str, str], float] = {}
        self._away: set[Line] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        market = LiveMarket(symbols)
        self.personas = [
            RelayedPersona(persona_of(one, market, made or {}), self, self._pool.rest[one.partition(".")[0]])
            for one in connections
        ]
        self._persona = {persona.id: persona for persona in self.personas}

    def attach(self, stage: Stage) -> None:
        """Where frames go."""
        self._stage = stage

    def begin(self) -> None:
        """Pass on from now on whatever somebody has subscribed, as the exchange would."""
        self.is_flowing = True

    async def open(self) -> None:
        """Connect to every exchange; UsageError when one cannot be reached."""
        await self._pool.open()

    async def close(self) -> None:
        """End every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.close()

    async def flow(self, phase: str, seconds: float) -> int:
        """Mark a phase while the exchange's frames pass; how many came."""
        stage = self._stage
        with stage.phase(phase):
            loop = asyncio.get_running_loop()
            begin, came = loop.time(), self.frames
            while (left := begin + seconds - loop.time()) > 0:
                await asyncio.sleep(min(left, PROGRESS_S))
                spent = loop.time() - begin
                stage.emit({"k": "progress", "frames": self.frames - came, "rate": (self.frames - came) / spent})
        return self.frames - came

    def stop(self) -> None:
        """Nothing more is passed on until the next leg: what was sent can be waited for."""
        self.is_flowing = False
        self._resting.clear()

    def note_budget(self) -> None:
        """Write down what was done at the exchanges."""
        for exchange in self._pool.rest:
            used = msgspec.to_builtins(self.budget.at(exchange).used)
            self._stage.ledger.mark("budget-used", detail={"exchange": exchange, **used})

    def tick(self) -> None:
        """Give back what nobody has wanted for a while."""
        now = time.monotonic()
        for line in self._pool:
            for key in [key for key, confirmed in line.keys.items() if confirmed]:
                self._tick_key(line.connection, line, key, now)

    # Who asks: implements `persona.Exchange`

    def ask(self, session: RelayedSession, keys: tuple[str, ...]) -> None:
        """Ask for keys on the line that can tell their pushes apart; the same refusal goes to both sides."""
        for key in keys:
            place = session.connection, key
            refused = self._refused.get(place)
            role = self._role(session)
            if refused is not None and time.monotonic() < refused[0] and role not in refused[2]:
                refused[2].add(role)
                self._tell(session, key, refused[1])
                continue
            if comes_whole(key):
                self._books.setdefault(place, WholeBook())
            self._pool.line_for(session.connection, key).want(key, partial(self._tell, session, key))

    def unasked(self, session: RelayedSession, keys: tuple[str, ...]) -> None:
        """Keys that nobody else has are found by the next ticks."""

    def opening(self, session: RelayedSession, key: str) -> list[Push]:
        """A whole book for who comes late; who comes in time gets the exchange's own with the other side."""
        place = session.connection, key
        book = self._books.get(place)
        if book is None:
            return []
        if book.held is not None:
            asyncio.get_running_loop().call_soon(self._release_when_asked, place)
            return []
        persona = self._persona[session.connection]
        push = book.snapshot(persona.spell(persona.variant(key)[1]))
        if push is None:
            return []
        detail: dict[str, object] = {"connection": session.connection, "key": key, "last": push.last}
        self._stage.ledger.mark("synthetic-snapshot", self._role(session), detail)
        return [push]

    def deliver(self, session: RelayedSession, replies: list[Reply]) -> None:
        """To the session's client, where it is still there."""
        link = self._link(session)
        if link is not None:
            link.answer(replies, "upstream")

    # What the lines say: implements `line.Owner`

    def arrived(self, line: Line, key: str, data: Data, payload: bytes, is_text: bool) -> None:
        """Pass a push on to both sides."""
        connection = line.connection
        persona = self._persona[connection]
        channel, symbol = persona.variant(key)
        spelt = persona.spell(symbol)
        oddity = self._oddities.setdefault((connection, key), Oddities()).of(data, payload)
        frame = Frame(connection, "ws", channel, spelt, payload, is_text, data.first, data.last, data.events, oddity)
        if oddity:
            self._mark(oddity, connection, channel=channel, symbol=spelt, first=data.first, last=data.last)
        book = self._books.get((connection, key))
        if book is not None:
            book.apply(payload)
            if book.held is not None:
                self._hold(book, (connection, key), frame)
                return
        self._pass_on(frame, key)

    def damaged(self, line: Line, payload: bytes, is_text: bool) -> None:
        """To whoever reads that line, as the exchange did."""
        key = next((key for key, confirmed in line.keys.items() if confirmed), None)
        if key is not None:
            self._mark("corrupt", line.connection)
            self._pass_on(Frame(line.connection, "ws", "", "", payload, is_text, fault="corrupt"), key)

    def lost(self, line: Line, code: int, reason: str) -> None:
        """Both sides lose their connections, too."""
        stage = self._stage
        stage.tee.flush()
        code = code if code in SENDABLE else ABNORMAL
        for key in line.keys:
            self._books.pop((line.connection, key), None)
            self._oddities.pop((line.connection, key), None)
        for outlet in stage.sides(line.connection):
            if line not in self._away:
                self._note(outlet.role, line.connection, "upstream-lost", code, reason)
            for link in [link for link in outlet.links if link.keys & line.keys.keys()]:
                self._spawn(link.close(code, "upstream", "upstream"))
        self._away.add(line)

    def back(self, line: Line) -> None:
        """The outage is over."""
        self._away.discard(line)
        for outlet in self._stage.sides(line.connection):
            self._note(outlet.role, line.connection, "upstream-back", None, "")

    # Inside

    def _note(self, role: str, connection: str, event: str, code: int | None, reason: str) -> None:
        self._stage.ledger.connection(role, connection, 0, event, code=code, cause="upstream", detail=reason)

    def _mark(self, kind: str, connection: str, **more: object) -> None:
        for outlet in self._stage.sides(connection):
            detail = {"kind": kind, "connection": connection, "role": outlet.role, "by": "upstream", **more}
            self._stage.ledger.mark("fault", outlet.role, detail)

    def _pass_on(self, frame: Frame, key: str) -> None:
        """To both sides; while a fault keeps the connection quiet frames wait, so that none is lost."""
        stage = self._stage
        if not self.is_flowing:
            return
        self.frames += 1
        waiting = self._resting.get(frame.connection)
        if waiting is not None:
            waiting.append((frame, key))
        elif frame.connection in stage.resting:
            self._resting[frame.connection] = [(frame, key)]
            self._spawn(self._after_rest(frame.connection))
        else:
            stage.tee.send([(frame, key)], stage.sides(frame.connection))

    async def _after_rest(self, connection: str) -> None:
        stage = self._stage
        while connection in stage.resting:  # noqa: ASYNC110 - whoever rests knows nothing of who waits
            await asyncio.sleep(REST_POLL_S)
        for frame, key in self._resting.pop(connection, []):
            stage.tee.send([(frame, key)], stage.sides(connection))

    def _hold(self, book: WholeBook, place: tuple[str, str], frame: Frame) -> None:
        assert book.held is not None
        if not book.held:
            asyncio.get_running_loop().call_later(HOLD_S, self._release, place, book)
        book.held.append(frame)
        self._release_when_asked(place)

    def _release_when_asked(self, place: tuple[str, str]) -> None:
        book = self._books.get(place)
        if book is not None and book.held and all(side.has(place[1]) for side in self._stage.sides(place[0])):
            self._release(place, book)

    def _release(self, place: tuple[str, str], book: WholeBook) -> None:
        held, book.held = book.held, None
        for frame in held or ():
            self._pass_on(frame, place[1])

    def _tell(self, session: RelayedSession, key: str, refusal: Answer | None) -> None:
        connection = session.connection
        if refusal is None:
            self._refused.pop((connection, key), None)
            session.answered(key, None, self._pool.dialects[connection].refusal)
            return
        until = time.monotonic() + IDLE_S
        known = self._refused.get((connection, key))
        told = known[2] if known is not None and known[1] is refusal else set()
        self._refused[connection, key] = until, refusal, told | {self._role(session)}
        session.answered(key, refusal.payload, self._pool.dialects[connection].refusal)

    def _tick_key(self, connection: str, line: Line, key: str, now: float) -> None:
        outlets = [sides[connection] for sides in self._stage.outlets.values()]
        place = connection, key
        if any(outlet.has(key) for outlet in outlets):
            self._idle.pop(place, None)
        elif now - self._idle.setdefault(place, now) >= IDLE_S:
            del self._idle[place]
            self._books.pop(place, None)
            line.drop(key)

    def _link(self, session: RelayedSession) -> ClientLink | None:
        links = (link for sides in self._stage.outlets.values() for link in sides[session.connection].links)
        return next((link for link in links if link.holds(session)), None)

    def _role(self, session: RelayedSession) -> str:
        link = self._link(session)
        return "" if link is None else link.role

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
