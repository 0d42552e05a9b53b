"""The virtual pins' socket: presses take a real pin's way, outputs are watched, and nobody else gets in."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hw.board import Active, Board, Pins
from hw.errors import HardwareError
from hw.hardware import Hardware, HardwareSettings, open_hardware
from hw.pin_server import CLIENTS_MAX, LINE_BYTES_MAX
from hw.unix_socket import listen
from hw.virtual_client import OutputChange, VirtualPins

BOARD = Board(pins=Pins(replay="none"), active=Active(led_red="low"))
Edges = list[tuple[str, bool, float]]


def until(condition: Callable[[], bool], deadline_s: float = 5.0) -> bool:
    """Poll until a condition holds; False when it does not within the deadline."""
    end = time.monotonic() + deadline_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pins"


@pytest.fixture
def edges() -> Edges:
    return []


@pytest.fixture
def hardware(path: Path, edges: Edges) -> Iterator[Hardware]:
    settings = HardwareSettings(factory="virtual", board=BOARD, pins_socket=path)
    opened = open_hardware(settings, lambda signal, active, at_s: edges.append((signal, active, at_s)))
    yield opened
    opened.close()


@pytest.fixture
def pins(hardware: Hardware, path: Path) -> Iterator[VirtualPins]:
    with VirtualPins(path) as client:
        yield client


def ask(path: Path, line: bytes) -> dict[str, Any]:
    """Send one raw line and read one answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(line + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline())
        return answer


def test_a_press_is_an_edge_at_the_panel_with_the_time_it_was_driven(pins: VirtualPins, edges: Edges) -> None:
    before_s = time.monotonic()
    pressed_s, released_s = pins.press(), pins.release()

    assert [(signal, active) for signal, active, _ in edges] == [("ptt", True), ("ptt", False)]
    assert before_s <= pressed_s <= edges[0][2] <= released_s <= edges[1][2]


def test_pressing_what_is_pressed_is_no_new_edge(pins: VirtualPins, edges: Edges) -> None:
    pins.press()
    pins.press()

    assert len(edges) == 1


def test_a_raw_level_is_electrical(pins: VirtualPins, edges: Edges, hardware: Hardware) -> None:
    pins.set(22, 0)

    assert [(signal, active) for signal, active, _ in edges] == [("emergency", True)]
    assert hardware.panel.level("emergency")


def test_a_train_of_bounces_arrives_edge_by_edge_in_time(pins: VirtualPins, edges: Edges) -> None:
    driven = pins.bounce([(0, 1), (3, 0), (2, 1), (1, 0), (20, 1)])

    assert [active for _, active, _ in edges] == [True, False, True, False, True]
    assert all(
        later - sooner >= ms / 1000 for sooner, later, ms in zip(driven, driven[1:], (3, 2, 1, 20), strict=False)
    )


def test_what_is_asked_during_a_train_is_answered_after_it(path: Path, hardware: Hardware) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.settimeout(5)
        train = {"op": "bounce", "signal": "ptt", "train": [[0, 1], [30, 0]]}
        connection.sendall(json.dumps(train).encode() + b'\n{"op": "levels"}\n')
        answers = connection.makefile()
        first, second = json.loads(answers.readline()), json.loads(answers.readline())

    assert (len(first["at_s"]), second["levels"]["ptt"]) == (2, 0)


def test_levels_are_by_signal_whatever_the_polarity(pins: VirtualPins, hardware: Hardware) -> None:
    hardware.panel.leds.set(1, 0, 1)
    pins.press()

    levels = pins.levels()

    assert [levels[name] for name in ("ptt", "emergency", "led_red", "led_green", "led_blue")] == [1, 0, 1, 0, 1]
    assert "replay" not in levels


