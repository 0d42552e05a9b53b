"""The gateway's small shells: inbox, button, answers on the panel, presses, status text."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.answers import HOLD_AFTER_S, Answers
from gateway.buttons import Buttons
from gateway.core.told import Told
from gateway.core.words import CoreEvent, HeldAtStart, InputChanged, LinkUp, Look, Pressed, Released, Show, Tell
from gateway.inbox import Inbox, Item
from gateway.presses import KEPT_MAX, Presses
from gateway.status_text import render
from gateway.texts import EN, KO, pick
from hw.board import INPUTS, Board
from hw.factory import open_factory
from hw.panel import Panel
from hw.patterns import EMERGENCY
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


class InTheWay:
    """Another owner of pins."""

    def _conflicts_with(self, other: object) -> bool:
        return True


class Driver:
    """A virtual panel, and what a driver sees and feels of it."""

    def __init__(self) -> None:
        self.factory = open_factory("virtual", Board())
        self.panel = Panel.open(Board(), self.factory, lambda signal, active, at_s: None)
        self.troubles: list[str] = []
        self.answers = Answers(self.panel, on_trouble=self.troubles.append)

    def feels(self, until_s: float, step_s: float = 0.005) -> list[tuple[float, float]]:
        """(time, strength) of every change of the motor until then."""
        felt, level = [], -1.0
        now = 0.0
        while now <= until_s:
            self.answers.tick(now)
            strength = self.panel.levels()["motor"]
            if strength != level:
                level = strength
                felt.append((round(now, 3), strength))
            now += step_s
        return felt

    def close(self) -> None:
        self.panel.close()
        self.factory.close()


@pytest.fixture
def driver() -> Iterator[Driver]:
    made = Driver()
    yield made
    made.close()


# --- answers ----------------------------------------------------------------------------------------------------------


def test_a_denial_is_one_long_push_and_two_short_ones(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.DENIED), 0.0)

    felt = driver.feels(1.0)
    on = [at_s for (at_s, now), (_, before) in zip(felt, [(0.0, 0.0), *felt], strict=False) if now > 0 and before == 0]
    off = [at_s for (at_s, now), (_, before) in zip(felt, [(0.0, 0.0), *felt], strict=False) if now == 0 and before > 0]

    assert on == pytest.approx([0.0, 0.45, 0.61], abs=0.011)
    assert off == pytest.approx([0.3, 0.53, 0.69], abs=0.011)


def test_a_refusal_is_two_short_strong_pulses_and_a_low_double_beep(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.NO_CONNECTION), 0.0)

    felt = driver.feels(0.5)
    on = [at_s for at_s, strength in felt if strength == 1.0]

    assert on == pytest.approx([0.0, 0.16], abs=0.011)
    assert felt[-1] == (pytest.approx(0.24, abs=0.011), 0.0)


def test_a_beep_sounds_only_while_the_microphone_is_closed(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.DENIED), 0.0)
    driver.answers.tick(0.0)
    before = driver.panel.levels()["buzzer"]
    driver.answers.transmitting(True)
    driver.answers.tick(0.01)
    open_ = driver.panel.levels()["buzzer"]
    driver.answers.tell(Tell(what=Told.LINK_BACK), 0.02)
    driver.answers.tick(0.02)

    assert (before > 0, open_, driver.panel.levels()["buzzer"]) == (True, 0.0, 0.0)


def test_while_transmitting_faint_ticks_follow_the_push_of_success_and_end_with_it(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.GRANTED), 0.0)
    driver.answers.transmitting(True)
    felt = driver.feels(1.0)
    driver.answers.transmitting(False)
    driver.answers.tick(1.2)

    starts = [at_s for (at_s, now), (_, before) in zip(felt[1:], felt, strict=False) if now > 0 and before == 0]
    assert starts[0] == pytest.approx(0.1 + HOLD_AFTER_S, abs=0.011)
    assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([0.25] * (len(starts) - 1), abs=0.02)
    assert driver.panel.levels()["motor"] == 0.0


def test_news_of_a_session_do_not_cut_the_answer_to_a_press_short(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.GRANTED), 0.0)
    driver.answers.tell(Tell(what=Told.SESSION_JOINED), 0.01)

    assert driver.feels(0.5)[-1] == (pytest.approx(0.1, abs=0.011), 0.0)


def test_the_pushes_of_a_raised_emergency_are_felt_whole_although_it_is_granted_meanwhile(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.EMERGENCY), 0.0)
    driver.answers.tick(0.0)
    driver.answers.tell(Tell(what=Told.GRANTED), 0.02)

    felt = driver.feels(2.0)

    assert felt[-1] == (pytest.approx(sum(ms for ms, _ in EMERGENCY.steps) / 1000, abs=0.011), 0.0)


def test_the_light_blinks_and_the_mute_line_follows(driver: Driver) -> None:
    driver.answers.show(Show(look=Look.NO_LINK, mute_radio=True), 0.0)
    levels = []
    for now in (0.0, 0.1, 0.3, 0.9, 1.05):
        driver.answers.tick(now)
        levels.append(driver.panel.levels()["led_red"])

    assert levels == [1.0, 1.0, 0.0, 0.0, 1.0]
    assert driver.panel.levels()["mute"] == 1.0


def test_safe_is_everything_off(driver: Driver) -> None:
    driver.answers.tell(Tell(what=Told.DENIED), 0.0)
    driver.answers.show(Show(look=Look.TALKING, mute_radio=True), 0.0)
    driver.answers.transmitting(True)
    driver.answers.tick(0.0)

    driver.answers.safe()
    driver.answers.tick(5.0)

    outputs = {k: v for k, v in driver.panel.levels().items() if k.startswith(("led", "motor", "buzzer", "mute"))}
    assert set(outputs.values()) == {0.0}
    assert driver.answers.next_deadline() is None


@pytest.mark.parametrize("told", Told)
def test_everything_that_can_be_told_plays_and_comes_to_an_end(driver: Driver, told: Told) -> None:
    driver.answers.tell(Tell(what=told), 0.0)
    driver.feels(1.0, 0.05)

    assert driver.panel.levels()["motor"] == driver.panel.levels()["buzzer"] == 0.0
    assert driver.answers.next_deadline() is None


def test_a_pin_that_fails_does_not_end_the_radio(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(driver.panel.mute, "set", broken)
    monkeypatch.setattr(driver.panel.motor, "set", broken)

    driver.answers.show(Show(look=Look.TALKING, mute_radio=True), 0.0)
    driver.answers.tell(Tell(what=Told.DENIED), 0.0)
    driver.answers.tick(0.0)
    driver.answers.tick(1.0)

    assert driver.panel.levels()["led_red"] == 1.0


def test_a_pin_that_fails_is_told_once_by_its_name_and_again_when_it_obeys(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError("gone")

    with monkeypatch.context() as failing:
        failing.setattr(driver.panel.motor, "set", broken)
        driver.answers.tell(Tell(what=Told.DENIED), 0.0)
        driver.feels(1.0)
        sounded = list(driver.troubles)
    driver.answers.tell(Tell(what=Told.DENIED), 2.0)
    driver.answers.tick(2.0)

    assert sounded == [
        "motor on BCM 12 (header pin 32) does not obey (gone) -> "
        "check its wiring and supply (docs/wiring.md), then restart ptt-gateway"
    ]
    assert driver.troubles[1:] == [""]


def test_signals_missing_from_the_start_are_told_with_their_mend_and_the_rest_plays() -> None:
    factory = open_factory("virtual", Board())
    other = InTheWay()  # reservations are weak
    factory.reserve_pins(other, 12, 22)
    panel = Panel.open(Board(), factory, lambda signal, active, at_s: None)
    troubles: list[str] = []

    answers = Answers(panel, on_trouble=troubles.append)
    answers.tell(Tell(what=Told.DENIED), 0.0)
    answers.show(Show(look=Look.NO_LINK, mute_radio=False), 0.0)
    answers.tick(0.0)
    lit, sounding = panel.levels()["led_red"], panel.levels()["buzzer"]
    panel.close()
    factory.close()

    assert len(troubles) == 1
    assert "motor on BCM 12 (header pin 32)" in troubles[0]
    assert "emergency on BCM 22 (header pin 15)" in troubles[0]
    assert troubles[0].count(" -> ") == 1
    assert (lit, sounding > 0) == (1.0, True)


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
