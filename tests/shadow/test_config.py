"""Which channels a connection is asked for."""

from __future__ import annotations

from pathlib import Path

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


def made_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first folder is made by another session between the look at it and its making."""
    made: list[Path] = []
    make = Path.mkdir

    def mkdir(path: Path, *args: int, **options: bool) -> None:
        if not made:
            made.append(path)
            make(path, parents=True)
        make(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)


def test_two_sessions_never_share_a_run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_by_another(monkeypatch)
    with pytest.raises(UsageError, match="made by another just now"):
        SessionConfig(out=tmp_path / "run").out_dir()


def test_two_sessions_of_one_second_have_two_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made_by_another(monkeypatch)
    assert SessionConfig().out_dir().is_dir()
    assert len(list(Path("runs").iterdir())) == 2
