"""The replay button, the list behind it, and catching up with what was said while there was no link."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from gateway.core.catch_up import ASK_S, SPREAD_S
from gateway.core.indicators import sentence
from gateway.core.replay import AGAIN_S
from gateway.core.replay_button import LONG_S, ReplayButton
from gateway.core.spoken import spoken_ago
from gateway.core.told import Told
from gateway.core.words import Look, Pressed, Show, Tell, WorkerGone
from protocol.messages import Ended
from protocol.worker import (
    Arm,
    CatchUp,
    Missed,
    MissedBurst,
    OfficeKeeps,
    PlayedOut,
    Replay,
    Replayed,
    ReplayEnd,
    Say,
    StopReplay,
)
from tests.core.gateway_member_rig import WELCOME
from tests.core.gateway_replay_rig import KEEPS, Cab


@pytest.fixture
def cab() -> Cab:
    made = Cab()
    made.online()
    return made


def missed(*bursts: int, after: int, ok: bool = True) -> Missed:
    found = tuple(
        MissedBurst(burst=burst, user="car-2", name=f"Lee {burst}", ago_s=60.0, seconds=2.0) for burst in bursts
    )
    return Missed(after=after, ok=ok, bursts=found)


# --- the button ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held_s", "outcome"), [(0.05, ["short"]), (LONG_S - 0.01, ["short"]), (LONG_S, ["long"]), (5.0, ["long"])]
)
def test_a_press_is_short_or_long_and_never_both(held_s: float, outcome: list[str]) -> None:
    said: list[str] = []
    button = ReplayButton(lambda now: said.append("short"), lambda now: said.append("long"))
    button.changed(True, 10.0, 10.0)
    due = button.next_deadline()
    assert due == 10.0 + LONG_S
    for now in [due] if due <= 10.0 + held_s else []:
        button.tick(now)
    button.changed(False, 10.0 + held_s, 10.0 + held_s)

    assert (said, button.next_deadline()) == (outcome, None)


def test_a_long_press_whose_timer_came_late_is_long_and_one_held_at_the_start_is_none() -> None:
    said: list[str] = []
    button = ReplayButton(lambda now: said.append("short"), lambda now: said.append("long"))
    button.changed(True, 10.0, 10.0, at_start=True)
    button.tick(20.0)
    button.changed(False, 20.0, 20.0)
    assert said == []

    button.changed(True, 30.0, 30.0)
    button.changed(False, 31.5, 31.5)
    button.tick(31.5)
    assert said == ["long"]


# --- the last one heard ----------------------------------------------------------------------------------------------


def test_a_press_plays_the_last_burst_with_its_name_and_age_before_it_and_a_light_of_its_own(cab: Cab) -> None:
    cab.burst(1, "car-2", "Lee").burst(2, "car-3", "Kim").wait(60.0).seen()

    cab.press()

    assert cab.commands(Replay) == [Replay(no=1, burst=2, text="Kim, 1 minute ago", lang="en")]
    assert (cab.told(), cab.commands(Say)) == ([Told.REPLAY], [])
    assert cab.look() == Show(look=Look.REPLAYING, mute_radio=True)
    cab.ended().wait(10.0)
    assert cab.look() == Show(look=Look.READY, mute_radio=False)


def test_a_second_press_soon_plays_the_one_before_and_the_first_of_all_is_said_to_be_the_first(cab: Cab) -> None:
    cab.burst(1).burst(2).burst(3).wait(10.0).seen()

    for _ in range(3):
        cab.press().wait(1.0)
    assert (cab.replayed(), cab.told()) == ([3, 2, 1], [Told.REPLAY] * 3)

    cab.press()
    assert cab.told()[-1] is Told.NOTHING_TO_REPLAY
    assert len(cab.commands(StopReplay)) == 1


def test_a_press_while_it_plays_stops_it_and_a_later_one_begins_with_the_last_again(cab: Cab) -> None:
    cab.burst(1).burst(2).wait(10.0).seen()
    cab.press().wait(AGAIN_S + 0.1).press()
    assert (cab.replayed(), len(cab.commands(StopReplay)), cab.core._again.playing) == ([2], 1, False)

    cab.wait(AGAIN_S + 0.1).press()
    cab.say(Replayed(no=1, burst=2, end=ReplayEnd.STOPPED))

    assert (cab.replayed(), cab.core._again.playing) == ([2, 2], True)


def test_a_burst_of_which_nothing_was_heard_is_none_that_can_be_played(cab: Cab) -> None:
    cab.burst(1, frames=0).wait(10.0).seen()
    cab.press()
    assert (cab.told(), cab.replayed()) == ([Told.NOTHING_TO_REPLAY], [])


def test_a_burst_that_the_worker_does_not_have_any_more_is_told_and_forgotten(cab: Cab) -> None:
    cab.burst(1).wait(10.0).seen()
    cab.press().ended(ReplayEnd.GONE).wait(10.0).press()
    assert cab.told() == [Told.REPLAY, Told.NOTHING_TO_REPLAY, Told.NOTHING_TO_REPLAY]


def test_a_new_worker_has_nothing_to_replay(cab: Cab) -> None:
    cab.burst(1).wait(10.0).press()
    cab.take(WorkerGone(reason="test")).wait(3.0).voice().seen()
    cab.press()
    assert (cab.told(), cab.core._again.playing) == ([Told.NOTHING_TO_REPLAY], False)


# --- whoever speaks comes first --------------------------------------------------------------------------------------


def test_the_talk_button_stops_a_replay_at_once_and_none_begins_while_it_is_down(cab: Cab) -> None:
    cab.burst(1).wait(10.0).press().seen()

    cab.take(Pressed(at=cab.now))
    assert (len(cab.commands(Arm)), len(cab.commands(StopReplay)), cab.core._again.playing) == (1, 1, False)

    cab.seen()
    cab.press()
    assert (cab.told(), cab.replayed()) == ([Told.NO_REPLAY_NOW], [])


def test_live_voice_stops_a_replay_and_is_never_talked_into(cab: Cab) -> None:
    cab.burst(1).wait(10.0).press().seen()
    cab.session(2, "car-3")
    assert (len(cab.commands(StopReplay)), cab.look().look) == (1, Look.LISTENING)

    cab.wait(1.0).seen()
    cab.press()
    assert (cab.told(), cab.replayed()) == ([Told.NO_REPLAY_NOW], [])


# --- a gap -----------------------------------------------------------------------------------------------------------


def asked(cab: Cab) -> list[tuple[int, int]]:
    return [(word.after, word.upto) for word in cab.commands(CatchUp)]


def gap(cab: Cab, first: int, last: int) -> Cab:
    """The office keeps bursts; the link is gone behind `first`, and back at `last`."""
    cab.take(KEEPS)
    cab.burst(first).wait(1.0).cut_off().seen()
    cab.session(last, None, ended=Ended.RELEASED).back()
    return cab


def test_what_was_missed_is_asked_for_told_once_and_played_by_one_press_oldest_first(cab: Cab) -> None:
    gap(cab, 5, 8).wait(ASK_S[0] + SPREAD_S)
    assert asked(cab) == [(5, 8)]
    cab.say(missed(6, 8, after=5)).say(missed(6, 8, after=5))
    assert [tell for tell in cab.of(Tell) if tell.what is Told.MISSED] == [Tell(what=Told.MISSED, count=2)]
    said = [word.text for word in cab.commands(Say)]
    assert "2 missed. Press the replay button" in said

    cab.wait(10.0).press()
    assert cab.commands(Replay)[-1].text == "Lee 6, 1 minute ago"
    cab.ended()
    assert cab.replayed() == [6, 8]
    cab.ended().wait(10.0)
    assert (cab.replayed(), cab.core._again.playing) == ([6, 8], False)

    cab.press()
    assert cab.replayed() == [6, 8, 8]


def test_the_office_is_asked_again_for_what_is_uploaded_late_and_not_for_ever(cab: Cab) -> None:
    gap(cab, 5, 7).wait(3.0)
    cab.say(missed(after=5, ok=False)).wait(5.0).say(missed(6, after=5)).wait(20.0).say(missed(6, 7, after=5))

    assert asked(cab) == [(5, 7)] * 3
    assert cab.core._again.replays.waiting == 2
    cab.wait(600.0)
    assert len(asked(cab)) == 3

    gap(cab, 20, 22).wait(1000.0)
    assert len(asked(cab)) == len(ASK_S)


def test_one_that_was_being_heard_when_the_link_went_was_missed_too(cab: Cab) -> None:
    cab.take(KEEPS)
    cab.burst(4).session(5, "car-2").wait(0.5).cut_off()
    cab.say(PlayedOut(burst=5, user="car-2", frames=20, concealed=0, late=0, delay_ms=20)).seen()
    cab.session(5, None, ended=Ended.RELEASED).back().wait(3.0)
    assert asked(cab) == [(4, 5)]

    cab.say(missed(5, after=4)).wait(5.0).press().ended().wait(5.0).press()

    assert cab.replayed() == [5, 5]


def test_one_that_came_to_its_last_frame_was_heard_though_its_end_was_never_announced(cab: Cab) -> None:
    cab.take(KEEPS)
    cab.burst(4).session(5, "car-2").wait(0.5)
    cab.say(PlayedOut(burst=5, user="car-2", frames=20, concealed=0, late=0, delay_ms=20)).cut_off().seen()
    cab.session(6, None, ended=Ended.RELEASED).back().wait(3.0)
    assert asked(cab) == [(5, 6)]


def test_an_office_that_keeps_no_more_is_told_to_the_worker(cab: Cab) -> None:
    cab.take(KEEPS, KEEPS, WELCOME, WELCOME)
    assert [word.keeps for word in cab.commands(OfficeKeeps)] == [True, False]


def test_one_that_still_runs_when_the_link_is_back_is_asked_for_once_it_has_ended(cab: Cab) -> None:
    cab.take(KEEPS)
    cab.burst(5).cut_off().seen()
    cab.session(6, "car-2").back().wait(3.0)
    cab.say(missed(after=5)).wait(400.0)
    cab.seen()
    cab.session(6, None, ended=Ended.RELEASED).wait(3.0)

    assert asked(cab) == [(5, 6)]


def test_live_voice_in_the_middle_leaves_the_rest_to_be_played(cab: Cab) -> None:
    gap(cab, 5, 7).wait(3.0).say(missed(6, 7, after=5)).wait(5.0)
    cab.press().ended().session(8, "car-3").wait(1.0).session(8, None, ended=Ended.RELEASED).wait(5.0)
    cab.press()
    assert cab.replayed() == [6, 7, 7]


def test_a_press_while_missed_ones_play_goes_on_behind_the_one_that_is_not_wanted(cab: Cab) -> None:
    gap(cab, 5, 7).wait(3.0).say(missed(6, 7, after=5)).wait(5.0)
    cab.press().wait(1.0).press().wait(1.0).press()
    assert (cab.replayed(), cab.core._again.replays.waiting) == ([6, 7], 1)


def test_a_missed_burst_that_is_gone_does_not_hold_up_the_next(cab: Cab) -> None:
    gap(cab, 5, 7).wait(3.0).say(missed(6, 7, after=5)).wait(5.0).seen()
    cab.press().ended(ReplayEnd.GONE)
    assert (cab.replayed(), cab.told()) == ([6, 7], [Told.REPLAY, Told.REPLAY])


def nothing_asked(cab: Cab) -> None:
    cab.wait(600.0)
    assert (asked(cab), [tell for tell in cab.told() if tell is Told.MISSED]) == ([], [])


def test_nothing_is_claimed_to_be_missed_where_the_office_keeps_nothing(cab: Cab) -> None:
    cab.take(WELCOME).burst(5)
    cab.cut_off().session(8, None, ended=Ended.RELEASED).back()
    nothing_asked(cab)
    assert cab.commands(OfficeKeeps) == []


def test_a_gap_in_which_nobody_spoke_and_a_start_are_no_gaps(cab: Cab) -> None:
    cab.take(KEEPS).session(5, None, ended=Ended.RELEASED)
    cab.cut_off().session(5, None, ended=Ended.RELEASED).back()
    nothing_asked(cab)


def test_another_store_numbers_anew_and_nothing_is_said_of_a_gap(cab: Cab) -> None:
    cab.take(KEEPS).burst(5)
    cab.cut_off().session(2**33, None, ended=Ended.RELEASED, store="other").back()
    nothing_asked(cab)


def test_a_session_that_comes_before_the_link_is_wholly_up_ends_the_gap_as_well(cab: Cab) -> None:
    cab.take(KEEPS).burst(5).cut_off().session(7, None, ended=Ended.RELEASED).seen()
    cab.back().wait(3.0)
    assert asked(cab) == [(5, 7)]


def test_the_second_gap_takes_in_the_first_that_was_not_settled(cab: Cab) -> None:
    gap(cab, 5, 7).wait(3.0).cut_off()
    cab.seen().session(9, None, ended=Ended.RELEASED).back().wait(3.0)
    assert asked(cab)[0] == (5, 9)


def test_a_new_worker_is_told_again_that_the_office_keeps_bursts(cab: Cab) -> None:
    cab.take(KEEPS).seen()
    cab.take(WorkerGone(reason="test")).wait(3.0).voice()
    assert [word.keeps for word in cab.commands(OfficeKeeps)] == [True]


# --- words -----------------------------------------------------------------------------------------------------------


def both(ages: Iterable[float]) -> list[tuple[str, str]]:
    return [(spoken_ago(age, "ko"), spoken_ago(age, "en")) for age in ages]


def test_an_age_is_said_as_one_would_say_it() -> None:
    assert both((0, 19, 31, 54, 61, 89, 150, 3500, 3600, 9000)) == [
        ("방금 전", "just now"),
        ("방금 전", "just now"),
        ("30초 전", "30 seconds ago"),
        ("50초 전", "50 seconds ago"),
        ("1분 전", "1 minute ago"),
        ("1분 전", "1 minute ago"),
        ("2분 전", "2 minutes ago"),
        ("58분 전", "58 minutes ago"),
        ("1시간 전", "1 hour ago"),
        ("2시간 전", "2 hours ago"),
    ]


def test_the_sentences_are_spoken_in_both_languages() -> None:
    assert sentence(Told.REPLAY, "ko", "김기사", None, ago_s=61.0) == "김기사, 1분 전"
    assert sentence(Told.MISSED, "ko", "", None, count=2) == "놓친 통화가 2건 있습니다. 재생 버튼을 누르세요"
