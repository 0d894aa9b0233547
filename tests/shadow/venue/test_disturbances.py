"""Every fault of the public connections, as a client meets it and as the ledger tells it."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from itertools import pairwise
from typing import Any

import pytest

GATEIO, MEXC = "gateio.spot.public", "mexc.spot.public"
CHANNELS = ["book", "trade", "book_ticker", "ticker"]
SYMBOLS = ["BTC_USDT", "ETH_USDT"]


class Scene:
    """A venue with faults, a client of each role, and one paced phase."""

    def __init__(self, venue: Any, clients: list[Any]) -> None:
        self.venue = venue
        self.legacy, self.new = clients

    async def play(self, seconds: float = 0.5, rate: float = 300) -> dict[str, list[dict[str, Any]]]:
        """Pace, drain, wait until both got what they were sent (or are closed), stop; the ledger."""
        await self.venue.ask("pace", phase="paired", seconds=seconds, rate=rate)
        await self.venue.ask("drain")
        for client in (self.legacy, self.new):
            if client.socket.close_code is None:
                await (await client.socket.ping())
        ledger = dict(await self.venue.end())
        await asyncio.gather(self.legacy.reader, self.new.reader)
        return ledger


@pytest.fixture
def scene(start: Any, join: Any) -> Any:
    async def begin(*faults: str, connection: str = GATEIO, **options: Any) -> Scene:
        venue = await start(connections=[connection], faults=list(faults), **options)
        assert venue.ready["k"] == "ready", venue.ready
        await venue.ask("leg", leg="main", pair=["legacy", "new"])
        clients = [await join(venue, role, connection) for role in ("legacy", "new")]
        for client in clients:
            await client.subscribe(SYMBOLS, CHANNELS)
        return Scene(venue, clients)

    return begin


def fault_marks(ledger: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [json.loads(row["detail"]) for row in ledger.get("marks", []) if row["name"] == "fault"]


def closes(ledger: dict[str, list[dict[str, Any]]], role: str) -> list[tuple[int, str]]:
    rows = [row for row in ledger["connections"] if row["event"] == "close" and row["subject"] == role]
    return [(row["code"], row["cause"]) for row in rows]


def sent(ledger: dict[str, list[dict[str, Any]]], role: str) -> list[bytes]:
    frames = {row["frame_no"]: row for row in ledger["frames"] if row["kind"] == "ws"}
    rows = [row for row in ledger["sends"] if row["subject"] == role and row["frame_no"] in frames]
    return [frames[row["frame_no"]]["payload"] for row in rows]


async def test_drop_keeps_frames_from_one_side(scene: Any) -> None:
    stage = await scene("drop@gateio.spot.public/new:at=0s,count=3,type=trade")
    ledger = await stage.play()
    lost = [one for one in stage.legacy.data if one not in stage.new.data]
    assert len(lost) == 3
    assert {json.loads(one)["channel"] for one in lost} == {"spot.trades"}
    assert sent(ledger, "new") == stage.new.data
    assert [(m["kind"], m["role"], m["channel"]) for m in fault_marks(ledger)] == [("drop", "new", "trade")] * 3


async def test_duplicate_sends_twice(scene: Any) -> None:
    stage = await scene("duplicate@gateio.spot.public:at=0s,count=2")
    ledger = await stage.play()
    for client in (stage.legacy, stage.new):
        assert len(client.data) == len(set(client.data)) + 2
    assert sent(ledger, "new") == stage.new.data
    assert len(fault_marks(ledger)) == 4


async def test_swap_exchanges_neighbours_of_one_stream(scene: Any) -> None:
    stage = await scene("swap@gateio.spot.public/new:at=0s,type=book,symbol=BTC_USDT")
    await stage.play()

    def versions(client: Any) -> list[int]:
        books = [json.loads(one)["result"] for one in client.data if b"order_book_update" in one]
        return [book["u"] for book in books if book["s"] == "BTC_USDT"]

    straight, swapped = versions(stage.legacy), versions(stage.new)
    assert sorted(swapped) == straight
    assert [place for place, pair in enumerate(zip(straight, swapped, strict=True)) if pair[0] != pair[1]] == [0, 1]


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
async def test_swaps_of_several_streams_at_once_lose_nothing(scene: Any, connection: str) -> None:
    stage = await scene(f"swap@{connection}/new:at=0s,count=6", connection=connection)
    ledger = await stage.play()
    assert len([mark for mark in fault_marks(ledger) if mark["kind"] == "swap"]) == 6
    assert stage.new.data != stage.legacy.data
    assert sorted(stage.new.data) == sorted(stage.legacy.data)


@pytest.mark.parametrize("connection", [GATEIO, MEXC])
async def test_corrupt_is_a_frame_of_its_own(scene: Any, connection: str) -> None:
    stage = await scene(f"corrupt@{connection}/legacy:at=0s,count=2,type=trade", connection=connection)
    await stage.play()
    ledger = await stage.venue.end()
    altered = [row for row in ledger["frames"] if row["fault"] == "corrupt"]
    assert len(altered) == 2
    damaged = [one for one in stage.legacy.data if one not in stage.new.data]
    assert len(damaged) == 2
    if connection == GATEIO:
        with pytest.raises(json.JSONDecodeError):
            json.loads(damaged[0])
    assert [row["payload"] for row in altered] == damaged
    assert len(stage.new.data) == len(sent(ledger, "new"))


async def test_delay_and_stall_keep_the_order(scene: Any) -> None:
    stage = await scene(
        "delay@gateio.spot.public/new:at=0s,by=60ms", "stall@gateio.spot.public/legacy:at=100ms,for=200ms"
    )
    ledger = await stage.play()
    assert stage.legacy.data == stage.new.data == sent(ledger, "new")
    times: dict[int, dict[str, int]] = {}
    for row in ledger["sends"]:
        times.setdefault(row["frame_no"], {})[row["subject"]] = row["t_sent"]
    late = [(one["new"] - one["legacy"]) / 1e6 for one in times.values() if len(one) == 2]
    assert max(late) >= 59
    legacy = sorted(one["legacy"] for one in times.values() if "legacy" in one)
    assert max(b - a for a, b in pairwise(legacy)) > 100e6


@pytest.mark.parametrize(
    ("fault", "code", "cause"),
    [
        ("close@gateio.spot.public/new:at=50ms,code=1001", 1001, "fault:close"),
        ("close@gateio.spot.public/new:at=50ms", 1006, "fault:close"),
        ("day-close@gateio.spot.public/new:at=50ms", 1001, "planned"),
        ("reset@gateio.spot.public/new:at=50ms", 1006, "fault:reset"),
        ("burst-close@gateio.spot.public/new:at=50ms,frames=40", 1001, "fault:burst-close"),
        ("halfopen@gateio.spot.public/new:at=50ms,for=150ms", 1006, "fault:halfopen"),
    ],
)
async def test_ends_of_connections(scene: Any, fault: str, code: int, cause: str) -> None:
    stage = await scene(fault)
    ledger = await stage.play()
    assert await stage.new.closed() == code
    assert closes(ledger, "new")[0] == (code, cause)
    assert closes(ledger, "legacy") == [(1006, "stop")]
    assert stage.new.data == sent(ledger, "new")
    assert stage.new.data == stage.legacy.data[: len(stage.new.data)]
    assert len(stage.legacy.data) > len(stage.new.data)
    (mark,) = fault_marks(ledger)
    assert mark["role"] == "new"


async def test_an_ordinary_close_comes_behind_quiet(scene: Any) -> None:
    stage = await scene("close@gateio.spot.public/new:at=100ms,code=1001")
    ledger = await stage.play(rate=600)
    (close,) = [row for row in ledger["connections"] if row["cause"] == "fault:close"]
    before = [row["t_sent"] for row in ledger["sends"] if row["t_sent"] < close["t"]]
    assert close["t"] - max(before) >= 50_000_000


async def test_burst_close_puts_frames_and_close_into_one_write(scene: Any) -> None:
    stage = await scene("burst-close@gateio.spot.public/new:at=50ms,frames=40")
    ledger = await stage.play()
    frames = {row["frame_no"]: row for row in ledger["frames"] if row["kind"] == "ws"}
    rows = [row for row in ledger["sends"] if row["subject"] == "new" and row["frame_no"] in frames]
    assert len({row["t_sent"] for row in rows[-40:]}) == 1
    assert {frames[row["frame_no"]]["channel"] for row in rows[-40:]} == {"trade"}


async def test_refused_subscription_is_told_in_the_exchanges_words(start: Any, join: Any) -> None:
    venue = await start(faults=["refuse-subscribe@gateio.spot.public/new:type=trade"])
    await venue.ask("leg", leg="main", pair=["legacy", "new"])
    clients = [await join(venue, role) for role in ("legacy", "new")]
    for client in clients:
        await client.subscribe(["BTC_USDT"], ["book", "trade"])
        await client.subscribe(["BTC_USDT"], ["trade"])
    errors = [[json.loads(one).get("error") for one in client.control] for client in clients]
    assert errors[0] == [None, None, None]
    assert [error is not None for error in errors[1]] == [False, True, False]
    ledger = await venue.end()
    refused = [row for row in ledger["connections"] if row["event"] == "refused"]
    assert [(r["subject"], r["channel"], r["symbol"], r["cause"]) for r in refused] == [
        ("new", "trade", "BTC_USDT", "fault:refuse-subscribe")
    ]


async def test_stale_rest_answers_an_older_book_once(scene: Any) -> None:
    stage = await scene("stale-rest@gateio.spot.public/new")
    await stage.venue.ask("pace", phase="paired", seconds=0.3, rate=300)

    async def version(role: str) -> int:
        base = stage.venue.ready["lanes"][role]["rest"]["gateio"]
        url = f"{base}/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true"
        return int(json.loads(await asyncio.to_thread(lambda: urllib.request.urlopen(url).read()))["id"])

    fresh = await version("legacy")
    assert await version("new") < fresh
    assert await version("new") == fresh
    ledger = await stage.venue.end()
    assert [row["fault"] for row in ledger["frames"] if row["kind"] == "rest"] == ["", "stale-rest", ""]


async def test_slow_reading_answers_late_but_answers(scene: Any) -> None:
    stage = await scene("slow@gateio.spot.public/new:at=0s,for=300ms,by=80ms")
    loop = asyncio.get_running_loop()
    pacing = asyncio.create_task(stage.venue.ask("pace", phase="paired", seconds=0.6, rate=100))
    await stage.new.until(lambda c: len(c.data) >= 2)
    times = []
    for _ in range(4):
        begin = loop.time()
        await (await stage.new.socket.ping())
        times.append(loop.time() - begin)
    await pacing
    assert max(times) > 0.03


async def test_burst_fault_reaches_the_other_side_one_by_one(scene: Any) -> None:
    stage = await scene("burst@gateio.spot.public/new:at=50ms,frames=64,type=book")
    ledger = await stage.play()
    assert stage.legacy.data == stage.new.data
    trains = [row for row in ledger["sends"] if row["burst"] >= 0]
    assert {row["subject"] for row in trains} == {"new"}
    assert len(trains) == 64
    assert len({row["t_sent"] for row in trains}) == 1


async def test_an_empty_body_keeps_the_wrapper(scene: Any) -> None:
    stage = await scene("empty-body@mexc.spot.public/new:at=0s,count=1,symbol=BTC_USDT", connection=MEXC)
    ledger = await stage.play()
    (altered,) = [row for row in ledger["frames"] if row["fault"] == "empty-body"]
    assert altered["payload"] in stage.new.data
    (whole,) = [one for one in stage.legacy.data if one not in stage.new.data]
    assert whole.startswith(altered["payload"][:40])
    assert b"aggre.depth" in altered["payload"]
    assert len(altered["payload"]) < len(whole)


async def test_calibration_legs_are_not_disturbed(scene: Any) -> None:
    stage = await scene("drop@gateio.spot.public:at=0s,for=5s")
    await stage.venue.ask("leg", leg="aa1", pair=["legacy", "new"])
    done = await stage.venue.ask("pace", phase="paired", seconds=0.2, rate=300)
    await stage.new.until(lambda c: len(c.data) >= done["frames"])
    assert done["frames"] > 20
