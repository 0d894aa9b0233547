"""One subject connection and its twin at the exchange: every message passed on as it came, and written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter_ns
from typing import Final

from websockets.protocol import OPEN

from shadow.network.budget import BudgetSpent, ConnectionBudget
from shadow.network.ends import ExchangeEnd, SubjectEnd
from shadow.network.frame_reader import FrameReader, refusal_of
from shadow.network.topics import Answer, Ask, Topic, answer_of, ask_of, is_trading
from shadow.venue.ledger import Ledger
from shadow.venue.outgoing import Frame

__all__ = ["FromSubject", "RelayLink"]

ABNORMAL: Final = 1006
UNSENDABLE: Final = frozenset({1005, 1006, 1015})


class RelayLink:
    """The `conn_no`-th connection of a role's kind. Times are taken before a frame is read, so that reading costs
    nobody latency.

    `granted` are the topics that the exchange confirmed and that were not given up since.
    """

    def __init__(
        self,
        role: str,
        connection: str,
        conn_no: int,
        budget: ConnectionBudget,
        ledger: Ledger,
        changed: Callable[[], None],
    ) -> None:
        self.connection = connection
        self.granted: set[Topic] = set()
        self.ended = asyncio.Event()
        self.gone = asyncio.Event()
        self._role = role
        self._exchange_name = connection.partition(".")[0]
        self._conn_no = conn_no
        self._budget = budget
        self._ledger = ledger
        self._changed = changed
        self._subject: SubjectEnd | None = None
        self._exchange: ExchangeEnd | None = None
        self._early: list[tuple[bytes, bool]] = []
        self._pending: list[Ask] = []
        self._reader = FrameReader()
        self._outgoing: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self._pumping: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._is_held = False
        self._cause = "upstream"
        self.from_exchange = FromExchange(self)
        self.from_subject = FromSubject(self)

    def joined(self, exchange: ExchangeEnd) -> None:
        """The exchange took the connection."""
        self._exchange = exchange

    def opened(self, subject: SubjectEnd) -> None:
        """The subject's handshake is done: what the exchange said meanwhile goes first."""
        self._subject = subject
        self._ledger.connection(self._role, self.connection, self._conn_no, "open")
        early, self._early = self._early, []
        for payload, is_text in early:
            self.to_subject(payload, is_text)
        self._pumping = asyncio.create_task(self._pump())
        if self._exchange is not None and self._exchange.protocol.state is not OPEN:
            self.exchange_lost(self._exchange.close_code, self._exchange.close_reason or "")

    def hold(self) -> None:
        """Take nothing more from the exchange."""
        self._is_held = True
        if self._exchange is not None and not self._exchange.transport.is_closing():
            self._exchange.transport.pause_reading()

    def drop(self, code: int, cause: str) -> None:
        """End both connections: orderly with a code, 1006 without a word."""
        self._cause = cause
        if self._exchange is None or self.ended.is_set():
            return
        self._exchange.transport.abort()
        self.exchange_lost(code, "")

    # Towards the subject

    def to_subject(self, payload: bytes, is_text: bool) -> None:
        """One message of the exchange: passed on at once, then read and written down."""
        subject = self._subject
        if subject is None:
            self._early.append((payload, is_text))
            return
        if subject.protocol.state is not OPEN or subject.transport.is_closing():
            return
        frame = Frame(self.connection, "ws", "", "", payload, is_text)
        queued = subject.transport.get_write_buffer_size() > 0
        t_sent = perf_counter_ns()
        subject.transport.write(frame.wire)
        self._reader.read(frame)
        self._ledger.sent(frame, self._role, self._conn_no, t_sent, True, queued)
        if frame.kind == "control" and is_text:
            self._answered(payload)

    def slow(self, is_full: bool) -> None:
        """A subject that reads too slowly is the exchange's to notice."""
        if self._is_held or self._exchange is None or self._exchange.transport.is_closing():
            return
        (self._exchange.transport.pause_reading if is_full else self._exchange.transport.resume_reading)()

    # Towards the exchange

    def to_exchange(self, payload: bytes, is_text: bool) -> None:
        """One message of the subject: refused when it could trade, else sent in its turn."""
        self._ledger.request(self._role, self.connection, self._conn_no, "ws", payload)
        what = is_trading(self._exchange_name, payload)
        if what:
            self._refuse(payload, "order-refused", what)
        else:
            self._outgoing.put_nowait((payload, is_text))

    def control(self, kind: str, payload: bytes, to_exchange: bool) -> None:
        """A ping goes on to the other end; each end's pong is its library's."""
        if to_exchange:
            self._ledger.request(self._role, self.connection, self._conn_no, kind, payload)
        other = self._exchange if to_exchange else self._subject
        if kind == "ping" and other is not None and other.protocol.state is OPEN:
            other.protocol.send_ping(payload)
            other.transport.write(b"".join(other.protocol.data_to_send()))

    async def _pump(self) -> None:
        """Send the subject's messages one after the other, each when the budget has room for it."""
        while True:
            payload, is_text = await self._outgoing.get()
            ask = ask_of(self._exchange_name, payload)
            if not await self._has_room(payload, ask):
                continue
            if ask is not None:
                self._pending.append(ask)
            exchange = self._exchange
            if exchange is not None and exchange.protocol.state is OPEN:
                await exchange.send(payload, text=is_text)

    async def _has_room(self, payload: bytes, ask: Ask | None) -> bool:
        """Wait for the budget; False when only the end of something would make room, and the subject is told so."""
        told = False
        while True:
            try:
                if ask is not None and not ask.is_unsubscribe:
                    self._budget.subscribe(*ask.topics)
                self._budget.message()
                return True
            except BudgetSpent as spent:
                if not told:
                    self._note("budget", {"says": str(spent), "waits": spent.wait_s is not None})
                    told = True
                if spent.wait_s is None:
                    self._refuse(payload, "", "")
                    return False
                await asyncio.sleep(spent.wait_s)

    def _refuse(self, payload: bytes, mark: str, what: str) -> None:
        """Answer in the exchange's own form that this frame goes no further."""
        if mark:
            self._note(mark, {"what": what[:100]})
        answer = refusal_of(self._exchange_name, payload)
        self.to_subject(answer, True)

    # What the exchange granted

    def _answered(self, payload: bytes) -> None:
        answer = answer_of(self._exchange_name, payload)
        ask = None if answer is None else self._asked(answer)
        if answer is None or ask is None:
            return
        self._pending.remove(ask)
        for name, topic in ask.topics.items():
            is_granted = answer.is_granted and (answer.names is None or name in answer.names)
            if ask.is_unsubscribe:
                self._tell("unsubscribed", name, topic)
            else:
                self._tell("subscribed" if is_granted else "refused", name, topic)
        self._changed()

    def _asked(self, answer: Answer) -> Ask | None:
        """The oldest open ask that the answer fits."""
        same = [ask for ask in self._pending if (ask.id, ask.channel) == (answer.id, answer.channel)]
        if self._exchange_name == "mexc":
            return next(
                (ask for ask in same if answer.names and answer.names & ask.topics.keys()), same[0] if same else None
            )
        return next((ask for ask in same if ask.is_unsubscribe == answer.is_unsubscribe), None)

    def _tell(self, event: str, name: str, topic: Topic) -> None:
        channel, symbol = topic
        if event == "subscribed":
            self.granted.add(topic)
        else:
            self.granted.discard(topic)
            self._budget.unsubscribe(name)
        cause = "upstream" if event == "refused" else "client"
        self._ledger.connection(
            self._role, self.connection, self._conn_no, event, channel=channel, symbol=symbol, cause=cause, detail=name
        )

    # Ends

    def exchange_lost(self, code: int | None, reason: str) -> None:
        """The exchange's connection is gone, and so is the subject's, in the same way."""
        self._budget.close()
        subject = self._subject
        if subject is None or self.ended.is_set():
            return
        self._end(code, self._cause, reason)
        if code is None or code == ABNORMAL:
            subject.transport.abort()
        else:
            self._closing = asyncio.create_task(subject.close(1000 if code in UNSENDABLE else code, reason))

    def subject_lost(self, code: int | None, reason: str) -> None:
        """The subject's connection is gone: leave the exchange as the subject left us."""
        exchange = self._exchange
        if not self.ended.is_set():
            self._end(code, "client", reason)
        if exchange is None or exchange.transport.is_closing():
            self._budget.close()
        elif code is None or code == ABNORMAL:
            exchange.transport.abort()
        else:
            exchange.transport.resume_reading()  # or its answer to the close would never be read
            self._closing = asyncio.create_task(exchange.close(1000 if code in UNSENDABLE else code))

    async def finish(self) -> None:
        """Behind the end of both: what is still under way."""
        if self._pumping is not None:
            self._pumping.cancel()
            await asyncio.gather(self._pumping, return_exceptions=True)
        if self._closing is not None:
            await self._closing
        self.gone.set()

    def _end(self, code: int | None, cause: str, reason: str) -> None:
        self.ended.set()
        self.granted.clear()
        self._ledger.connection(
            self._role, self.connection, self._conn_no, "close", code=code, cause=cause, detail=reason
        )
        self._changed()

    def _note(self, mark: str, detail: dict[str, object]) -> None:
        self._ledger.mark(mark, self._role, {"connection": self.connection, **detail})


class FromExchange:
    """What comes in from the exchange."""

    def __init__(self, link: RelayLink) -> None:
        self._link = link

    def message(self, payload: bytes, is_text: bool) -> None:
        self._link.to_subject(payload, is_text)

    def control(self, kind: str, payload: bytes) -> None:
        self._link.control(kind, payload, to_exchange=False)

    def full(self, is_full: bool) -> None:
        """The exchange takes no more: the pump waits by itself."""

    def lost(self, code: int | None, reason: str) -> None:
        self._link.exchange_lost(code, reason)


class FromSubject:
    """What comes in from the subject of `link`."""

    def __init__(self, link: RelayLink) -> None:
        self.link = link

    def message(self, payload: bytes, is_text: bool) -> None:
        self.link.to_exchange(payload, is_text)

    def control(self, kind: str, payload: bytes) -> None:
        self.link.control(kind, payload, to_exchange=True)

    def full(self, is_full: bool) -> None:
        self.link.slow(is_full)

    def lost(self, code: int | None, reason: str) -> None:
        self.link.subject_lost(code, reason)
