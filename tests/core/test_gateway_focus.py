"""Audio focus: every cell of its table, contacts that flicker or stick, and what follows for talks and presses."""

from __future__ import annotations

from itertools import product

import pytest

from gateway.core.alerts import Alerts
from gateway.core.cab_settings import FocusSettings
from gateway.core.focus import RULES, TABLE, Contact, FocusKeeper, Input, Standing, Turn
from gateway.core.participant_words import State, Word
from gateway.core.told import Told
from gateway.core.words import InputChanged, Tell
from protocol.messages import AudioFocus, FloorRenew, Priority
from protocol.timers import NAVIGATION_HOLDS_S
from protocol.worker import Arm, Focus, Hold, Playback, Transmit
from tests.core.gateway_bench import Bench, words

RADIO, NAVIGATION, PHONE, BOTH = Standing.RADIO, Standing.NAVIGATION, Standing.PHONE, Standing.BOTH
WALL_MS = 1_800_000_000_000


class Cabin(Bench):
    """A floor participant in a car with a telephone and a navigation."""

    def __init__(self, settings: FocusSettings | None = None) -> None:
        super().__init__()
        self.keeper = FocusKeeper(self.ctx, settings or FocusSettings(settle_ms=0), Alerts(self.ctx), self.machine.take)

    def put(self, signal: str, active: bool, *, at_start: bool = False) -> None:
        """An input changes."""
        change = InputChanged(signal=signal, active=active, at=self.now, at_start=at_start)
        self.keeper.changed(change, self.now, WALL_MS)

    def pass_time(self, seconds: float) -> None:
        """Time passes for the inputs alone."""
        self.now += seconds
        self.keeper.tick(self.now, WALL_MS)

    def commands(self) -> list[object]:
        """What the worker was commanded since it was last asked."""
        return [effect.command for effect in self.ctx.take() if hasattr(effect, "command")]


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_and_the_rules_are_complete() -> None:
    assert set(TABLE) == set(product(Standing, Input))
    assert set(RULES) == set(Standing)


@pytest.mark.parametrize(
    ("phone", "navigation", "signal", "active"), list(product((0, 1), (0, 1), ("phone_busy", "nav_busy"), (0, 1)))
)
def test_each_cell_stands_as_the_two_inputs_are(phone: int, navigation: int, signal: str, active: int) -> None:
    """Written independently of the table: the telephone comes before the navigation, each stands for itself."""
    cabin = Cabin()
    cabin.put("phone_busy", bool(phone))
    cabin.put("nav_busy", bool(navigation))
    was = cabin.ctx.focus
    cabin.ctx.take()

    cabin.put(signal, bool(active))

    phone_now = active if signal == "phone_busy" else phone
    navigation_now = active if signal == "nav_busy" else navigation
    standing = [[RADIO, NAVIGATION], [PHONE, BOTH]][phone_now][navigation_now]
    focus = [[AudioFocus.RADIO, AudioFocus.NAVIGATION], [AudioFocus.PHONE, AudioFocus.PHONE]][phone_now][navigation_now]
    playback = {"radio": Playback.FULL, "navigation": Playback.DUCKED, "phone": Playback.SILENT}[focus]
    assert (cabin.keeper.standing, cabin.ctx.focus) == (standing, focus)
    assert cabin.commands() == [Focus(office=playback)] * (focus is not was)


@pytest.mark.parametrize("cell", TABLE)
def test_a_loss_a_transient_loss_and_a_gain_are_what_the_change_of_focus_is(cell: tuple[Standing, Input]) -> None:
    to, turn = TABLE[cell]
    meant = {AudioFocus.PHONE: Turn.LOSS, AudioFocus.NAVIGATION: Turn.LOSS_TRANSIENT, AudioFocus.RADIO: Turn.GAIN}
    changed = RULES[to].focus is not RULES[cell[0]].focus

    assert turn is {True: meant[RULES[to].focus], False: Turn.NONE}[changed]


# --- contacts --------------------------------------------------------------------------------------------------------


def test_a_flicker_shorter_than_the_settling_time_is_nothing_and_longer_ones_count_from_their_end() -> None:
    cabin = Cabin(FocusSettings(settle_ms=50))
    for _ in range(5):
        cabin.put("phone_busy", True)
        cabin.pass_time(0.04)
        cabin.put("phone_busy", False)
        cabin.pass_time(0.04)
    flickered = cabin.ctx.focus

    cabin.put("phone_busy", True)
    due = cabin.keeper.next_deadline()
    cabin.pass_time(0.05)

    assert flickered is AudioFocus.RADIO
    assert due == pytest.approx(cabin.now)
    assert cabin.ctx.focus is AudioFocus.PHONE


