from __future__ import annotations

from shadow.venue.credentials import listen_key_stem, make_credentials, secrets_of
from shadow.venue.options import VenueOptions
from shadow.venue.server import Venue


def test_credentials_are_made_anew_for_each_run() -> None:
    one, other = make_credentials(), make_credentials()
    for exchange in ("gateio", "mexc"):
        for name in ("key", "secret"):
            assert len(one[exchange][name]) >= 16
            assert one[exchange][name] != other[exchange][name]
    assert one["gateio"]["uid"].isdecimal()


def test_secrets_are_known_beforehand_and_the_stem_of_listen_keys_is_one_account_s_own() -> None:
    credentials = make_credentials()
    stems = {listen_key_stem(one["secret"]) for one in credentials.values()}
    assert len(stems) == 2
    assert {len(stem) for stem in stems} == {32}
    named = {one[name] for one in credentials.values() for name in ("key", "secret")}
    assert set(secrets_of(credentials)) == named | stems


async def test_a_venue_that_is_given_none_makes_its_own() -> None:
    def options(credentials: dict[str, dict[str, str]]) -> VenueOptions:
        return VenueOptions(["new"], ["gateio.spot.private"], ["BTC_USDT"], credentials=credentials)

    own, given = options({}), make_credentials()
    Venue(own, lambda line: None)
    assert own.credentials["gateio"]["secret"]
    assert Venue(options(given), lambda line: None).options.credentials == given
