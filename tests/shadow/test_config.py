"""Which channels a connection is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shadow.commands.run import stretch_of
from shadow.config import SessionConfig
from shadow.connections import CHANNELS, channels_of
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


@pytest.mark.parametrize(
    ("asked", "duration_s", "is_whole", "stretch_s"),
    [("", 3600.0, False, None), ("", 93_600.0, False, 60.0), ("", 93_600.0, True, None), ("5s", 30.0, False, 5.0)],
)
def test_a_long_session_is_reduced_in_stretches(
    asked: str, duration_s: float, is_whole: bool, stretch_s: float | None
) -> None:
    assert stretch_of(asked, duration_s, is_whole=is_whole) == stretch_s


def test_a_day_in_stretches_keeps_one_frame_in_some_and_has_blocks_as_much_longer() -> None:
    plan = SessionConfig(duration_s=93_600.0, stretch_s=60.0).plan()
    assert plan.keep_one_in == 27
    assert plan.block_s == 27 * SessionConfig().plan().block_s
    assert SessionConfig(duration_s=1800.0, stretch_s=60.0).plan().keep_one_in == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"grade": "release"}, "--stretch goes with"),
        ({"unpaced": True}, "--stretch goes with"),
        ({"stop_early": True}, "--stop-early needs the whole raw data"),
    ],
)
def test_what_needs_the_whole_raw_data_does_not_go_with_stretches(words: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        SessionConfig(stretch_s=60.0, **words).validate()


@pytest.mark.parametrize(
    ("fault", "held"),
    [
        ("stall@gateio.spot.public:at=2,for=4s", "4"),
        ("stall@gateio.spot.public/new:at=2,for=3001ms", "3.001"),
        ("delay@gateio.spot.public:at=2,for=1s,by=7s", "7"),
    ],
)
def test_frames_that_a_fault_holds_back_for_long_are_none_of_a_session_in_stretches(fault: str, held: str) -> None:
    SessionConfig(faults=(fault,)).validate()
    with pytest.raises(UsageError, match=f"holds frames back for {held} s: 3 s at most"):
        SessionConfig(faults=(fault,), stretch_s=60.0).validate()


@pytest.mark.parametrize("fault", ["stall@gateio.spot.public:at=2,for=3s", "delay@gateio.spot.public:at=2,for=9s"])
def test_frames_that_are_held_back_for_a_moment_go_with_stretches(fault: str) -> None:
    SessionConfig(faults=(fault,), stretch_s=60.0).validate()