def test_a_call_that_flickers_goes_on() -> None:
    cabin = Cabin(FocusSettings(settle_ms=50))
    cabin.put("phone_busy", True)
    cabin.pass_time(0.05)
    cabin.put("phone_busy", False)
    cabin.pass_time(0.04)
    cabin.put("phone_busy", True)
    cabin.pass_time(1.0)

    assert cabin.ctx.focus is AudioFocus.PHONE


def test_a_call_under_way_at_the_start_counts_at_once() -> None:
    cabin = Cabin(FocusSettings(settle_ms=50))
    cabin.put("nav_busy", False, at_start=True)
    cabin.put("phone_busy", True, at_start=True)

    assert cabin.ctx.focus is AudioFocus.PHONE


@pytest.mark.parametrize(
    ("signal", "alert", "after_s"), [("phone_busy", "phone-stuck", 1800.0), ("nav_busy", "navigation-stuck", 120.0)]
)
def test_an_input_active_for_too_long_is_told_once_ignored_and_believed_again_after_it_was_inactive(
    signal: str, alert: str, after_s: float
) -> None:
    # given an input that stays active
    cabin = Cabin()
    cabin.put(signal, True)
    cabin.pass_time(after_s - 1.0)
    before = cabin.ctx.focus
    cabin.ctx.take()
    # when it has been for too long
    cabin.pass_time(1.0)
    effects = cabin.ctx.take()
    cabin.pass_time(after_s)
    later = cabin.ctx.take()
    # then the radio has its focus back, driver and office are told, once
    assert before is not AudioFocus.RADIO
    assert cabin.ctx.focus is AudioFocus.RADIO
    assert [effect.what for effect in effects if isinstance(effect, Tell)] == [Told.CONTACT_STUCK]
    assert [effect.message.alert for effect in effects if hasattr(effect, "message") and effect.message] == [alert]
    assert words(later) == ()
    # and it counts again once it was seen inactive
    cabin.put(signal, False)
    assert "cleared" in words(cabin.ctx.take())
    cabin.put(signal, True)
    assert cabin.ctx.focus is before


def test_an_input_that_flickers_while_stuck_is_not_taken_for_cured() -> None:
    contact = Contact(0.05, 60.0)
    contact.seen(True, 0.0, at_start=False)
    contact.tick(0.05)
    contact.tick(60.0)
    contact.seen(False, 61.0, at_start=False)
    contact.tick(61.02)
    contact.seen(True, 61.03, at_start=False)
    contact.tick(70.0)

    assert contact.stuck and not contact.active and contact.next_deadline() is None


# --- talks -----------------------------------------------------------------------------------------------------------


def test_the_telephone_ends_a_talk_and_a_press_during_the_call_is_answered_and_asks_for_nothing() -> None:
    cabin = Cabin()
    cabin.take(Word.PRESS, Word.GRANTED)
    cabin.said()
    cabin.put("phone_busy", True)
    ended = cabin.said()
    cabin.machine.take(Word.KEY_UP, cabin.now, cabin.now)
    cabin.now += 1.0
    cabin.machine.take(Word.PRESS, cabin.now, cabin.now)

    assert ended == ("Focus", "tell phone took over", "Mute", "FloorRelease")
    assert (cabin.said(), cabin.state) == (("tell phone busy",), State.NO_PERMISSION)


def test_after_the_call_a_press_asks_again() -> None:
    cabin = Cabin()
    cabin.put("phone_busy", True)
    cabin.put("phone_busy", False)
    cabin.said()
    cabin.machine.take(Word.PRESS, cabin.now, cabin.now)

    assert cabin.said() == ("Arm", "FloorRequest")


@pytest.mark.parametrize("signal", ["phone_busy", "nav_busy"])
def test_an_emergency_heeds_neither_telephone_nor_navigation(signal: str) -> None:
    # given one raised in a call
    cabin = Cabin()
    cabin.put(signal, True)
    cabin.said()
    cabin.machine.take(Word.EMERGENCY, cabin.now, cabin.now)
    asked = cabin.said()
    talk = cabin.participant.talk
    assert talk is not None and talk.priority is Priority.EMERGENCY
    # when it is granted, and the input comes and goes
    cabin.machine.take(Word.GRANTED, cabin.now, cabin.grant(request=talk.request_id))
    granted = cabin.said()
    cabin.put(signal, False)
    cabin.put(signal, True)
    # then it goes on
    assert asked == ("Arm", "FloorRequest")
    assert granted[0] == "Transmit"
    assert cabin.said() == ("Focus", "Focus")
    assert cabin.participant.transmitting


