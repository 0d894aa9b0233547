from __future__ import annotations

from shadow.venue.credentials import make_credentials


def test_credentials_are_made_anew_for_each_run() -> None:
    one, other = make_credentials(), make_credentials()
    for exchange in ("gateio", "mexc"):
        for name in ("key", "secret"):
            assert len(one[exchange][name]) >= 16
            assert one[exchange][name] != other[exchange][name]
    assert one["gateio"]["uid"].isdecimal()