def test_a_watcher_gets_every_change_of_an_output_with_its_time(hardware: Hardware, pins: VirtualPins) -> None:
    seen: list[OutputChange] = []
    began = threading.Event()

    def watch() -> None:
        for change in pins.watch(5.0, began.set):
            seen.append(change)
            if change.signal == "mute":
                return

    watcher = threading.Thread(target=watch, name="watcher")
    watcher.start()
    began.wait(5)
    motor = hardware.panel.motor
    mute = hardware.panel.mute
    assert motor is not None
    assert mute is not None

    motor.set(255)
    motor.set(0)
    hardware.panel.leds.set(1, 0, 0)
    mute.set(True)
    watcher.join(5)

    assert [(change.signal, change.pin, change.level) for change in seen] == [
        ("motor", 12, 1.0),
        ("motor", 12, 0.0),
        ("led_red", 5, 1.0),
        ("mute", 23, 1.0),
    ]
    assert [change.at_s for change in seen] == sorted(change.at_s for change in seen)


def test_a_watcher_is_told_the_pitch_of_the_buzzer_and_each_change_of_it(hardware: Hardware, pins: VirtualPins) -> None:
    buzzer = hardware.panel.buzzer
    assert buzzer is not None

    watching = pins.watch(5.0, lambda: [buzzer.set(hz) for hz in (880, 1320, 1320, 0)])
    seen = [next(watching) for _ in range(3)]

    assert [(change.signal, change.level, change.hz) for change in seen] == [
        ("buzzer", 0.5, 880.0),
        ("buzzer", 0.5, 1320.0),
        ("buzzer", 0.0, 1320.0),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"press", "not JSON"),
        (b"[" * 60000, "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"op": "key"}', "no such op"),
        (b'{"op": "press"}', "no such signal"),
        (b'{"op": "press", "signal": "motor"}', "is an output"),
        (b'{"op": "press", "signal": "replay"}', "is not fitted"),
        (b'{"op": "press", "signal": ["ptt"]}', "no such signal"),
        (b'{"op": "set", "pin": 12, "level": 1}', "fitted input"),
        (b'{"op": "set", "pin": true, "level": 1}', "fitted input"),
        (b'{"op": "set", "pin": 17, "level": 2}', "0 or 1"),
        (b'{"op": "bounce", "signal": "ptt"}', "not a list of edges"),
        (b'{"op": "bounce", "signal": "ptt", "train": [[1, 1], [-1, 0]]}', "edge 1"),
        (b'{"op": "bounce", "signal": "ptt", "train": [[NaN, 1]]}', "edge 0"),
        (b'{"op": "bounce", "signal": "ptt", "train": [[1, 5]]}', "edge 0"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_bad_request_is_answered_with_what_and_how_and_moves_nothing(
    path: Path, hardware: Hardware, edges: Edges, line: bytes, said: str
) -> None:
    answer = ask(path, line)

    assert answer["ok"] is False
    assert said in answer["error"]
    assert answer["mend"]
    assert edges == []


def test_a_misspelt_signal_is_answered_with_the_nearest(pins: VirtualPins) -> None:
    with pytest.raises(HardwareError, match="did you mean 'emergency'"):
        pins.press("emergancy")


def test_a_line_without_end_is_cut_off(path: Path, hardware: Hardware, pins: VirtualPins) -> None:
    answer = ask(path, b"x" * (LINE_BYTES_MAX + 100_000))

    assert "too long" in answer["error"]
    assert pins.levels()["ptt"] == 0


def test_more_connections_than_allowed_are_refused_and_the_others_go_on(path: Path, pins: VirtualPins) -> None:
    others = [VirtualPins(path) for _ in range(CLIENTS_MAX - 1)]

    with pytest.raises(HardwareError):
        VirtualPins(path).levels()
    levels = pins.levels()
    for other in others:
        other.close()

    assert levels["ptt"] == 0


def test_a_watcher_that_never_reads_is_dropped_and_the_pins_go_on(
    path: Path, hardware: Hardware, pins: VirtualPins
) -> None:
    with socket.socket(socket.AF_UNIX) as lazy:
        lazy.connect(str(path))
        lazy.sendall(b'{"op": "watch"}\n')
        lazy.recv(100)
        server = hardware.pin_server
        assert server is not None

        for n in range(40_000):
            hardware.panel.leds.set(0, n % 2, 0)
            if n % 1000 == 0:
                pins.levels()
        dropped = until(lambda: server.clients == 1)

    assert dropped
    assert pins.press() > 0


def test_the_socket_is_its_owners_alone_and_gone_after_closing(path: Path, hardware: Hardware) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)

    hardware.close()

    assert (mode, path.exists()) == (0o600, False)


def test_clients_are_told_when_the_server_ends(hardware: Hardware, pins: VirtualPins) -> None:
    hardware.close()

    with pytest.raises(HardwareError, match="ended"):
        pins.levels()


def test_a_client_without_a_server_is_told_what_to_start(path: Path) -> None:
    with pytest.raises(HardwareError, match="start the gateway"):
        VirtualPins(path)


def test_a_socket_that_is_served_is_not_taken_over(path: Path, hardware: Hardware, pins: VirtualPins) -> None:
    with pytest.raises(HardwareError, match="served by another process"):
        open_hardware(HardwareSettings(factory="virtual", pins_socket=path), lambda signal, active, at_s: None)

    assert pins.press() > 0


def test_a_socket_left_by_a_killed_process_is_replaced(path: Path) -> None:
    code = f"import os, pathlib, hw.unix_socket as u; u.listen(pathlib.Path({str(path)!r})); os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], timeout=30, check=False)
    left = path.exists()

    replaced = listen(path)
    replaced.close()

    assert (killed.returncode, left) == (-9, True)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda base: base / "absent" / "pins", "no directory"),
        (lambda base: base / ("x" * 110), "107 bytes"),
        (lambda base: _writable_by_all(base) / "pins", "other users could replace"),
        (lambda base: _a_file(base), "in the way"),
        (lambda base: _a_file(base) / "pins", "no directory|not stand in a directory"),
    ],
)
def test_a_place_that_will_not_do_is_an_error_with_its_mend(
    tmp_path: Path, make: Callable[[Path], Path], said: str
) -> None:
    with pytest.raises(HardwareError, match=said) as caught:
        listen(make(tmp_path))

    assert caught.value.mend


