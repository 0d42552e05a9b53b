"""The head unit's mute line, the talk-time limit over several presses, and a talk button that is stuck."""

from __future__ import annotations

import pytest

from gateway.core.alerts import Alerts
from gateway.core.cab import Cab
from gateway.core.cab_settings import ButtonSettings, FocusSettings
from gateway.core.mute_line import MuteLine
from gateway.core.participant_words import State, Word
from gateway.core.told import Told
from gateway.core.words import InputChanged
from protocol.messages import Ended, FloorGranted, FloorRevoke, RevokeCause
from protocol.timers import RELEASE_MIN_S
from protocol.worker import Pong, Through
from tests.core.gateway_bench import BURST, Bench, session

WALL_MS = 1_800_000_000_000
SILENCE_S, HELD_S = 15.0, 120.0


class Car(Bench):
    """A floor participant with the car around it."""

    def __init__(self, button: ButtonSettings | None = None) -> None:
        super().__init__()
        focus = FocusSettings(settle_ms=0)
        self.cab = Cab(self.ctx, self.machine, Alerts(self.ctx), focus, button or ButtonSettings())
        self.told: list[str] = []

    def press(self, after_s: float = 0.01) -> None:
        self.now += after_s
        self.ctx.keyed = True
        self.machine.take(Word.PRESS, self.now, self.now)
        self._settle()

    def release(self, after_s: float = 0.01) -> None:
        self.now += after_s
        self.ctx.keyed = False
        self.cab.released(self.now, WALL_MS)
        self.machine.take(Word.KEY_UP, self.now, self.now)
        self._settle()

    def granted(self, duration_s: float = 30.0) -> None:
        talk = self.participant.talk
        assert talk is not None
        grant = FloorGranted(rev=20, request_id=talk.request_id, burst=BURST, duration_s=duration_s, lease_s=3.0)
        self.machine.take(Word.GRANTED, self.now, grant)
        self._settle()

    def drive(self, seconds: float, *, speech_every_s: float = 0.0, reports: bool = True) -> None:
        """Let time pass with voice getting through, renewals answered, and the worker's word of speech each second."""
        spoke_at = heard_at = self.now
        end = self.now + seconds
        while self.now < end:
            self.now = round(self.now + 0.1, 6)
            if speech_every_s and self.now - spoke_at >= speech_every_s:
                spoke_at = self.now
            self.machine.take(Word.THROUGH, self.now, Through(burst=BURST, seq=1, at=self.now))
            if self.now - heard_at >= 1.0:
                heard_at = self.now
                speech_at = spoke_at if reports else None
                self.cab.said(Pong(no=1, link=True, capture=True, playback=True, speech_at=speech_at), self.now)
            talk = self.participant.talk
            if talk is not None and talk.sent:
                self.renew_answered(max(talk.sent))
            self.machine.tick(self.now)
            self.cab.tick(self.now, WALL_MS)
            self._settle()

    def _settle(self) -> None:
        self.cab.look(self.now)
        self.told += [word for word in self.said() if word.startswith(("tell", "Alert", "cleared"))]

    def clear(self) -> list[str]:
        told, self.told = self.told, []
        return told


# --- the mute line ---------------------------------------------------------------------------------------------------


def test_the_head_unit_stays_muted_between_words_and_a_little_longer_than_voice() -> None:
    line = MuteLine(0.3)
    states = []
    for now, voice in ((0.0, True), (1.0, False), (1.2, True), (2.0, False), (2.29, False), (2.3, False)):
        line.follow(voice, True, now)
        states.append(line.muted)

    assert states == [True, True, True, True, True, False]


def test_its_end_is_a_deadline_only_while_it_hangs() -> None:
    line = MuteLine(0.3)
    deadlines = [line.next_deadline()]
    for now, voice in ((0.0, True), (1.0, False), (1.3, False)):
        line.follow(voice, True, now)
        deadlines.append(line.next_deadline())

    assert deadlines == [None, None, 1.3, None]


