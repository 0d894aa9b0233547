"""The fault grammar."""

from __future__ import annotations

import pytest

from shadow.errors import UsageError
from shadow.venue.faults import CONNECTIONS, FRAME_KINDS, KINDS, LINK_KINDS, check_faults, parse_fault


def test_the_interface_example_is_read() -> None:
    fault = parse_fault("close@gateio.spot.public/new:at=10s,code=1006")
    assert (fault.kind, fault.connection, fault.role) == ("close", "gateio.spot.public", "new")
    assert (fault.at_s, fault.code, fault.count) == (10.0, 1006, 1)


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("delay@mexc.spot.public:by=20ms", "by_s", 0.02),
        ("delay@mexc.spot.public:for=1m", "for_s", 60.0),
        ("stall@gateio.spot.public:at=1.5", "at_s", 1.5),
        ("drop@gateio.spot.public", "count", 1),
        ("drop@gateio.spot.public:for=2s", "count", None),
        ("drop@gateio.spot.public:count=7,type=trade", "type", "trade"),
        ("swap@gateio.spot.public/legacy", "role", "legacy"),
        ("refuse-subscribe@mexc.spot.public", "at_s", 0.0),
        ("burst-close@mexc.spot.public:frames=12", "frames", 12),
        ("day-close@gateio.spot.public", "code", 1001),
        ("empty-body@mexc.spot.public:symbol=BTC_USDT", "symbol", "BTC_USDT"),
        ("twin-fill@gateio.spot.private", "count", 1),
    ],
)
def test_keys_and_defaults(text: str, field: str, value: object) -> None:
    assert getattr(parse_fault(text), field) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected KIND@CONNECTION"),
        ("close", "expected KIND@CONNECTION"),
        ("explode@gateio.spot.public", "unknown kind 'explode'"),
        ("close@kraken.spot.public", "unknown connection"),
        ("close@gateio.spot.public/legacy2", "unknown side"),
        ("close@gateio.spot.public/", "unknown side"),
        ("close@gateio.spot.public:", "expected key=value"),
        ("close@gateio.spot.public:at", "expected key=value"),
        ("close@gateio.spot.public:at=soon", "at is a time"),
        ("close@gateio.spot.public:at=1s,at=2s", "given twice"),
        ("close@gateio.spot.public:code=99", "code is one of"),
        ("close@gateio.spot.public:by=1s", "not 'by'"),
        ("drop@gateio.spot.public:count=0", "whole number"),
        ("drop@gateio.spot.public:count=-1", "whole number"),
        ("stall@gateio.spot.public:for=0s", "more than zero"),
        ("drop@gateio.spot.public:type=candle", "type is one of"),
        ("drop@gateio.spot.public:symbol=BTC", "spelt like"),
        ("empty-body@gateio.spot.public", "mexc only"),
        ("empty-body@mexc.spot.private", "needs a public connection"),
        ("stale-rest@gateio.futures.private", "needs a public connection"),
        ("refuse-auth@gateio.spot.public", "needs a private connection"),
        ("late-auth@gateio.futures.public", "needs a private connection"),
        ("fill-first@gateio.spot.private/new", "leave the side out"),
        ("expire-key@mexc.spot.public", "needs a private connection"),
        ("expire-key@gateio.spot.private", "mexc only"),
        ("twin-fill@mexc.spot.public", "needs a private connection"),
        ("fill-first@mexc.spot.public", "needs a private connection"),
    ],
)
def test_wrong_usage_says_what_is_wrong_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_fault(text)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_public_kind_belongs_to_one_mechanism() -> None:
    public = {name for name, kind in KINDS.items() if not kind.private}
    assert public == FRAME_KINDS | LINK_KINDS | {"refuse-subscribe", "stale-rest"}
    assert not FRAME_KINDS & LINK_KINDS


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_accepted_where_it_fits_and_nowhere_else(kind: str, connection: str) -> None:
    if KINDS[kind].fits(connection):
        assert parse_fault(f"{kind}@{connection}").kind == kind
    else:
        with pytest.raises(UsageError):
            parse_fault(f"{kind}@{connection}")


def test_a_fault_must_fit_the_session() -> None:
    fault = parse_fault("close@gateio.spot.public/new")
    check_faults([fault], ["gateio.spot.public"], ["legacy", "new"])
    with pytest.raises(UsageError, match="not among"):
        check_faults([fault], ["mexc.spot.public"], ["legacy", "new"])
    with pytest.raises(UsageError, match="no side 'new'"):
        check_faults([fault], ["gateio.spot.public"], ["client"])
