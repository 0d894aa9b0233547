"""A venue's persona whose answers come from the exchange: it acks after the exchange did and refuses as it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from shadow.venue.relay.rest import RestRelay
from shadow.venue.wire import Level, PersonaBase, PersonaSession, Push, Reply, RestAnswer

__all__ = ["AnySymbol", "Exchange", "LiveMarket", "RelayedPersona", "RelayedSession"]


class Exchange(Protocol):
    """Who asks the exchange; the live source."""

    def ask(self, session: RelayedSession, keys: tuple[str, ...]) -> None:
        """Ask for the keys; `session.answered` is called with each answer, at once where it is known."""

    def unasked(self, session: RelayedSession, keys: tuple[str, ...]) -> None:
        """A client unsubscribed."""

    def opening(self, session: RelayedSession, key: str) -> list[Push]:
        """What a late client is owed behind its ack."""

    def deliver(self, session: RelayedSession, replies: list[Reply]) -> None:
        """Send replies to the session's client now."""


class AnySymbol(tuple[str, ...]):
    """The session's symbols; whether there are others is for the exchange to say."""

    __slots__ = ()

    def __contains__(self, symbol: object) -> bool:
        return isinstance(symbol, str)


class LiveMarket:
    """A `wire.MarketView` without a market: books and figures are the exchange's to tell."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols: Sequence[str] = AnySymbol(symbols)

    def book(self, symbol: str) -> tuple[int, Sequence[Level], Sequence[Level]]:
        """None."""
        return 0, [], []

    def figures(self, symbol: str) -> Mapping[str, str]:
        """None."""
        return {}


class RelayedPersona:
    """The persona `inner` reads what clients say; the exchange answers."""

    def __init__(self, inner: PersonaBase, exchange: Exchange, rest: RestRelay) -> None:
        self.id = inner.id
        self.exchange = inner.exchange
        self.market = inner.market
        self.ws_path = inner.ws_path
        self.spell = inner.spell
        self.variant = inner.variant
        self.default_variant = inner.default_variant
        self.is_private = inner.id.endswith(".private")
        self._inner = inner
        self._exchange = exchange
        self._rest = rest

    def open(self, target: str, headers: Mapping[str, str], now_s: float) -> RelayedSession:
        """A session for a handshake; raises Refused as the persona does."""
        return RelayedSession(self.id, self._inner.open(target, headers, now_s), self._exchange)

    def rest(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_s: float
    ) -> RestAnswer | None:
        """Of an account, as the persona; nothing of our own of a market."""
        return self._inner.rest(method, path, query, headers, body, now_s) if self.is_private else None

    async def relay(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> RestAnswer | None:
        """The exchange's answer to a public call of this market; None for any other call."""
        return await self._rest.ask(self.market, method, path, query, headers)


class RelayedSession:
    """One client's dialogue. What only concerns this connection (pings, nonsense, orders) is answered on the spot."""

    def __init__(self, connection: str, inner: PersonaSession, exchange: Exchange) -> None:
        self.connection = connection
        self._inner = inner
        self._exchange = exchange
        self._pending: list[_Pending] = []

    @property
    def subscriptions(self) -> set[str]:
        """What the client has asked for and was not refused."""
        return self._inner.subscriptions

    @subscriptions.setter
    def subscriptions(self, keys: set[str]) -> None:
        self._inner.subscriptions = keys

    @property
    def last_push_s(self) -> float | None:
        """As the inner session's."""
        return self._inner.last_push_s

    @last_push_s.setter
    def last_push_s(self, at_s: float | None) -> None:
        self._inner.last_push_s = at_s

    def on_message(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Answer one frame; the ack of a subscription is held until the exchange has given its own."""
        now: list[Reply] = []
        for reply in self._inner.on_message(data, now_s):
            if reply.kind != "ack" or not reply.variants:
                now.append(reply)
            elif reply.unsubscribe:
                now.append(reply)
                self._exchange.unasked(self, reply.variants)
            else:
                asked = data.encode() if isinstance(data, str) else data
                self._pending.append(_Pending(reply, asked, set(reply.variants)))
                self._exchange.ask(self, reply.variants)
        return now

    def answered(self, key: str, refusal: bytes | None, readdress: Readdress) -> None:
        """The exchange's word on a key; a refusal goes on as the answer to the client's own request."""
        for pending in [one for one in self._pending if key in one.open]:
            pending.open.discard(key)
            if refusal is not None:
                self._pending.remove(pending)
                payload = readdress(refusal, pending.asked)
                self._exchange.deliver(self, [Reply("refused", payload, variants=pending.reply.variants)])
            elif not pending.open:
                self._pending.remove(pending)
                self._exchange.deliver(self, [pending.reply])

    def refuse(self, data: str | bytes, now_s: float) -> list[Reply]:
        """Refuse a subscription (fault refuse-subscribe); the exchange is not asked."""
        return self._inner.refuse(data, now_s)

    def deny(self, data: str | bytes, now_s: float) -> list[Reply] | None:
        """What a client hears whose proof is not accepted (fault refuse-auth); None when the frame proves nothing."""
        deny: Callable[[str | bytes, float], list[Reply] | None] | None = getattr(self._inner, "deny", None)
        return None if deny is None else deny(data, now_s)

    def expire(self) -> None:
        """What lets this connection in is over (fault expire-key)."""
        expire: Callable[[], None] | None = getattr(self._inner, "expire", None)
        if expire is not None:
            expire()

    def opening(self, variant: str) -> list[Push]:
        """The whole book that a late client has missed."""
        return self._exchange.opening(self, variant)

    def due(self, now_s: float) -> list[Reply]:
        """As the inner session."""
        return self._inner.due(now_s)

    def ended(self) -> None:
        """The connection is gone."""
        self._pending.clear()
        self._inner.ended()


class Readdress(Protocol):
    """A refusal as the answer to another request."""

    def __call__(self, payload: bytes, asked: bytes) -> bytes:
        """The refusal for the client that sent `asked`."""


class _Pending:
    def __init__(self, reply: Reply, asked: bytes, keys: set[str]) -> None:
        self.reply = reply
        self.asked = asked
        self.open = keys
