"""What the sockets of Gate.io's markets offer: channels, options, refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from shadow.venue.personas import gateio_frames, gateio_futures_frames
from shadow.venue.personas.gateio_frames import Encoder, Variant
from shadow.venue.wire import MarketView, Push

__all__ = ["FUTURES", "SPOT", "Rules"]


class Rules(msgspec.Struct, frozen=True):
    """What a market's socket offers.

    `options` lists, by book channel, what may follow the symbol. `decimal_types` are the channels whose sizes the size
    header turns into text. With `is_obu_lenient` an obu stream of an unknown contract is acked and stays silent.
    """

    prefix: str
    event_types: Mapping[str, str]
    parse_key: Callable[[str], Variant]
    encoder: Callable[[str, MarketView], Encoder]
    full_book: Callable[[str, MarketView, float], Push]
    pair_lists: tuple[str, ...]
    private: tuple[str, ...]
    options: Mapping[str, tuple[tuple[str, ...], ...]]
    unknown: str
    decimal_types: tuple[str, ...] = ()
    is_obu_lenient: bool = False


SPOT: Final = Rules(
    prefix="spot",
    event_types=gateio_frames.EVENT_TYPES,
    parse_key=gateio_frames.parse_key,
    encoder=gateio_frames.encoder,
    full_book=gateio_frames.full_book,
    pair_lists=("spot.tickers", "spot.trades", "spot.book_ticker"),
    private=("spot.orders", "spot.orders_v2", "spot.usertrades", "spot.usertrades_v2", "spot.balances"),
    options={
        "spot.order_book_update": (("100ms", "20ms"),),
        "spot.order_book": (("5", "10", "20", "30", "50", "100"), ("100ms", "1000ms")),
    },
    unknown="unknown currency pair",
)
FUTURES: Final = Rules(
    prefix="futures",
    event_types=gateio_futures_frames.EVENT_TYPES,
    parse_key=gateio_futures_frames.parse_key,
    encoder=gateio_futures_frames.encoder,
    full_book=gateio_futures_frames.full_book,
    pair_lists=("futures.tickers", "futures.trades", "futures.book_ticker"),
    private=("futures.orders", "futures.usertrades", "futures.balances", "futures.positions"),
    options={
        "futures.order_book_update": (("100ms", "20ms"), ("100", "50", "20")),
        "futures.order_book": (("100", "50", "20", "10", "5", "1"), ("0",)),
    },
    unknown="unknown contract",
    decimal_types=("futures.trades", "futures.book_ticker", "futures.order_book_update", "futures.order_book"),
    is_obu_lenient=True,
)
