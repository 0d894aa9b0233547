"""Each exchange's wire: what its requests ask for, its acks, and pushes with known figures."""

from __future__ import annotations

from typing import Any, ClassVar

import orjson

from exchanges.integrations.mexc.proto.push_pb2 import PushDataV3ApiWrapper
from exchanges.structs import Symbol

NOW_MS = 1790359171119


class GateioWire:
    """Gate.io spot: requests in, acks and pushes out."""

    name = "GATEIO_SPOT"
    channels: ClassVar[dict[str, str]] = {
        "spot.order_book_update": "book",
        "spot.trades": "trade",
        "spot.book_ticker": "book_ticker",
        "spot.tickers": "ticker",
    }
    ticker_sides = (9.0, 11.0)
    book_options: ClassVar[set[str]] = {"100ms"}
    ping = "spot.ping"

    def listed(self, symbol: Symbol) -> Symbol:
        """The symbol as this market knows it."""
        return symbol

    def spell(self, symbol: Symbol) -> str:
        return f"{symbol.base}_{symbol.quote}"

    def asked(self, request: dict[str, Any], subscribe: bool) -> set[tuple[str, str]]:
        """The (type, symbol) pairs that a request subscribes or unsubscribes."""
        if request.get("event") != ("subscribe" if subscribe else "unsubscribe"):
            return set()
        kind = self.channels[request["channel"]]
        return {(kind, item) for item in request["payload"] if item not in self.book_options}

    def ack(self, request: dict[str, Any], refuse: bool = False) -> list[str]:
        if request.get("channel") == self.ping:
            pong = self.ping.replace("ping", "pong")
            return ['{"time":1,"time_ms":1000,"channel":"' + pong + '","event":"","result":null}']
        if request.get("event") not in ("subscribe", "unsubscribe"):
            return []
        answer = {key: request[key] for key in ("time", "id", "channel", "event", "payload") if key in request}
        answer |= {"time_ms": NOW_MS, "result": {"status": "fail" if refuse else "success"}}
        if refuse:
            answer["error"] = {"code": 2, "message": "unknown currency pair"}
        return [orjson.dumps(answer).decode()]

    def push(self, kind: str, symbol: Symbol, number: int) -> str:
        channel = next(channel for channel, name in self.channels.items() if name == kind)
        result = self.result(kind, self.spell(symbol), number)
        push = {"time": NOW_MS // 1000, "time_ms": NOW_MS, "channel": channel, "event": "update", "result": result}
        return orjson.dumps(push).decode()

    def result(self, kind: str, pair: str, number: int) -> Any:
        """The result of a push."""
        results: dict[str, Any] = {
            "book": {
                "t": NOW_MS,
                "e": "depthUpdate",
                "E": NOW_MS // 1000,
                "s": pair,
                "U": number,
                "u": number,
                "b": [["9.5", "1.25"], ["9", "0"]],
                "a": [["11", "2"]],
            },
            "trade": {
                "id": number,
                "create_time": NOW_MS // 1000,
                "create_time_ms": f"{NOW_MS}.653000",
                "side": "sell",
                "currency_pair": pair,
                "amount": "0.5",
                "price": "10",
                "range": "1-1",
            },
            "book_ticker": {"t": NOW_MS, "u": number, "s": pair, "b": "9", "B": "1", "a": "11", "A": "2"},
            "ticker": {
                "currency_pair": pair,
                "last": "10",
                "lowest_ask": "11",
                "highest_bid": "9",
                "change_percentage": "1.5",
                "base_volume": "100",
                "quote_volume": "1000",
                "high_24h": "12",
                "low_24h": "8",
            },
        }
        return results[kind]


class GateioFuturesWire(GateioWire):
    """Gate.io futures: levels as objects, signed sizes as numbers or text, several items a push."""

    name = "GATEIO_FUTURES"
    channels: ClassVar[dict[str, str]] = {
        "futures.order_book_update": "book",
        "futures.trades": "trade",
        "futures.book_ticker": "book_ticker",
        "futures.tickers": "ticker",
    }
    ticker_sides = (None, None)
    book_options: ClassVar[set[str]] = {"100ms", "100"}
    ping = "futures.ping"

    def listed(self, symbol: Symbol) -> Symbol:
        return Symbol(symbol.base, symbol.quote, True)

    def result(self, kind: str, pair: str, number: int) -> Any:
        results: dict[str, Any] = {
            "book": {
                "t": NOW_MS,
                "s": pair,
                "U": number,
                "u": number,
                "b": [{"p": "9.5", "s": "1.25"}, {"p": "9", "s": 0}],
                "a": [{"p": "11", "s": 2}],
                "l": "100",
            },
            "trade": [
                {
                    "contract": pair,
                    "size": "-0.5",
                    "id": number,
                    "create_time": NOW_MS // 1000,
                    "create_time_ms": NOW_MS,
                    "price": "10",
                }
            ],
            "book_ticker": {"t": NOW_MS, "u": number, "s": pair, "b": "9", "B": 1, "a": "11", "A": "2"},
            "ticker": [
                {
                    "contract": pair,
                    "last": "10",
                    "volume_24h": "100000",
                    "volume_24h_base": "100",
                    "volume_24h_quote": "1000",
                    "high_24h": "12",
                    "low_24h": "8",
                }
            ],
        }
        return results[kind]


class MexcWire:
    """MEXC spot: requests in, text acks and binary pushes out."""

    name = "MEXC_SPOT"
    channels: ClassVar[dict[str, str]] = {
        "spot@public.aggre.depth.v3.api.pb": "book",
        "spot@public.aggre.deals.v3.api.pb": "trade",
        "spot@public.aggre.bookTicker.v3.api.pb": "book_ticker",
        "spot@public.miniTicker.v3.api.pb": "ticker",
    }
    options: ClassVar[dict[str, str]] = {
        "book": "100ms@{}",
        "trade": "100ms@{}",
        "book_ticker": "100ms@{}",
        "ticker": "{}@UTC+8",
    }
    ticker_sides = (None, None)

    def listed(self, symbol: Symbol) -> Symbol:
        """The symbol as this market knows it."""
        return symbol

    def spell(self, symbol: Symbol) -> str:
        return f"{symbol.base}{symbol.quote}"

    def asked(self, request: dict[str, Any], subscribe: bool) -> set[tuple[str, str]]:
        """The (type, symbol) pairs that a request subscribes or unsubscribes."""
        if request.get("method") != ("SUBSCRIPTION" if subscribe else "UNSUBSCRIPTION"):
            return set()
        pairs = set()
        for channel in request["params"]:
            stem, rest = channel[: channel.index(".pb") + 3], channel[channel.index(".pb") + 4 :]
            kind = self.channels[stem]
            (symbol,) = set(rest.split("@")) - {"100ms", "UTC+8"}
            assert rest == self.options[kind].format(symbol)
            pairs.add((kind, symbol))
        return pairs

    def ack(self, request: dict[str, Any], refuse: bool = False) -> list[str]:
        text = "PONG" if request["method"].upper() == "PING" else ",".join(request.get("params", []))
        if refuse:
            text = f"Not Subscribed successfully! [{text}].  Reason： Blocked! "
        return [orjson.dumps({"id": request.get("id", 0), "code": 0, "msg": text}).decode()]

    def push(self, kind: str, symbol: Symbol, number: int) -> bytes:
        name = self.spell(symbol)
        stem = next(stem for stem, known in self.channels.items() if known == kind)
        channel = f"{stem}@{self.options[kind].format(name)}"
        body: dict[str, Any] = {
            "book": {
                "publicAggreDepths": {
                    "bids": [{"price": "9.5", "quantity": "1.25"}, {"price": "9", "quantity": "0"}],
                    "asks": [{"price": "11", "quantity": "2"}],
                    "fromVersion": str(number),
                    "toVersion": str(number),
                }
            },
            "trade": {
                "publicAggreDeals": {
                    "deals": [
                        {"price": "10", "quantity": "0.5", "tradeType": 2, "time": NOW_MS, "tradeId": str(number)}
                    ]
                }
            },
            "book_ticker": {
                "publicAggreBookTicker": {
                    "bidPrice": "9",
                    "bidQuantity": "1",
                    "askPrice": "11",
                    "askQuantity": "2",
                    "version": str(number),
                }
            },
            "ticker": {
                "publicMiniTicker": {
                    "symbol": name,
                    "price": "10",
                    "rate": "0.015",
                    "high": "12",
                    "low": "8",
                    "volume": "1000",
                    "quantity": "100",
                }
            },
        }[kind]
        data: bytes = PushDataV3ApiWrapper(channel=channel, symbol=name, sendTime=NOW_MS, **body).SerializeToString()
        return data


Wire = GateioWire | MexcWire
WIRES: dict[str, type[GateioWire] | type[MexcWire]] = {
    "gateio": GateioWire,
    "gateio-futures": GateioFuturesWire,
    "mexc": MexcWire,
}
