from __future__ import annotations

from shadow.venue.credentials import make_credentials
from shadow.venue.options import VenueOptions
from shadow.venue.server import Venue


def test_credentials_are_made_anew_for_each_run() -> None:
    one, other = make_credentials(), make_credentials()
    for exchange in ("gateio", "mexc"):
        for name in ("key", "secret"):
            assert len(one[exchange][name]) >= 16
            assert one[exchange][name] != other[exchange][name]
    assert one["gateio"]["uid"].isdecimal()


async def test_a_venue_that_is_given_none_makes_its_own() -> None:
    def options(credentials: dict[str, dict[str, str]]) -> VenueOptions:
        return VenueOptions(["new"], ["gateio.spot.private"], ["BTC_USDT"], credentials=credentials)

    own, given = options({}), make_credentials()
    Venue(own, lambda line: None)
    assert own.credentials["gateio"]["secret"]
    assert Venue(options(given), lambda line: None).options.credentials == given
