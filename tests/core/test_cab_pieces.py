"""The virtual cab without a browser or vehicles: fingers, pages, whose requests are served, what a status says."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import cli
from lab.cab.app import listen
from lab.cab.fingers import Fingers
from lab.cab.guard import OwnPagesOnly, Receive, Scope, Send
from lab.cab.pages import PAGES_MAX, WAITING_MAX, Pages
from lab.cab.run import has_screen
from lab.cab.script import FIRST, SENTENCES, cars
from lab.cab.texts import LINES
from lab.cab.unit import read_status
from lab.cab.words import LINE_BYTES_MAX, Beat, Choose, Press, Release, decode, sound_frame
from lab.texts import Texts

PTT, REPLAY = ("car-1", "ptt"), ("car-1", "replay")


def test_a_button_is_pressed_by_the_first_finger_and_released_by_the_last() -> None:
    fingers = Fingers()

    assert [fingers.down(1, PTT), fingers.down(2, PTT), fingers.down(2, PTT)] == [True, False, False]
    assert [fingers.up(1, PTT), fingers.up(1, PTT), fingers.up(2, PTT)] == [False, False, True]
    assert not fingers.up(3, PTT)


def test_a_page_that_goes_takes_its_own_fingers_along_and_no_others() -> None:
    fingers = Fingers()
    fingers.down(1, PTT)
    fingers.down(1, REPLAY)
    fingers.down(2, REPLAY)

    assert fingers.gone(1) == [PTT]
    assert (fingers.holds(1), fingers.holds(2)) == (False, True)
    assert fingers.gone(2) == [REPLAY]
    assert fingers.gone(2) == []


def test_a_page_that_does_not_read_is_cut_off_and_the_others_are_not() -> None:
    pages = Pages()
    slow, quick = pages.add(0.0), pages.add(0.0)
    assert slow is not None
    assert quick is not None

    for _ in range(WAITING_MAX + 1):
        pages.sound(b"x")
        quick.queue.get_nowait()

    assert slow.queue.qsize() == 1
    assert slow.queue.get_nowait() is None
    assert quick.queue.empty()


def test_there_are_only_so_many_pages_at_a_time() -> None:
    pages = Pages()
    opened = [pages.add(0.0) for _ in range(PAGES_MAX)]

    assert pages.add(0.0) is None
    assert opened[0] is not None
    pages.remove(opened[0])
    pages.remove(opened[0])
    assert pages.add(0.0) is not None


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """An application that is never reached."""


@pytest.mark.parametrize(
    ("kind", "host", "origin", "served"),
    [
        ("http", "127.0.0.1:8477", "", True),
        ("http", "localhost:8477", "", True),
        ("http", "127.0.0.1:8477", "http://evil.example", False),
        ("http", "127.0.0.1", "", False),
        ("http", "evil.example:8477", "", False),
        ("http", "127.0.0.1:8477.evil.example", "", False),
        ("http", "", "", False),
        ("websocket", "127.0.0.1:8477", "http://127.0.0.1:8477", True),
        ("websocket", "localhost:8477", "http://localhost:8477", True),
        ("websocket", "localhost:8477", "http://127.0.0.1:8477", False),
        ("websocket", "127.0.0.1:8477", "", False),
        ("websocket", "127.0.0.1:8477", "null", False),
        ("websocket", "127.0.0.1:8477", "127.0.0.1:8477", False),
        ("websocket", "127.0.0.1:8477", "https://127.0.0.1:8477", False),
        ("websocket", "evil.example:8477", "http://evil.example:8477", False),
    ],
)
def test_only_our_own_pages_are_served(kind: str, host: str, origin: str, served: bool) -> None:
    assert OwnPagesOnly(_nothing, 8477).allows(kind, host, origin) is served


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ('{"type": "press", "car": "car-1", "signal": "ptt"}', Press("car-1", "ptt")),
        ('{"type": "release", "car": "car-1", "signal": "ptt"}', Release("car-1", "ptt")),
        ('{"type": "choose", "car": "car-1", "sentence": "fuel"}', Choose("car-1", "fuel")),
        ('{"type": "beat"}', Beat()),
    ],
)
def test_what_a_page_says_is_read(line: str, read: object) -> None:
    assert decode(line) == read


@pytest.mark.parametrize(
    "line",
    ["", "[]", "null", '"press"', '{"type": "press"}', '{"type": "beat", "x": 1}', "\ud800", "[" * LINE_BYTES_MAX * 2],
)
def test_what_a_page_may_not_say_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        decode(line)


def test_a_frame_of_sound_tells_its_vehicle() -> None:
    assert sound_frame(2, b"\1\0\2\0") == b"\2\0\1\0\2\0"


def test_a_status_is_read_for_the_page() -> None:
    status = {
        "link": {"up": True},
        "device": {"floor": "pending", "lifecycle": "driving", "focus": "phone"},
        "transmitting": True,
        "session": {"active": True, "current_speaker": "car-2", "speaker_name": "2호차"},
        "presses": [{"press_no": 4, "answer": "denied", "last": "denied"}],
    }

    seen, own = read_status("car-1", status), read_status("car-2", status)

    assert (seen.alive, seen.link, seen.floor, seen.speaker, seen.speaks) == (True, True, "pending", "2호차", False)
    assert (seen.press_no, seen.answer, seen.sends, seen.asleep, seen.focus) == (4, "denied", True, False, "phone")
    assert own.speaks


def test_a_session_that_is_over_has_no_speaker() -> None:
    status = {
        "link": {"up": False},
        "device": {"floor": "idle", "lifecycle": "parked", "focus": "radio"},
        "transmitting": False,
        "session": {"active": False, "current_speaker": "car-2", "speaker_name": "2호차"},
        "presses": [],
    }

    seen = read_status("car-1", status)

    assert (seen.speaker, seen.press_no, seen.answer, seen.link) == ("", 0, "", False)
    assert (seen.sends, seen.asleep) == (False, True)


def test_every_driver_has_something_to_say_at_first() -> None:
    keys = [sentence.key for sentence in SENTENCES]

    assert len(set(keys)) == len(keys)
    assert all(FIRST[user] in keys for user in cars(3))
    assert list(cars(1)) == ["car-1"]


def test_a_port_that_is_taken_is_told_before_anything_is_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        status = cli.main(["cab", "--out", str(tmp_path / "out"), "--port", str(port), "--no-browser"])

    assert status == 2
    assert f"port {port}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--cars", "4"], ["--cars", "0"], ["--port", "http"], ["--port", "65536"]])
def test_wrong_use_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["cab", *arguments])

    assert end.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_browser_is_opened_only_where_it_has_a_screen() -> None:
    assert has_screen({"DISPLAY": ":0"})
    assert has_screen({"WAYLAND_DISPLAY": "wayland-0"})
    assert not has_screen({"TERM": "xterm"})


def test_what_is_printed_is_there_in_both_languages() -> None:
    said = [[Texts(lang, LINES).line(what, cars=1, url="u", hours=6) for what in LINES] for lang in ("ko", "en")]

    assert all(said[0])
    assert all(said[1])
    assert said[0] != said[1]
