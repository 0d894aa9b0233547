"""The bench runs: every contender takes every frame of every exchange and type to its callback."""

from __future__ import annotations

import sys

import pytest

from bench.contenders import Contenders, direct_handler, sync
from bench.lean import lean, metered
from bench.measure import Figures, rounds
from bench.peer_ccxt import CcxtPeer
from bench.peers import GATES, PEERS, measure_all, peers
from bench.slices import fastest_ns
from bench.wire import wire_server
from bench.wire_contenders import WireContenders
from exchanges.integrations.gateio.frames import decode_spot
from exchanges.integrations.gateio.spot_routes import read_trades
from shadow.reference.events import Book
from shadow.reference.gateio import decode
from shadow.subjects.probe.frames import TYPES, frames


@pytest.mark.checklist("5.1.13")
@pytest.mark.parametrize("exchange", ["gateio", "mexc"])
@pytest.mark.parametrize("event_type", TYPES)
async def test_every_contender_handles_every_frame(exchange: str, event_type: str) -> None:
    called: list[object] = []
    contenders = Contenders(exchange, event_type, called.append)
    try:
        figures = await rounds(contenders.all(), frames(exchange, event_type, 64), repetitions=2, warm_up=0)
    finally:
        await contenders.close()
    assert set(figures.ns) == {"lean", "lean-metered", "classic", "legacy", "new", "new-factory"}
    assert all(len(values) == 2 and min(values) > 0 for values in figures.ns.values())
    # The three that call back at once, each frame of both rounds; the others end only behind their last callback.
    assert len(called) == 3 * 2 * 64


def test_lean_and_the_new_stack_read_the_same_from_a_frame() -> None:
    """A limit that did less than the job would be no limit."""
    took: list[tuple[object, ...]] = []
    raw = frames("gateio", "trade", 1)[0]
    lean("gateio", "trade", took.append)(raw)
    metered(lean("gateio", "trade", took.append))(raw)
    assert took[0] == took[1]
    (event,) = read_trades(decode_spot(raw))
    result, trade_id, time_ms = took[0]
    assert (trade_id, time_ms, result.price, result.amount) == (  # type: ignore[attr-defined]  # lean gives what its decoder made
        event.trade_id,
        event.timestamp,
        event.price,
        event.quantity,
    )


@pytest.mark.checklist("5.1.13")
async def test_every_contender_handles_every_frame_of_a_socket() -> None:
    async with wire_server() as url:
        for exchange, event_type in (("gateio", "book"), ("mexc", "trade")):
            contenders = WireContenders(exchange, event_type, url, 300)
            try:
                figures = await rounds(
                    await contenders.all(), frames(exchange, event_type, 300), repetitions=2, warm_up=0
                )
            finally:
                await contenders.close()
            assert set(figures.ns) == {"lean", "lean-framed", "legacy", "new", "new-factory"}
            assert all(len(values) == 2 and min(values) > 0 for values in figures.cpu_ns.values())


@pytest.mark.parametrize(("exchange", "event_type"), [("gateio", "book"), ("mexc", "trade")])
async def test_a_peer_takes_every_frame(exchange: str, event_type: str) -> None:
    peer = CcxtPeer(exchange, event_type)
    raw_frames = frames(exchange, event_type, 40)
    await peer.run(raw_frames)
    if event_type == "book":
        versions = [event.last for raw in raw_frames for event in decode(raw) if isinstance(event, Book)]
        assert peer._client.orderbooks["BTC/USDT"]["nonce"] == versions[-1]
    else:
        assert len(peer._client.trades["BTC/USDT"]) >= len(raw_frames)
    await peer.close()


async def test_a_peer_that_takes_nothing_is_no_peer() -> None:
    peer = CcxtPeer("mexc", "ticker")
    with pytest.raises((RuntimeError, KeyError)):
        await peer.run(frames("mexc", "ticker", 4))
    await peer.close()


@pytest.fixture
def without_cryptofeed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cryptofeed", *(name for name in sys.modules if name.startswith("cryptofeed."))):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "bench.peer_cryptofeed", raising=False)


@pytest.mark.usefixtures("without_cryptofeed")
async def test_the_table_has_each_peer_that_is_there_and_says_how_to_get_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def took(runners: dict[str, object], *_: object) -> Figures:
        assert set(runners) == {"new", "ccxt"}
        return Figures({"new": [3000.0], "ccxt": [20_000.0]})

    monkeypatch.setattr("bench.peers.rounds", took)
    head, *lines = await measure_all(1)
    assert head.split() == ["exchange", "type", "peer", "peer", "us", "new", "us", "new/peer", "goal", "met"]
    assert lines.pop() == "cryptofeed: not installed; pip install -e '.[peers]' (takes a C compiler)"
    rows = [line.split() for line in lines]
    assert {tuple(row[:3]) for row in rows} == {(*known, "ccxt") for known in CcxtPeer.KNOWS}
    assert all(row[3:6] == ["20.0", "3.00", "0.150"] for row in rows)
    assert {(row[1], float(row[6]), row[7]) for row in rows} == {
        (event_type, goal, str(event_type == "book")) for event_type, goal in GATES["ccxt"].items()
    }


def test_a_peer_whose_own_module_is_broken_is_not_taken_for_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "ccxt", ("bench.no_such_module", "CcxtPeer", ""))
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        peers()


def test_of_each_slice_the_fastest_round_counts_and_every_contender_takes_every_frame() -> None:
    took: dict[str, list[bytes]] = {"a": [], "b": []}
    raw_frames = [bytes([number]) for number in range(150)]
    spent = fastest_ns({name: took[name].append for name in took}, raw_frames, 3, lambda: None)
    assert took == {"a": raw_frames * 3, "b": raw_frames * 3}
    assert set(spent) == {"a", "b"}
    assert min(spent.values()) > 0


@pytest.mark.parametrize(("exchange", "event_type"), [("gateio", "book"), ("mexc", "trade")])
async def test_slices_measure_frames_that_reach_their_callbacks(exchange: str, event_type: str) -> None:
    called: list[object] = []
    handler, raw_frames = direct_handler(exchange, called.append), frames(exchange, event_type, 70)
    fastest_ns({"new": handler._on_raw_message}, raw_frames, 2, lambda: sync(handler, raw_frames))
    assert len(called) == 2 * 70
    assert handler.error_count == 0


def test_ratios_are_taken_within_a_round() -> None:
    figures = Figures({"a": [10.0, 200.0, 30.0], "b": [5.0, 100.0, 10.0]}, {"a": [1.0, 1.0], "b": [2.0, 4.0]})
    assert figures.cpu_ratio("a", "b") == 0.375
    assert figures.ratio("a", "b") == 2.0
    assert figures.spread("a", "b") == (2.0, 3.0)
    assert figures.median_ns("a") == 30.0