def _writable_by_all(base: Path) -> Path:
    (base / "open").mkdir()
    (base / "open").chmod(0o777)
    return base / "open"


def test_a_directory_of_another_user_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:  # root's own directories are everybody's to trust
        os.chown(tmp_path, 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)

    with pytest.raises(HardwareError, match="other users could replace"):
        listen(tmp_path / "pins")


def _a_file(base: Path) -> Path:
    (base / "file").write_text("")
    return base / "file"


def test_an_input_held_from_the_start_is_held_and_gives_no_edge_until_it_moves(path: Path, edges: Edges) -> None:
    settings = HardwareSettings(factory="virtual", pins_socket=path, held=("ptt",))
    hardware = open_hardware(settings, lambda signal, active, at_s: edges.append((signal, active, at_s)))

    held, before = hardware.panel.level("ptt"), list(edges)
    with VirtualPins(path) as pins:
        pins.release()
    hardware.close()

    assert (held, before, [(signal, active) for signal, active, _ in edges]) == (True, [], [("ptt", False)])


@pytest.mark.parametrize("ending", ["sys.exit(3)", "raise RuntimeError", "sys.exit()"])
def test_a_process_that_ends_without_closing_leaves_its_outputs_off(ending: str) -> None:
    code = f"""
import atexit, sys
from hw.board import Board
from hw.panel import Panel
from hw.virtual import VirtualFactory
atexit.register(print, "after the panel", "", flush=True)
factory = VirtualFactory(Board())
panel = Panel.open(Board(), factory, lambda signal, active, at_s: None)
factory.on_output = lambda pin, level, at_s: print(pin, level, flush=True)
panel.motor.set(255)
panel.mute.set(True)
{ending}
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, timeout=30, check=False
    )

    told = ended.stdout.decode().split("after the panel")[0].splitlines()

    assert dict(line.split() for line in told) == {"12": "0.0", "23": "0.0"}
