"""Which channels a connection is asked for."""

from __future__ import annotations

import pytest

from shadow.config import CHANNELS, SessionConfig, channels_of
from shadow.errors import UsageError

PUBLIC = ("book", "trade", "book_ticker", "ticker")


@pytest.mark.parametrize(
    ("connection", "channels"),
    [
        ("gateio.spot.public", PUBLIC),
        ("gateio.futures.public", PUBLIC),
        ("gateio.spot.private", ("order", "fill", "balance")),
        ("mexc.spot.private", ("order", "fill", "balance")),
        ("gateio.futures.private", ("order", "fill", "balance", "position")),
    ],
)
def test_a_connection_is_asked_for_its_scope_alone(connection: str, channels: tuple[str, ...]) -> None:
    assert channels_of(connection, CHANNELS) == channels
    assert channels_of(connection, ("trade", "fill")) == (("trade",) if "public" in connection else ("fill",))


def test_channels_that_leave_a_connection_with_nothing_are_a_mistake() -> None:
    config = SessionConfig(connections=("gateio.futures.public",), channels=("position",))
    with pytest.raises(UsageError, match=r"nothing to ask of gateio\.futures\.public; it has book, trade"):
        config.validate()
