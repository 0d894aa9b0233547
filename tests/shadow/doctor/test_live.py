"""The doctor's look at the exchanges: each check broken on purpose, and a real look at a second venue."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import time
from typing import Any

import msgspec
import pytest

from shadow.doctor.checks import Finding, Level
from shadow.doctor.live_checks import LIVE_CHECKS, examine_live
from shadow.doctor.live_facts import Endpoint, LiveFacts, gather_live
from shadow.network.budget import CAPS
from shadow.upstream import Upstream, read_upstream

SOUND = Endpoint("rest gateio", "api.example", True, status=200, offset_s=0.02, doubt_s=0.05)
NEED = {"gateio.spot.public": 8, "mexc.spot.public": 8, "mexc.spot.private": 3}


def findings(need: dict[str, int] = NEED, **changed: Any) -> dict[str, Finding]:
    facts = LiveFacts((msgspec.structs.replace(SOUND, **changed),))
    return {one.check: one for one in examine_live(facts, need)}


def test_sound_exchanges_pass_every_check() -> None:
    found = findings()
    assert list(found) == list(LIVE_CHECKS)
    assert {one.level for one in found.values()} == {Level.OK}
    assert not any(one.way_out for one in found.values())


@pytest.mark.parametrize(
    ("changed", "check", "level", "says"),
    [
        ({"dns_error": "Name or service not known", "status": 0}, "dns", Level.CANNOT, "api.example: Name"),
        ({"tls_error": "certificate has expired", "status": 0}, "tls", Level.CANNOT, "expired"),
        ({"is_secure": False}, "tls", Level.NOTE, "none towards api.example"),
        ({"connect_error": "Connection refused", "status": 0}, "reach", Level.CANNOT, "refused"),
        ({"status": 451}, "region", Level.CANNOT, "HTTP 451 to rest gateio"),
        ({"status": 403}, "region", Level.CANNOT, "HTTP 403"),
        ({"status": 503}, "region", Level.POOR, "HTTP 503"),
        ({"offset_s": -7.0}, "exchange clock", Level.CANNOT, "gateio -7.000 s"),
        ({"offset_s": 1.4}, "exchange clock", Level.POOR, "+1.400"),
        ({"offset_s": 1.04, "doubt_s": 0.05}, "exchange clock", Level.OK, "+1.040"),
        ({"offset_s": None}, "exchange clock", Level.NOTE, "no exchange told"),
    ],
)
def test_what_is_wrong_is_said_with_the_way_out(changed: dict[str, Any], check: str, level: Level, says: str) -> None:
    found = findings(**changed)[check]
    assert found.level is level
    assert says in found.says
    assert bool(found.way_out) == (level is not Level.OK)


@pytest.mark.parametrize(
    ("need", "says"),
    [
        ({"mexc.spot.public": 31}, "mexc.spot.public: 31 subscriptions of 30"),
        ({f"gateio.spot.public{n}": 1 for n in range(101)}, "gateio: 303 connections of 300"),
        ({f"mexc.spot{n}.private": 1 for n in range(21)}, "mexc: 63 listen keys of 60"),
    ],
)
def test_a_session_beyond_the_caps_is_told_before_it_starts(need: dict[str, int], says: str) -> None:
    found = findings(need)["limits"]
    assert (found.level, found.says) == (Level.CANNOT, says)
    assert "--symbols" in found.way_out
    assert CAPS["mexc"].subscriptions == 30


def test_where_nothing_answers_nothing_is_said_to_be_well() -> None:
    found = findings(dns_error="Name or service not known", status=0, offset_s=None)
    levels = [found[check].level for check in ("dns", "tls", "reach", "region", "exchange clock")]
    assert levels == [Level.CANNOT, *[Level.NOTE] * 4]


class Clock(BaseHTTPRequestHandler):
    """Tells a time that is 90 s ahead, on one path only."""

    def do_GET(self) -> None:
        is_clock = self.path == "/api/v4/spot/time"
        self.send_response(200 if is_clock else 451)
        self.end_headers()
        self.wfile.write(json.dumps({"server_time": int((time() + 90) * 1000)}).encode())

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Clock)
    thread = Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_what_a_server_says_is_found_out(server: ThreadingHTTPServer) -> None:
    address = f"127.0.0.1:{server.server_port}"
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = closed.getsockname()[1]
    upstream = Upstream(
        ws={"gateio.spot": f"ws://{address}/ws/v4/", "mexc.spot": f"ws://127.0.0.1:{gone}/ws"},
        rest={"gateio": f"http://{address}/api/v4", "mexc": "http://no-such-host.invalid"},
    )
    spot, mexc_socket, gateio, mexc = gather_live(upstream).endpoints
    assert spot.status == 451
    assert "refused" in mexc_socket.connect_error
    assert gateio.status == 200
    assert gateio.offset_s == pytest.approx(90, abs=2)
    assert mexc.dns_error
    levels = {one.check: one.level for one in examine_live(LiveFacts((spot, mexc_socket, gateio, mexc)), NEED)}
    assert [check for check, level in levels.items() if level is Level.CANNOT] == [
        "dns", "reach", "region", "exchange clock",
    ]  # fmt: skip


async def test_a_second_venue_behind_tls_is_trusted_by_its_own_authority_only(upstream: Any) -> None:
    begun = await upstream(connections=["gateio.spot.public", "mexc.spot.public"], rate=10)
    known = read_upstream()
    sound = await asyncio.to_thread(gather_live, known)
    assert [one.status for one in sound.endpoints] == [101, 101, 200, 200]
    found = {one.check: one.level for one in examine_live(sound, NEED)}
    assert found == dict.fromkeys(LIVE_CHECKS, Level.OK)
    without = msgspec.structs.replace(known, ca=None)
    told = await asyncio.to_thread(gather_live, without)
    assert all("certificate" in one.tls_error for one in told.endpoints)
    assert begun.ws.connections >= 2