def test_navigation_mutes_a_talk_and_its_end_resumes_the_same_burst() -> None:
    cabin = Cabin()
    cabin.take(Word.PRESS, Word.GRANTED)
    burst = cabin.participant.talk.burst if cabin.participant.talk else 0
    cabin.said()
    cabin.put("nav_busy", True)
    paused = cabin.commands()
    answered = 1

    def answer() -> None:
        nonlocal answered
        sent = [e.message.renew_no for e in cabin.ctx.take() if isinstance(getattr(e, "message", None), FloorRenew)]
        for number in sent:
            cabin.renew_answered(number)
            answered = number

    cabin.run(NAVIGATION_HOLDS_S - 0.5, each=answer)
    cabin.ctx.take()
    cabin.put("nav_busy", False)
    resumed = cabin.commands()

    assert paused == [Focus(office=Playback.DUCKED), Hold(burst=burst)]
    assert answered >= NAVIGATION_HOLDS_S - 1.5  # renewed once a second although no voice gets through
    assert [type(command) for command in resumed] == [Focus, Transmit]
    assert resumed[1].burst == burst and cabin.participant.transmitting


def test_navigation_that_speaks_on_ends_the_talk_which_is_told() -> None:
    cabin = Cabin()
    cabin.take(Word.PRESS, Word.GRANTED)
    cabin.put("nav_busy", True)
    cabin.said()
    numbers: list[int] = []
    said: list[str] = []

    def answer() -> None:
        effects = cabin.ctx.take()
        said.extend(words(effects))
        for effect in effects:
            if isinstance(getattr(effect, "message", None), FloorRenew):
                numbers.append(effect.message.renew_no)
                cabin.renew_answered(effect.message.renew_no)

    cabin.run(NAVIGATION_HOLDS_S + 0.1, each=answer)
    said.extend(cabin.said())

    assert said[-3:] == ["tell navigation took over", "Mute", "FloorRelease"]
    assert cabin.state is State.NO_PERMISSION


def test_what_is_pressed_while_navigation_speaks_captures_nothing_until_it_ends() -> None:
    # given navigation that speaks
    cabin = Cabin()
    cabin.put("nav_busy", True)
    cabin.said()
    # when the driver presses and is granted the floor
    cabin.take(Word.PRESS, Word.GRANTED)
    asked = cabin.said()
    cabin.put("nav_busy", False)
    resumed = cabin.commands()
    # then speech is kept and sent from the end of navigation on
    assert asked == ("FloorRequest", "tell navigation speaks", "FloorRenew")
    assert [type(command) for command in resumed] == [Focus, Arm, Transmit]
    assert resumed[1].edge_at == cabin.now


def test_navigation_that_begins_before_the_answer_drops_what_was_kept_and_its_end_keeps_anew() -> None:
    cabin = Cabin()
    cabin.take(Word.PRESS)
    cabin.said()
    cabin.put("nav_busy", True)
    began = cabin.said()
    cabin.put("nav_busy", False)

    assert (began, cabin.said()) == (("Focus", "Mute"), ("Focus", "Arm"))


def test_a_link_lost_while_navigation_speaks_is_not_spoken_over_when_it_ends() -> None:
    cabin = Cabin()
    cabin.take(Word.PRESS, Word.GRANTED)
    cabin.put("nav_busy", True)
    cabin.take(Word.LINK_DOWN)
    cabin.said()
    cabin.put("nav_busy", False)

    assert cabin.said() == ("Focus",)
    assert not cabin.participant.transmitting


def test_the_tail_of_a_talk_is_sent_whatever_begins_and_a_press_behind_it_waits_or_is_refused() -> None:
    tails = {}
    for signal in ("phone_busy", "nav_busy"):
        cabin = Cabin()
        cabin.take(Word.PRESS, Word.GRANTED, Word.KEY_UP)
        cabin.now += 0.4
        cabin.take(Word.PRESS)
        cabin.said()
        cabin.put(signal, True)
        tails[signal] = cabin.said()
        assert cabin.state is State.PENDING_RELEASE and cabin.participant.transmitting

    assert tails == {"phone_busy": ("Focus", "Mute", "tell phone busy"), "nav_busy": ("Focus", "Mute")}


def test_a_new_worker_is_told_how_loud_the_office_is_played() -> None:
    cabin = Cabin()
    cabin.keeper.worker_ready()
    at_rest = cabin.commands()
    cabin.put("nav_busy", True)
    cabin.commands()
    cabin.keeper.worker_ready()

    assert (at_rest, cabin.commands()) == ([], [Focus(office=Playback.DUCKED)])
