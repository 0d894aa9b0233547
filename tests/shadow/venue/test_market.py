"""The synthetic market keeps the promises that the diff and the personas rest on."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from shadow.venue.market import Market, market_for
from shadow.venue.wire import Level, MarketEvent

SYMBOLS = ("BTC_USDT", "ETH_USDT", "NEW_USDT")
NOW_MS = 1_790_281_243_450
TYPES = ("book", "book_ticker", "trade", "ticker")
plans = st.lists(st.sampled_from(TYPES), min_size=1, max_size=120)
seeds = st.integers(0, 10_000)


class Client:
    """A book kept as a client keeps it: a snapshot, then differences."""

    def __init__(self, market: Market, symbol: str) -> None:
        self.version, bids, asks = market.book(symbol)
        self.bids = {Decimal(price): Decimal(quantity) for price, quantity in bids}
        self.asks = {Decimal(price): Decimal(quantity) for price, quantity in asks}

    def apply(self, event: MarketEvent) -> None:
        assert event.first == self.version + 1
        assert event.last is not None
        assert event.last >= event.first
        self.version = event.last
        for side, levels in ((self.bids, event.bids), (self.asks, event.asks)):
            for price, quantity in levels:
                assert side.get(Decimal(price), 0) != Decimal(quantity), "an update that changes nothing"
                if quantity == "0":
                    del side[Decimal(price)]
                else:
                    side[Decimal(price)] = Decimal(quantity)


def numbers(levels: list[Level]) -> dict[Decimal, Decimal]:
    return {Decimal(price): Decimal(quantity) for price, quantity in levels}


def run(market: Market, plan: list[str], symbol: str = "BTC_USDT") -> list[MarketEvent]:
    return [market.step(type_, symbol, NOW_MS + place) for place, type_ in enumerate(plan)]


@settings(max_examples=60, deadline=None)
@given(plan=plans, seed=seeds)
def test_updates_are_contiguous_and_lead_to_the_pushed_book(plan: list[str], seed: int) -> None:
    market = Market(SYMBOLS, seed, NOW_MS)
    client = Client(market, "BTC_USDT")
    for place, type_ in enumerate([*plan, "book"]):
        event = market.step(type_, "BTC_USDT", NOW_MS + place)
        if type_ == "book":
            client.apply(event)
            version, bids, asks = market.book("BTC_USDT")
            assert (version, numbers(list(bids)), numbers(list(asks))) == (client.version, client.bids, client.asks)
            assert max(client.bids) < min(client.asks)
            assert 60 <= len(client.bids) <= 100
            assert 60 <= len(client.asks) <= 100


@settings(max_examples=40, deadline=None)
@given(plan=plans, seed=seeds)
def test_a_book_ticker_is_the_top_and_has_a_version_of_its_own(plan: list[str], seed: int) -> None:
    market = Market(SYMBOLS, seed, NOW_MS)
    seen = set()
    for place, type_ in enumerate(plan):
        event = market.step(type_, "ETH_USDT", NOW_MS + place)
        if type_ == "book_ticker":
            assert (event.last, event.bid, event.ask) == market.live_top("ETH_USDT")
            assert event.last not in seen
            seen.add(event.last)
            update = market.step("book", "ETH_USDT", NOW_MS + place)
            assert event.last is not None
            assert update.first is not None
            assert update.last is not None
            assert update.first <= event.last < update.last


@settings(max_examples=40, deadline=None)
@given(plan=plans, seed=seeds)
def test_a_book_ticker_at_once_before_an_update_with_no_change_of_the_top_is_the_clients_top(
    plan: list[str], seed: int
) -> None:
    market = Market(SYMBOLS, seed, NOW_MS)
    run(market, [*plan, "book"])
    client = Client(market, "BTC_USDT")
    event = market.step("book_ticker", "BTC_USDT", NOW_MS)
    update = market.step("book", "BTC_USDT", NOW_MS)
    client.apply(update)
    assert event.bid is not None
    assert event.ask is not None
    # Whatever the update did not touch stands as the book ticker said it.
    for side, level, named in ((client.bids, event.bid, update.bids), (client.asks, event.ask, update.asks)):
        price, quantity = Decimal(level[0]), Decimal(level[1])
        changed = {Decimal(named_price): Decimal(named_quantity) for named_price, named_quantity in named}
        assert side.get(price, Decimal(0)) == changed.get(price, quantity)


@settings(max_examples=40, deadline=None)
@given(plan=plans, seed=seeds)
def test_trades_happen_at_the_touch_and_eat_what_they_trade(plan: list[str], seed: int) -> None:
    market = Market(SYMBOLS, seed, NOW_MS)
    ids = []
    for place, type_ in enumerate(plan):
        _, bid, ask = market.live_top("BTC_USDT")
        event = market.step(type_, "BTC_USDT", NOW_MS + place)
        if type_ != "trade":
            continue
        (trade,) = event.trades
        ids.append(trade.id)
        place_of = 2 if trade.side == "buy" else 1
        hit, after = (None, bid, ask)[place_of], market.live_top("BTC_USDT")[place_of]
        assert hit is not None
        assert isinstance(after, tuple)
        assert trade.price == hit[0]
        left = Decimal(hit[1]) - Decimal(trade.quantity)
        assert left >= 0
        assert after[0] != hit[0] if left == 0 else after == (hit[0], f"{left.normalize():f}")
    assert ids == sorted(set(ids))


@settings(max_examples=40, deadline=None)
@given(plan=plans, seed=seeds)
def test_figures_follow_the_trades_and_never_repeat(plan: list[str], seed: int) -> None:
    market = Market(SYMBOLS, seed, NOW_MS)
    begin = Decimal(market.figures("BTC_USDT")["base_volume"])
    traded, last, keys, tickers = Decimal(0), market.figures("BTC_USDT")["last"], set(), 0
    for place, type_ in enumerate(plan):
        event = market.step(type_, "BTC_USDT", NOW_MS + place)
        for trade in event.trades:
            traded, last = traded + Decimal(trade.quantity), trade.price
        if event.figures is not None:
            tickers += 1
            keys.add((event.figures["last"], event.figures["base_volume"]))
            assert event.figures["last"] == last
            assert Decimal(event.figures["low"]) <= Decimal(last) <= Decimal(event.figures["high"])
            assert Decimal(event.figures["base_volume"]) == begin + traded - tickers * Decimal("1e-10")
    assert len(keys) == tickers


def test_long_runs_of_one_type_leave_a_sound_book() -> None:
    for type_ in TYPES:
        market = Market(SYMBOLS, 3, NOW_MS)
        client = Client(market, "BTC_USDT")
        for event in run(market, [type_] * 600):
            if type_ == "book":
                client.apply(event)
        client.apply(market.step("book", "BTC_USDT", NOW_MS))
        assert max(client.bids) < min(client.asks)
        assert min(len(client.bids), len(client.asks)) >= 55


def test_updates_touch_a_handful_of_levels_and_remove_some() -> None:
    market = Market(SYMBOLS, 5, NOW_MS)
    sizes, removals = [], 0
    for event in run(market, ["book"] * 400):
        sizes.append(len(event.bids) + len(event.asks))
        removals += sum(quantity == "0" for _, quantity in (*event.bids, *event.asks))
    assert 4 <= sum(sizes) / len(sizes) <= 8
    assert max(sizes) <= 10
    assert removals > 200


def test_the_same_seed_gives_the_same_market_and_exchanges_differ() -> None:
    plan = list(TYPES) * 25
    one, two = (run(market_for("gateio", "spot", SYMBOLS, 7, NOW_MS), plan) for _ in range(2))
    assert one == two
    other = run(market_for("mexc", "spot", SYMBOLS, 7, NOW_MS), plan)
    assert [event.bids for event in one] != [event.bids for event in other]


def test_a_mexc_market_trades_one_to_three_at_a_time_and_pads_its_levels() -> None:
    market = market_for("mexc", "spot", SYMBOLS, 7, NOW_MS)
    events = run(market, ["trade"] * 200)
    assert {len(event.trades) for event in events} == {1, 2, 3}
    trades = [trade for event in events for trade in event.trades]
    assert [trade.id for trade in trades] == sorted({trade.id for trade in trades})
    _, bids, _ = market.book("BTC_USDT")
    assert all(len(price.partition(".")[2]) == 2 for price, _ in bids)


def test_a_gateio_market_trades_once_a_frame() -> None:
    events = run(market_for("gateio", "spot", SYMBOLS, 7, NOW_MS), ["trade"] * 50)
    assert {len(event.trades) for event in events} == {1}
