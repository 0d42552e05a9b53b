"""The gateway's small shells: inbox, button, presses, status text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.buttons import Buttons
from gateway.core.words import CoreEvent, HeldAtStart, InputChanged, LinkUp, Pressed, Released
from gateway.inbox import Inbox, Item
from gateway.presses import KEPT_MAX, Presses
from gateway.status_text import render
from gateway.texts import EN, KO, pick
from hw.board import INPUTS, Board
from service.loop import Loop
from service.settings import parse

# --- inbox ------------------------------------------------------------------------------------------------------------


def test_what_comes_before_anybody_listens_waits_in_its_order() -> None:
    inbox, taken = Inbox(), []
    inbox(Pressed(at=1.0))
    inbox(Released(at=2.0))

    inbox.open(taken.append)

    assert taken == [Pressed(at=1.0), Released(at=2.0)]


def test_what_comes_while_one_is_handled_is_handled_after_it() -> None:
    inbox, order = Inbox(), []

    def take(item: Item) -> None:
        order.append(("begins", item))
        if item == LinkUp():
            inbox("tick")
        order.append(("ends", item))

    inbox.open(take)
    inbox(LinkUp())

    assert order == [("begins", LinkUp()), ("ends", LinkUp()), ("begins", "tick"), ("ends", "tick")]


def test_an_error_leaves_and_does_not_wedge_it() -> None:
    inbox, taken = Inbox(), []

    def take(item: Item) -> None:
        taken.append(item)
        if len(taken) == 1:
            raise RuntimeError("a bug")

    inbox.open(take)
    with pytest.raises(RuntimeError):
        inbox(LinkUp())
    inbox("tick")

    assert taken == [LinkUp(), "tick"]


class Contact:
    """A button on a loop that is turned by hand."""

    def __init__(self, board: Board | None = None, down: bool = False) -> None:
        self.active = dict.fromkeys(INPUTS, False) | {"ptt": down}
        self.fed: list[CoreEvent] = []
        self.loop = Loop()
        self.buttons = Buttons(self.loop, board or Board(), self.fed.append)
        self.buttons.begin(self.active.__getitem__)
        self.began = [event for event in self.fed if isinstance(event, InputChanged)]
        self.fed[:] = [event for event in self.fed if not isinstance(event, InputChanged)]

    def edge(self, down: bool, signal: str = "ptt", at_s: float | None = None) -> None:
        self.active[signal] = down
        self.buttons.on_edge(signal, down, time.monotonic() if at_s is None else at_s)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.loop.run(lambda now: None)

    def tick(self, later_s: float) -> None:
        self.buttons.tick(time.monotonic() + later_s)


@pytest.fixture
def contact() -> Iterator[Contact]:
    made = Contact()
    yield made
    made.loop.close()


# --- button -----------------------------------------------------------------------------------------------------------


def test_an_edge_is_a_press_at_once_with_the_edges_own_time(contact: Contact) -> None:
    contact.edge(True, at_s=time.monotonic() + 1)

    [pressed] = contact.fed
    assert isinstance(pressed, Pressed) and pressed.at > time.monotonic()


def test_a_bouncing_contact_is_one_press_and_a_lost_release_is_found(contact: Contact) -> None:
    now = time.monotonic()
    for delay_s, down in ((0.0, True), (0.001, False), (0.002, True), (0.003, False)):
        contact.edge(down, at_s=now + delay_s)

    contact.tick(0.1)

    assert [type(event) for event in contact.fed] == [Pressed, Released]


OTHERS = ("emergency", "replay", "ignition", "phone_busy", "nav_busy")


def test_every_other_input_tells_its_own_changes_and_is_no_press(contact: Contact) -> None:
    now = time.monotonic()
    for signal in OTHERS:
        contact.edge(True, signal, at_s=now)

    assert contact.fed == [InputChanged(signal=signal, active=True, at=now) for signal in OTHERS]


def test_every_other_input_is_debounced_and_a_lost_edge_of_it_is_found(contact: Contact) -> None:
    now = time.monotonic()
    for delay_s, active in ((0.0, True), (0.001, False), (0.002, True), (0.003, False)):
        contact.edge(active, "phone_busy", at_s=now + delay_s)
    contact.tick(0.1)
    contact.edge(True, "ignition", at_s=now + 0.2)
    contact.active["ignition"] = False
    contact.tick(0.5)

    told = [(event.signal, event.active) for event in contact.fed if isinstance(event, InputChanged)]
    assert told == [("phone_busy", True), ("phone_busy", False), ("ignition", True), ("ignition", False)]


def test_the_day_begins_with_the_level_of_every_fitted_input() -> None:
    contact = Contact(parse('[pins]\nreplay = "none"', Board, "board"))
    contact.loop.close()

    assert [(event.signal, event.active, event.at_start) for event in contact.began] == [
        (signal, False, True) for signal in OTHERS if signal != "replay"
    ]


def test_an_input_whose_pin_is_missing_is_as_if_it_were_not_fitted() -> None:
    loop = Loop()
    fed: list[CoreEvent] = []
    levels = {signal: False for signal in INPUTS if signal != "emergency"}
    buttons = Buttons(loop, Board(), fed.append)
    buttons.begin(levels.__getitem__, missing={"emergency", "motor"})
    buttons.tick(time.monotonic() + 1.0)
    loop.close()

    told = [event.signal for event in fed if isinstance(event, InputChanged)]
    assert told == [signal for signal in OTHERS if signal != "emergency"]


def test_an_input_that_is_active_at_the_start_is_told_and_its_end_too() -> None:
    loop = Loop()
    fed: list[CoreEvent] = []
    levels = {signal: signal == "phone_busy" for signal in INPUTS}
    buttons = Buttons(loop, Board(), fed.append)
    buttons.begin(levels.__getitem__)
    levels["phone_busy"] = False
    buttons.tick(time.monotonic() + 1.0)
    buttons.tick(time.monotonic() + 2.0)
    loop.close()

    changes = [event for event in fed if isinstance(event, InputChanged) and event.signal == "phone_busy"]
    assert [(change.active, change.at_start) for change in changes] == [(True, True), (False, False)]


def test_a_button_held_at_the_start_is_told_and_its_letting_go_too_but_it_is_no_press() -> None:
    contact = Contact(down=True)
    contact.edge(False)
    contact.tick(1.0)
    contact.tick(2.0)
    contact.edge(True, at_s=time.monotonic() + 3)
    contact.loop.close()

    assert [type(event) for event in contact.fed] == [HeldAtStart, Released, Pressed]


def test_a_vehicle_without_a_button_only_listens() -> None:
    board = parse('[pins]\nptt = "none"', Board, "board")
    contact = Contact(board, down=True)
    contact.loop.close()

    assert contact.fed == []
    assert contact.buttons.next_deadline() is None


# --- presses ----------------------------------------------------------------------------------------------------------


def test_a_press_keeps_its_times_from_edge_to_answer() -> None:
    presses = Presses()
    presses.edge(1.0, 1.001)
    presses.begun(1)
    presses.sent((0, 0, 0, 1), 1.002)
    presses.sent((0, 0, 0, 1), 9.0)
    presses.granted((0, 0, 0, 1), 1.01, 1.011)
    presses.granted((0, 0, 0, 1), 9.0, 9.0)
    presses.told(1, "granted", 1.012)
    presses.told(1, "talk ended", 5.0)

    [press] = presses.newest(10)

    assert (press.edge_at, press.loop_at, press.sent_at) == (1.0, 1.001, 1.002)
    assert (press.granted_at, press.handled_at, press.told_at) == (1.01, 1.011, 1.012)
    assert (press.answer, press.last) == ("granted", "talk ended")


def test_a_grant_for_an_unknown_press_is_nobodys() -> None:
    presses = Presses()

    presses.granted((0, 0, 0, 7), 1.0, 1.0)

    assert presses.newest(10) == []


def test_presses_are_bounded() -> None:
    presses = Presses()
    for number in range(1, KEPT_MAX + 10):
        presses.begun(number)

    kept = presses.newest(10**6)

    assert (len(kept), kept[-1].press_no, presses.newest(0)) == (KEPT_MAX, KEPT_MAX + 9, [])


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "environ", "texts"),
    [
        (None, {}, EN),
        (None, {"LANG": "ko_KR.UTF-8"}, KO),
        (None, {"LANG": "ko_KR.UTF-8", "LC_ALL": "C"}, EN),
        ("ko", {"LANG": "C"}, KO),
    ],
)
def test_the_language_is_the_options_else_the_locales(lang: str | None, environ: dict[str, str], texts: object) -> None:
    assert pick(lang, environ) is texts


def test_a_status_names_what_is_missing_and_how_presses_were_answered() -> None:
    status: dict[str, Any] = {
        "user": "car-1",
        "name": "one",
        "office": "seoul/hq",
        "pins": "virtual",
        "version": "1",
        "pid": 7,
        "uptime_s": 75.0,
        "broker": "h:1883",
        "link": {"up": False, "reason": "refused"},
        "session": {"active": True, "event_id": "e-1", "burst": 4, "current_speaker": "car-2"},
        "device": {
            "floor": "U: has no permission",
            "keyed": True,
            "focus": "phone",
            "lifecycle": "shutting_down",
            "heard_by": 9,
            "heard_of": 11,
            "voice": {"worker": "ok", "link": True, "capture": False, "playback": True, "buffer_ms": 0},
        },
        "sound_devices": [{"device": "capture", "ok": False, "detail": "unplugged"}],
        "alerts": {"disk-full": ["it is full", "make room"], "speech": ["nothing is said", "install it"]},
        "counters": {"malformed": 2, "unsent": 0},
        "presses": [
            {
                "press_no": 3,
                "edge_at": 1.0,
                "sent_at": 1.0004,
                "handled_at": None,
                "told_at": 1.01,
                "answer": "denied",
                "last": "denied",
            }
        ],
    }

    lines = "\n".join(render(status, EN))

    for said in ("DOWN (h:1883): refused", "burst 4: car-2", "keyed, phone", "capture: unplugged", "malformed 2"):
        assert said in lines
    assert "#3 denied: sent 0.4, told 10.0" in lines
    assert "Alerts   disk-full: it is full -> make room\n         speech: nothing is said -> install it\n" in lines
    assert ", shutting down\n" in lines
    assert "Alerts   none\n" in "\n".join(render(status | {"alerts": {}}, EN))
    assert "unsent" not in lines
    assert "its last burst by 9 of 11" in lines
    assert "11명 중 9명이" in "\n".join(render(status, KO))
    status["device"]["heard_by"] = None
    assert "not known of its last burst" in "\n".join(render(status, EN))