@pytest.mark.parametrize("voice", [True, False])
def test_telephone_and_navigation_are_heard_at_once_however_long_it_would_hang(voice: bool) -> None:
    line = MuteLine(5.0)
    line.follow(True, True, 0.0)
    line.follow(voice, False, 0.1)
    ended = line.muted
    line.follow(False, True, 0.2)

    assert (ended, line.muted, line.next_deadline()) == (False, False, None)


def test_voice_that_goes_on_mutes_again_once_navigation_has_ended() -> None:
    car = Car()
    states = [car.cab.mute_line(True, car.now)]
    for active in (True, False):
        car.cab.input(InputChanged(signal="nav_busy", active=active, at=car.now), car.now, WALL_MS)
        states.append(car.cab.mute_line(True, car.now))

    assert states == [True, False, True]


# --- the limit -------------------------------------------------------------------------------------------------------


def over_limit() -> Car:
    """A driver whose 5 s are over, and who holds on."""
    car = Car()
    car.press()
    car.granted(5.0)
    car.drive(5.5, speech_every_s=0.5)
    assert "tell limit reached" in car.clear()
    return car


@pytest.mark.parametrize("pause_s", [0.001, 0.005, 0.05, RELEASE_MIN_S - 0.01])
def test_after_a_limit_a_moment_s_release_gives_no_new_talk_and_is_answered(pause_s: float) -> None:
    car = over_limit()
    car.drive(3.0)
    car.clear()

    car.release()
    car.press(after_s=pause_s)

    assert car.clear()[-1] == "tell let go"
    assert car.participant.talk is None and car.participant.waiting is None


def test_after_a_limit_and_a_real_pause_a_press_asks_and_its_talk_has_its_whole_time() -> None:
    car = over_limit()
    car.drive(3.0)
    car.release()
    car.press(after_s=RELEASE_MIN_S + 0.001)
    car.granted(5.0)
    car.clear()
    car.drive(4.8, speech_every_s=0.5)

    assert car.state is State.HAS_PERMISSION
    assert "tell limit reached" not in car.clear()


def test_a_press_that_came_too_early_does_not_shorten_the_pause_that_is_needed() -> None:
    car = over_limit()
    car.drive(3.0)
    told = []
    for _ in range(5):
        car.release()
        car.press(after_s=0.1)
        told.append(car.clear()[-1])

    assert told == ["tell let go"] * 5


@pytest.mark.parametrize("by", ["revoke", "session"])
def test_the_servers_limit_needs_the_same_pause(by: str) -> None:
    car = Car()
    car.press()
    car.granted()
    car.now += 1.0
    words = {
        "revoke": (Word.REVOKE, FloorRevoke(rev=30, burst=BURST, cause=RevokeCause.BURST_TOO_LONG)),
        "session": (Word.SESSION, session(30, BURST, None, ended=Ended.LIMIT)),
    }
    car.machine.take(words[by][0], car.now, words[by][1])
    car.release()
    car.clear()
    car.press(after_s=0.1)

    assert car.clear() == ["tell let go"]


def test_after_another_end_a_quick_press_asks_at_once() -> None:
    car = Car()
    car.press()
    car.granted()
    car.machine.take(Word.REVOKE, car.now, FloorRevoke(rev=30, burst=BURST, cause=RevokeCause.PREEMPTED))
    car.release()
    car.press(after_s=0.1)

    assert car.state is State.PENDING_REQUEST


def test_a_driver_who_lets_go_for_a_moment_goes_on_under_the_limit_he_had() -> None:
    car = Car()
    car.press()
    car.granted(10.0)
    for _ in range(3):
        car.drive(2.0, speech_every_s=0.5)
        car.release()
        car.press(after_s=0.02)
        car.drive(0.6, speech_every_s=0.5)  # the tail is given up, the waiting press asked
        car.granted(10.0)
    car.clear()
    car.drive(2.9, speech_every_s=0.5)

    assert "tell limit reached" in car.clear()


