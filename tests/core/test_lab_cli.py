"""`ptt-lab press | release | levels | watch` at a real pin server, and the command line's refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hw.board import Board
from hw.factory import open_factory
from hw.pin_server import PinServer
from hw.virtual import VirtualFactory
from hw.virtual_client import VirtualPins
from lab import cli


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    board = Board()
    with ExitStack() as stack:
        factory = open_factory("virtual", board)
        stack.callback(factory.close)
        assert isinstance(factory, VirtualFactory)
        server = PinServer.open(tmp_path / "pins.sock", board, factory)
        stack.callback(server.close)
        yield tmp_path / "pins.sock"


def level(socket: Path, signal: str = "ptt") -> float:
    with VirtualPins(socket) as pins:
        return pins.levels()[signal]


def test_a_press_keeps_the_button_down_until_it_is_released(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["press", str(socket)]) == 0
    assert level(socket) == 1
    assert cli.main(["release", str(socket)]) == 0
    assert level(socket) == 0
    assert "ptt down" in capsys.readouterr().out


def test_a_held_press_lets_go_by_itself(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["press", str(socket), "--hold", "0.1", "--signal", "emergency"]) == 0

    assert level(socket, "emergency") == 0
    assert "emergency up after 0.1" in capsys.readouterr().out


def test_levels_and_changes_are_shown(socket: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["levels", str(socket)]) == 0
    assert "motor" in capsys.readouterr().out
    assert cli.main(["watch", str(socket), "--seconds", "0.1"]) == 0


def test_without_a_vehicle_it_is_said_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["press", str(tmp_path / "nobody.sock")]) == 1
    assert "start the gateway" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["press"],
        ["press", "x", "--hold", "soon"],
        ["press", "x", "--hold", "-1"],
        ["press", "x", "--signal", "horn"],
    ],
)
def test_wrong_use_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)

    assert end.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_recording_that_will_not_do_ends_the_demo_before_anything_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = threading.active_count()

    status = cli.main(["demo", "--out", str(tmp_path / "out"), "--say", str(tmp_path / "missing.wav")])

    assert status == 2
    assert "is not there" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert threading.active_count() == before
