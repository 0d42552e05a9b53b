"""`make cab` without a browser: what its server tells a page, how soon, and what it lets nobody else do."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hw.virtual_client import OutputChange, VirtualPins
from lab.cab.script import spoken
from lab.cab.words import SILENT_S
from lab.measure.search import score
from lab.measure.sound import RATE_HZ
from tests.integration.cab_rig import Running, hear, running, say, sounds, talk
from tests.support.procs import eventually


@pytest.fixture(scope="module")
def cab() -> Iterator[Running]:
    with running() as cab:
        yield cab


def test_a_page_that_falls_silent_holds_nothing_any_more(cab: Running) -> None:
    with talk(cab) as socket:
        hear(socket, "hello")
        say(socket, type="press", car="car-2", signal="replay")
        eventually(lambda: cab.level("car-2", "replay") == 1, 2, "it is down")

        hear(socket, "let-go", SILENT_S + 1.5)
        hear(socket, "pin", SILENT_S + 1.5, car="car-2", signal="replay", level=0.0)

        assert cab.level("car-2", "replay") == 0
        say(socket, type="press", car="car-2", signal="replay")  # a laptop that was opened again
        eventually(lambda: cab.level("car-2", "replay") == 1, 2, "it goes down again")
    eventually(lambda: cab.level("car-2", "replay") == 0, 2, "and up with the connection")


def test_a_button_stays_down_until_the_last_page_lets_go(cab: Running) -> None:
    with talk(cab) as one, talk(cab) as other:
        for socket in (one, other):
            say(socket, type="press", car="car-2", signal="replay")
        eventually(lambda: cab.level("car-2", "replay") == 1, 2, "it is down")
        say(one, type="release", car="car-2", signal="replay")
        say(one, type="choose", car="car-2", sentence="nothing")
        hear(one, "trouble")  # all that was said before is done

        assert cab.level("car-2", "replay") == 1
        say(other, type="release", car="car-2", signal="replay")
        eventually(lambda: cab.level("car-2", "replay") == 0, 2, "it is up")


def test_what_one_driver_says_is_what_the_page_hears_from_the_other_cars_speakers(cab: Running) -> None:
    said = spoken(["car-1"])["car-1"]["accident"]
    with talk(cab) as socket:
        hear(socket, "hello")
        say(socket, type="press", car="car-1", signal="ptt")
        own, *others = sounds(socket, len(said) / RATE_HZ + 0.9)
        say(socket, type="release", car="car-1", signal="ptt")
        hear(socket, "pin", car="car-1", signal="ptt", level=0.0)

    for other in others:
        planted = other.copy()
        planted[-len(said) :] += said / 2
        assert score(said, other) > 0.5 * score(said, planted)
    assert score(said, own) < 0.2 * score(said, others[0])  # nothing of it comes back from one's own


def lateness(cab: Running) -> list[float]:
    """How late (s) each change of the motor of one press arrives at a page."""
    driven: list[OutputChange] = []
    arrived: list[tuple[float, float]] = []
    began = threading.Event()

    def watch() -> None:
        with VirtualPins(cab.pins("car-1")) as pins:
            driven.extend(change for change in pins.watch(2.2, began.set) if change.signal == "motor")

    watcher = threading.Thread(target=watch, name="watcher")
    with talk(cab) as socket:
        hear(socket, "hello")
        say(socket, type="choose", car="car-1", sentence="silence")
        watcher.start()
        assert began.wait(5)
        say(socket, type="press", car="car-1", signal="ptt")
        end_s = time.monotonic() + 1.5
        with contextlib.suppress(TimeoutError):
            while True:
                change = hear(socket, "pin", end_s - time.monotonic(), car="car-1", signal="motor")
                arrived.append((change["level"], time.monotonic()))
        say(socket, type="release", car="car-1", signal="ptt")
        watcher.join(5)
        say(socket, type="choose", car="car-1", sentence="accident")

    assert [level for level, _ in arrived] == [change.level for change in driven][: len(arrived)]
    late_s = [at_s - change.at_s for (_, at_s), change in zip(arrived, driven, strict=False)]
    assert len(late_s) >= 6
    return late_s


def test_changes_of_pins_arrive_within_50_ms(cab: Running) -> None:
    """Of one press of three: a machine that has something else to do holds the measuring up as well."""
    presses: list[list[float]] = []

    def in_time() -> bool:
        presses.append(lateness(cab))
        return median(presses[-1]) < 0.015 and max(presses[-1]) < 0.05  # small pieces do not wait for one another

    assert any(in_time() for _ in range(3)), presses


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("press", "malformed"),
        ('{"type": "press", "car": "car-9", "signal": "ptt"}', "no vehicle 'car-9'"),
        ('{"type": "press", "car": "car-1", "signal": "motor"}', "no input 'motor'"),
        ('{"type": "press", "car": "car-1"}', "missing required field `signal`"),
        ('{"type": "fly"}', "Invalid value 'fly'"),
        ('{"type": "choose", "car": "car-1", "sentence": "../etc"}', "no sentence"),
        ('{"type": "press", "car": "car-1", "signal": "ptt", "why": "' + "x" * 2000 + '"}', "too long"),
    ],
)
def test_what_cannot_be_done_is_told_and_the_page_goes_on(cab: Running, line: str, said: str) -> None:
    with talk(cab) as socket:
        socket.send(line)
        assert said in hear(socket, "trouble")["text"]

        say(socket, type="press", car="car-1", signal="replay")
        hear(socket, "pin", car="car-1", signal="replay", level=1.0)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1", ""])
def test_a_page_from_elsewhere_is_not_let_in(cab: Running, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused, talk(cab, origin):
        pass

    assert refused.value.response.status_code == 403


def test_a_name_that_was_pointed_at_this_machine_is_not_served(cab: Running) -> None:
    place = urlsplit(cab.url)
    answers = []
    for host in ("evil.example", f"evil.example:{place.port}", "127.0.0.1:1", f"localhost:{place.port}"):
        connection = http.client.HTTPConnection("127.0.0.1", place.port or 0, timeout=5)
        connection.request("GET", "/", headers={"Host": host})
        answers.append(connection.getresponse().status)
        connection.close()

    assert answers == [403, 403, 403, 200]


def test_it_listens_on_loopback_alone(cab: Running) -> None:
    port = urlsplit(cab.url).port
    assert port is not None
    listening = [
        fields[1].split(":")[0]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port
    ]

    assert listening == ["0100007F"]


def test_more_pages_than_it_serves_are_turned_away(cab: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            hear(stack.enter_context(talk(cab)), "hello")
        late = stack.enter_context(talk(cab))
        with pytest.raises(ConnectionClosed) as closed:
            late.recv(timeout=5)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