def test_a_quick_press_long_after_a_talk_has_a_limit_of_its_own() -> None:
    # given a talk that ended long ago
    car = Car()
    car.press()
    car.granted(10.0)
    car.drive(1.0, speech_every_s=0.5)
    car.release()
    car.drive(30.0)
    # when a press is refused, and the next one comes at once
    car.press()
    car.release(after_s=0.05)
    car.press(after_s=0.05)
    car.granted(10.0)
    car.clear()
    car.drive(9.0, speech_every_s=0.5)

    assert car.state is State.HAS_PERMISSION


# --- a stuck button --------------------------------------------------------------------------------------------------


def test_a_button_with_the_floor_and_no_speech_is_stuck_gives_it_back_and_is_told_once() -> None:
    # given one that lies on the seat
    car = Car()
    car.press()
    car.granted(60.0)
    car.clear()
    # when nobody speaks
    car.drive(SILENCE_S - 0.5)
    before = car.clear()
    car.drive(1.5)
    # then the floor is given back, and nothing more is told however long it lies there
    assert before == []
    assert car.clear() == ["Alert", "tell button stuck"]
    assert car.state is State.NO_PERMISSION
    car.drive(2 * HELD_S)
    assert car.clear() == []
    # and it is believed again once it was seen up
    car.release()
    assert car.clear() == ["cleared"]
    car.press(after_s=1.0)
    assert car.state is State.PENDING_REQUEST


def test_a_long_talker_is_not_taken_for_one() -> None:
    car = Car()
    car.press()
    car.granted(300.0)
    car.clear()
    car.drive(240.0, speech_every_s=SILENCE_S - 1.5)

    assert car.clear() == []


def test_a_worker_that_does_not_say_whether_it_hears_speech_makes_nobody_stuck() -> None:
    car = Car()
    car.press()
    car.granted(120.0)
    car.clear()
    car.drive(100.0, reports=False)

    assert car.clear() == []


def test_what_a_dead_worker_said_of_speech_counts_no_longer() -> None:
    car = Car()
    car.press()
    car.granted(120.0)
    car.drive(SILENCE_S - 1.0)
    car.cab.worker_gone()
    car.clear()
    car.drive(5.0, reports=False)

    assert car.clear() == []


def test_silence_is_not_counted_from_before_the_floor_was_granted() -> None:
    car = Car()
    car.cab.said(Pong(no=1, link=True, capture=True, playback=True, speech_at=car.now - 500), car.now)
    car.press()
    car.granted(60.0)
    car.clear()
    car.drive(SILENCE_S - 1.0)

    assert car.clear() == []


def test_silence_that_navigation_asks_for_does_not_count() -> None:
    car = Car(ButtonSettings(stuck_silence_s=2.0))
    car.press()
    car.granted(60.0)
    car.cab.input(InputChanged(signal="nav_busy", active=True, at=car.now), car.now, WALL_MS)
    car.clear()
    car.drive(4.5)
    car.cab.input(InputChanged(signal="nav_busy", active=False, at=car.now), car.now, WALL_MS)
    car.drive(1.5)

    assert car.clear() == ["tell navigation speaks", "tell heard again"]


def test_where_it_is_switched_off_silence_makes_nobody_stuck() -> None:
    car = Car(ButtonSettings(stuck_silence_s=0.0))
    car.press()
    car.granted(60.0)
    car.clear()
    car.drive(50.0)

    assert car.clear() == []


def test_a_button_held_without_the_floor_for_long_is_stuck() -> None:
    told = {}
    for why in ("no connection", "denied"):
        car = Car()
        car.ctx.link_up = why != "no connection"
        car.press()
        if why == "denied":
            car.take(Word.DENY)
        car.drive(HELD_S - 1.0)
        before = car.clear()
        car.ctx.link_up = True  # an alert is told where there is a link
        car.drive(2.0)
        told[why] = ("tell button stuck" in before, car.clear(), car.state)

    assert told == dict.fromkeys(told, (False, ["Alert", "tell button stuck"], State.NO_PERMISSION))


def test_a_button_held_at_the_start_is_told_once() -> None:
    car = Car()
    car.ctx.keyed = True
    car.cab.held_at_start(WALL_MS)
    car.drive(3 * HELD_S)

    assert car.clear() == ["Alert", "tell button stuck"]
    assert Told.BUTTON_STUCK.value == "button stuck"
